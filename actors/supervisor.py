"""Keeps worker processes running: one per slot, started again when it exits."""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Self

from actors.worker import EXIT_CONFIGURATION
from pipeline.errors import ConfigurationError

logger = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds before a slot is started again; doubled while its processes die young."""
YOUNG = 30.0
"""A process that lived for so many seconds was healthy: the pause starts over."""


@dataclass(slots=True)
class _Slot:
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    pause: float = FIRST_PAUSE


class Supervisor:
    """
    Args:
        processes: how many workers to keep running.
        queues: names of the queues they take; empty: all.
        log: a file that their log is appended to; None: the standard error of this process.
        grace: seconds that a worker has to stop by itself.
    """

    def __init__(self, processes: int, queues: Sequence[str] = (), *, log: Path | None = None, grace: float) -> None:
        options = ["--queues", ",".join(queues), "--supervisor", str(os.getpid())]
        self._command = [sys.executable, "-m", "actors.worker", *options]
        self._slots = [_Slot() for _ in range(processes)]
        self._log = log
        self._grace = grace

    def __enter__(self) -> Self:
        self.tend()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def tend(self) -> None:
        """Start what does not run; call it about once a second.

        Raises:
            ConfigurationError: a worker says that its settings are wrong; its log says more.
        """
        now = monotonic()
        for slot in self._slots:
            if slot.process and (code := slot.process.poll()) is not None:
                self._bury(slot, code, now)
            if slot.process is None and now >= slot.start_at:
                slot.process, slot.started = self._start(), now

    def _bury(self, slot: _Slot, code: int, now: float) -> None:
        if code == EXIT_CONFIGURATION:
            raise ConfigurationError(f"the worker cannot start; see {self._log or 'the lines above'}")
        slot.pause = FIRST_PAUSE if now - slot.started > YOUNG else min(LONGEST_PAUSE, slot.pause * 2)
        slot.process, slot.start_at = None, now + slot.pause
        logger.warning("a worker exited with %d; its slot starts again in %g s", code, slot.pause)

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the workers in order.
        with self._log_file() as log:
            return subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _log_file(self) -> AbstractContextManager[IO[bytes] | None]:
        if self._log is None:
            return nullcontext()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        return self._log.open("ab")

    def stop(self) -> None:
        """Tell all workers to stop, wait for them, and kill those that do not."""
        running = [slot.process for slot in self._slots if slot.process]
        for process in running:
            process.terminate()
        deadline = monotonic() + self._grace + 10
        for process in running:
            try:
                process.wait(timeout=max(0.0, deadline - monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("worker %d did not stop in time and was killed", process.pid)
                process.kill()
                process.wait()
        for slot in self._slots:
            slot.process = None
