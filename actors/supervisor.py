"""Keeps worker processes running: one per slot, started again when it exits. What a dead one held is freed."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from time import monotonic, sleep
from types import TracebackType
from typing import IO, Self

from actors.process import EXIT_CONFIGURATION, EXIT_RECYCLED
from actors.workbench import worker_name
from pipeline.database import Database
from pipeline.errors import ConfigurationError, StorageUnavailable, WorkerDied
from pipeline.sandbox.process import exit_facts, how_it_ended, megabytes
from pipeline.store import jobs, workers

logger = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds before a slot is started again; doubled while its processes die young."""
YOUNG = 30.0
"""A process that lived for so many seconds was healthy: the pause starts over."""


@dataclass(slots=True)
class _Slot:
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    pause: float = FIRST_PAUSE
    peak_mb: int = 0
    """The most resident memory of a process that has ended."""


class Supervisor:
    """
    Args:
        database: of the archive that the workers work for.
        processes: how many workers to keep running.
        queues: names of the queues they take; empty: all.
        scheduler: whether to keep a scheduler running too.
        log: a file that their log is appended to; None: the standard error of this process.
        grace: seconds that a worker has to stop by itself.
    """

    def __init__(
        self,
        database: Database,
        processes: int,
        queues: Sequence[str] = (),
        *,
        scheduler: bool = False,
        log: Path | None = None,
        grace: float,
    ) -> None:
        self._nonce = token_hex(4)
        me = ["--supervisor", str(os.getpid())]
        worker = [sys.executable, "-m", "actors.worker", "--queues", ",".join(queues), "--nonce", self._nonce, *me]
        self._slots = [_Slot(worker) for _ in range(processes)]
        if scheduler:
            self._slots.append(_Slot([sys.executable, "-m", "actors.scheduler", *me]))
        self._database = database
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
            if slot.process and _has_ended(slot):
                self._replace(slot, slot.process, now)
            if slot.process is None and now >= slot.start_at:
                slot.process, slot.started = self._start(slot.command), now

    def _replace(self, slot: _Slot, process: subprocess.Popen[bytes], now: float) -> None:
        code = process.returncode
        if code == EXIT_CONFIGURATION:
            raise ConfigurationError(f"the worker cannot start; see {self._log or 'the lines above'}")
        slot.process = None
        if code == EXIT_RECYCLED:
            slot.start_at = now
            return
        slot.pause = FIRST_PAUSE if now - slot.started > YOUNG else min(LONGEST_PAUSE, slot.pause * 2)
        slot.start_at = now + slot.pause
        logger.warning("process %d %s; its slot starts again in %g s", process.pid, how_it_ended(code), slot.pause)
        self._bury(process, slot.peak_mb)

    def _bury(self, process: subprocess.Popen[bytes], peak_mb: int) -> None:
        """Free the jobs of a worker that is gone; without Postgres they wait until their leases run out."""
        name = worker_name(process.pid, self._nonce)
        code = process.returncode
        error = WorkerDied(f"worker {name} {how_it_ended(code)}", facts=exit_facts(code, peak_mb))
        try:
            with self._database.session() as session:
                jobs.bury(session, name, error)
                workers.leave(session, name)
        except StorageUnavailable as away:
            logger.warning("could not free the jobs of worker %s: %s", name, away)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches this process alone, which then stops the workers in order.
        with self._log_file() as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # noqa: S603

    def _log_file(self) -> AbstractContextManager[IO[bytes] | None]:
        if self._log is None:
            return nullcontext()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        return self._log.open("ab")

    def stop(self) -> None:
        """Tell all workers to stop, wait for them, and kill those that do not."""
        running = [(slot, slot.process) for slot in self._slots if slot.process]
        for _, process in running:
            process.terminate()
        deadline = monotonic() + self._grace + 10
        for slot, process in running:
            while not _has_ended(slot):
                if monotonic() > deadline:
                    logger.warning("worker %d did not stop in time and is killed", process.pid)
                    process.kill()
                sleep(0.02)
            if process.returncode != 0:
                self._bury(process, slot.peak_mb)
            slot.process = None

    def kill(self) -> None:
        """Do not wait for anything: whoever waits in `stop` goes on. A signal's handler may call it."""
        for slot in self._slots:
            if slot.process and slot.process.returncode is None:
                # Not Popen's kill, which would reap the process under the feet of who waits for it.
                with suppress(ProcessLookupError):
                    os.kill(slot.process.pid, signal.SIGKILL)


def _has_ended(slot: _Slot) -> bool:
    """Whether the slot's process has ended; if so, its return code and memory are taken down."""
    assert slot.process
    if slot.process.returncode is None:
        # wait4 and not Popen's own poll: it alone tells the peak memory of this process.
        pid, status, usage = os.wait4(slot.process.pid, os.WNOHANG)
        if pid == 0:
            return False
        slot.process.returncode = os.waitstatus_to_exitcode(status)
        slot.peak_mb = megabytes(usage)
    return True
