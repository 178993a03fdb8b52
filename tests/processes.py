"""Separate processes, and waiting for what they do."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from pipeline.database import Database

ARSIP = Path(sys.executable).with_name("arsip")


class running:  # noqa: N801
    """A process that does not outlive the `with` block."""

    def __init__(self, command: list[Any], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                self._process.kill()


def wait_until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a command wrote with --json."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def statuses(database: Database) -> set[str]:
    with database.session() as session:
        return set(session.scalars(text("SELECT status FROM documents")))


def count(database: Database, query: str) -> int:
    with database.session() as session:
        return int(session.scalar(text(query)) or 0)


def children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
