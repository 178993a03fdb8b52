"""What both embedded servers share: their processes, private sockets, logs, and the words of a failure."""

import errno
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.errors import DiskFull, StorageUnavailable

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's `sun_path` has 108 on Linux and 104 on macOS."""
PATIENCE = 120.0
"""Seconds to start, which includes recovery after a crash, and to stop, which includes a last write of everything."""
POLL = 0.02
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Server:
    """One embedded server.

    Args:
        name: as a person knows it.
        program: the name of its processes.
        data: its data directory, absolute and without links; the server works in it.
        log: where it logs; the log of the start before is kept beside it as `.1`.
    """

    name: str
    program: str
    data: Path
    log: Path

    def processes(self) -> list[psutil.Process]:
        """Its living processes, by name and working directory, which no process id that was reused can feign."""
        found = []
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == self.program:
                with suppress(psutil.Error):
                    if process.cwd() == str(self.data):
                        found.append(process)
        return found

    def bring_up(self, answers: Callable[[], bool], launch: Callable[[], None]) -> None:
        """Launch the server unless it runs, and wait until it answers.

        One that is only just starting or stopping, because whoever told it to was killed, is waited for.

        Raises:
            StorageUnavailable: it does not start; the message has the end of its log.
        """
        deadline = time.monotonic() + PATIENCE
        launched = False
        try:
            while not answers():
                if self.processes():
                    if time.monotonic() > deadline:
                        raise self._failure(f"no answer within {PATIENCE:g} s")
                    time.sleep(POLL)
                elif launched:
                    raise self._failure("it ended at once")
                else:
                    if self.log.exists():
                        self.log.replace(self.log.with_name(f"{self.log.name}.1"))
                    launch()
                    launched = True
        except (OSError, subprocess.SubprocessError) as error:
            raise self._failure(getattr(error, "stderr", None) or error) from error

    def stop(self, how: signal.Signals) -> None:
        """Send its main process a signal and wait for the end of all; nothing happens if it does not run.

        Raises:
            StorageUnavailable: it does not stop.
        """
        running = self.processes()
        pids = {process.pid for process in running}
        for process in running:
            with suppress(psutil.NoSuchProcess):
                if process.ppid() not in pids:
                    process.send_signal(how)
        deadline = time.monotonic() + PATIENCE
        while self.processes():
            if time.monotonic() > deadline:
                raise StorageUnavailable(f"the embedded {self.name} does not stop; see its log {self.log}")
            time.sleep(POLL)
        link = _sockets_link(self.data)
        if link.is_symlink():
            with suppress(OSError):
                link.readlink().rmdir()
            link.unlink()

    def _failure(self, reason: object) -> StorageUnavailable:
        tail = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        if getattr(reason, "errno", None) in FULL or "No space left" in "\n".join([str(reason), *tail]):
            return DiskFull(f"the disk of {self.data} is full: the embedded {self.name} cannot start; free some space")
        told = f"; the end of its log {self.log}:" if tail else ""
        return StorageUnavailable(
            "\n  ".join([f"the embedded {self.name} in {self.data} did not start ({reason}){told}", *tail])
        )


def socket_directory(data: Path, socket_name: str) -> Path:
    """The directory of a server's Unix socket: its data directory, or a private temporary one where that does not do.

    The temporary one is named by a link in `run` beside the data directory: whoever joins finds the same, whatever
    its own TMPDIR, and nobody else can make it first.
    """
    # libpq takes a comma for the end of a host's name.
    if len(bytes(data / socket_name)) < LONGEST_SOCKET_PATH and "," not in str(data):
        return data
    link = _sockets_link(data)
    owners = {os.geteuid(), data.stat().st_uid if data.exists() else os.geteuid()}
    if link.is_dir() and link.stat().st_uid in owners:
        return link.readlink()
    link.unlink(missing_ok=True)
    short = Path(tempfile.mkdtemp(prefix="arsip-"))
    if len(bytes(short / socket_name)) >= LONGEST_SOCKET_PATH:
        short.rmdir()
        raise StorageUnavailable(f"the path of {data} is too long for a socket, and so is TMPDIR; set a shorter one")
    link.symlink_to(short)
    return short


def _sockets_link(data: Path) -> Path:
    return data.parent / "run" / f"{data.name}.sockets"
