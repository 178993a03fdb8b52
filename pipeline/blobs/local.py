"""Blobs in a local folder, with plain file operations: obstore's own local store never tells a disk to keep a file."""

import ctypes
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from tempfile import mkstemp

from pipeline.blobs.store import CHUNK, BlobStore, Source, StoredBlob, key, lost, translated
from pipeline.errors import ConfigurationError

READ_ONLY = 0o440
ABANDONED_AFTER = 3600
"""Seconds since its last write after which an unfinished file was left behind by a process that was killed."""


class LocalBlobs(BlobStore):
    """
    Args:
        folder: made if it is not there, for its owner alone.

    Raises:
        ConfigurationError: the folder cannot be made or written to.
    """

    # More threads wait for each other in the kernel's directory locks: 3,700 files/s with one or two, 2,000 with four.
    parallel = 2

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._incoming.mkdir(exist_ok=True)
            self._remove_abandoned()
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(
                f"the blob store {folder} cannot be used ({reason}); set ARSIP_BLOB_URL"
            ) from error

    def put(self, source: Source) -> StoredBlob:
        digest = hashlib.sha256()
        size = 0
        with self._new_file() as (file, path):
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                with translated("store a document"):
                    _write(file, chunk)
            sha256 = digest.hexdigest()
            with translated(f"store {sha256}"):
                self._keep(path, sha256, size)
        return StoredBlob(sha256=sha256, size=size)

    def sync(self) -> None:
        # One flush for a batch: 3,700 small files/s, against 1,000 with an fsync for each.
        with translated("flush the blob store"):
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _flush_file_system(descriptor)
            finally:
                os.close(descriptor)

    def has(self, sha256: str) -> bool:
        with translated(f"look for {sha256}"):
            if (self._folder / key(sha256)).exists():
                return True
            self._incoming.stat()  # gone too when the whole disk is away
            return False

    def written_before(self, moment: float) -> Iterator[str]:
        with translated("list the blob store"):
            for path in self._folder.glob(key("?" * 64)):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < moment:
                        yield path.name

    @contextmanager
    def local_copy(self, sha256: str) -> Iterator[Path]:
        if not self.has(sha256):
            raise lost(sha256)
        yield self._folder / key(sha256)

    @contextmanager
    def _new_file(self) -> Iterator[tuple[FileIO, Path]]:
        with translated("store a document"):
            descriptor, name = mkstemp(dir=self._incoming)
            os.fchmod(descriptor, READ_ONLY)
        path = Path(name)
        try:
            with FileIO(descriptor, "wb") as file:
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def _keep(self, path: Path, sha256: str, size: int) -> None:
        target = self._folder / key(sha256)
        # A blob whose size is not its own was cut short by a power failure before it was flushed.
        with suppress(FileNotFoundError):
            if target.stat().st_size == size:
                return
        try:
            path.replace(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def _remove_abandoned(self) -> None:
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > ABANDONED_AFTER:
                    path.unlink()


def _write(file: FileIO, chunk: bytes) -> None:
    """All of it: a disk that is nearly full takes a part and raises only at the next call."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def _flush_file_system(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):  # outside Linux
        os.sync()
    elif libc.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
