"""Reads one file and stores its bytes."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from threading import Event
from typing import Protocol

from pipeline.blobs.store import Source, StoredBlob
from pipeline.errors import Interrupted, TooLarge, UnreadableFile
from pipeline.reading import sniff
from pipeline.store.intake import LONGEST_PATH, Arrival


class Keeper(Protocol):
    """What is given the bytes, as a blob store is."""

    def put(self, source: Source) -> StoredBlob: ...


def take(path: str, keeper: Keeper, *, max_mb: int, stopping: Event) -> Arrival:
    """Store the bytes of a file that may change, vanish, or turn out to be something else at any moment.

    Raises:
        UnreadableFile, EmptyFile, UnsupportedType, TooLarge: the file cannot be taken.
        Interrupted: `stopping` was set.
        DiskFull, StorageUnavailable: its blob cannot be stored.
    """
    stored_path = storable(path)
    if len(stored_path.encode()) > LONGEST_PATH:
        raise UnreadableFile(f"its path has more than {LONGEST_PATH} bytes; move it up, or name a folder nearer to it")
    with _opened(path) as (file, status):
        media_type = sniff.media_type(file.read(sniff.HEAD))
        if status.st_size > max_mb << 20:
            size = status.st_size >> 20
            raise TooLarge(f"{size} MB are more than ARSIP_MAX_FILE_MB={max_mb}; raise it or split the file")
        file.seek(0)
        blob = keeper.put(_Steady(file, status, stopping))
    return Arrival(
        path=stored_path,
        name=storable(Path(path).name),
        mtime_ns=status.st_mtime_ns,
        sha256=blob.sha256,
        size=blob.size,
        media_type=media_type,
    )


def storable(path: str) -> str:
    """The path as Postgres can store it: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace("\0", "\\x00")


@contextmanager
def _opened(path: str) -> Iterator[tuple[FileIO, os.stat_result]]:
    try:
        # Without blocking: the path may have become a pipe that nobody writes to since it was found.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFile("it is not a file any more")
            yield file, status
    except OSError as error:
        raise UnreadableFile(f"the file cannot be read: {error.strerror or error}") from error


class _Steady:
    """Passes a file's bytes on as long as it stays as it was when it was opened.

    A file that somebody still writes must not get into the archive half; the next run takes it.
    """

    def __init__(self, file: FileIO, status: os.stat_result, stopping: Event) -> None:
        self._file = file
        self._status = status
        self._stopping = stopping
        self._read = 0

    def read(self, size: int, /) -> bytes:
        if self._stopping.is_set():
            raise Interrupted("stopped while a file was read; the same command takes it")
        chunk = self._file.read(size)
        self._read += len(chunk)
        if not chunk or self._read > self._status.st_size:
            self._check()
        return chunk

    def _check(self) -> None:
        now = os.fstat(self._file.fileno())
        before = (self._status.st_size, self._status.st_size, self._status.st_mtime_ns)
        if (self._read, now.st_size, now.st_mtime_ns) != before:
            raise UnreadableFile("it changed while it was read; run the command again when it is complete")
