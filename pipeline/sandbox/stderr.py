"""The end of what a child wrote to its standard error: it goes into the message when the child dies."""

import logging
import os
import select
from threading import Event, Thread
from typing import IO

logger = logging.getLogger(__name__)

KEPT = 8192
"""Bytes that are kept, whatever the child writes and however long its lines are."""
CHUNK = 1 << 16
SLICE_MS = 500
DRAIN_SECONDS = 1.0


class StderrTail:
    """Reads all the time, so that the child never blocks on it.

    Args:
        pipe: closed by this object.
        pid: whose output it is, for the log.
    """

    def __init__(self, pipe: IO[bytes], pid: int) -> None:
        self._pipe = pipe
        self._pid = pid
        self._kept = b""
        self._closing = Event()
        self._thread = Thread(target=self._drain, name=f"stderr of {pid}", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with self._pipe:
            poller = select.poll()
            poller.register(self._pipe, select.POLLIN)
            while not self._closing.is_set():
                if not poller.poll(SLICE_MS):
                    continue
                part = os.read(self._pipe.fileno(), CHUNK)
                if not part:
                    return
                self._kept = (self._kept + part)[-KEPT:]
                logger.debug("sandboxed process %d: %s", self._pid, printable(part.decode(errors="replace")))

    def forget(self) -> None:
        """What was written so far belongs to earlier work."""
        self._kept = b""

    def lines(self) -> list[str]:
        return [line for line in map(printable, self._kept.decode(errors="replace").splitlines()) if line]

    def close(self) -> None:
        """Take what a dead child left, and end. A process that escaped with the pipe in hand cannot hold this up."""
        self._thread.join(DRAIN_SECONDS)
        self._closing.set()
        self._thread.join()


def printable(text: str, most: int = 2000) -> str:
    """At most so many characters of a child's words, without what a terminal or PostgreSQL would choke on."""
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()
