"""A sandbox whose child has the tasks of `harm`, and ears for what the child says on standard error."""

import logging
import os
import select
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from queue import SimpleQueue

import pytest

from pipeline.sandbox.sandbox import Sandbox, SandboxLimits

HARM = "tests.unit.pipeline.sandbox.harm:tasks"
PATIENCE = 30.0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with closing(Sandbox(HARM, SandboxLimits(memory_mb=512, max_pages=1000))) as sandbox:
        yield sandbox


@pytest.fixture
def heard() -> Iterator[Callable[[str], int]]:
    """Waits until a child says a word and a number; returns the number."""
    said: SimpleQueue[str] = SimpleQueue()

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.put(record.getMessage())

    def wait_for(word: str) -> int:
        while True:
            words = said.get(timeout=PATIENCE).split()
            if word in words:
                return int(words[words.index(word) + 1])

    log, ear = logging.getLogger("pipeline.sandbox.stderr"), Ear()
    before = log.level
    log.addHandler(ear)
    log.setLevel(logging.DEBUG)
    yield wait_for
    log.removeHandler(ear)
    log.setLevel(before)


def assert_ends(pid: int) -> None:
    """Wait until a process, ours or not, has ended."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        ended = select.select([descriptor], [], [], PATIENCE)[0]
        os.close(descriptor)
        assert ended, f"process {pid} lives on"
