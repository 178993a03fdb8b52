"""The originals, each stored once under the SHA-256 of its bytes and never altered."""

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol
from urllib.parse import unquote, urlsplit

from pipeline.errors import DiskFull, NotFound, StorageUnavailable

CHUNK = 1 << 20
"""Bytes that are read, hashed and written at a time."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    sha256: str
    size: int
    """In bytes."""


class Source(Protocol):
    """Where the bytes of a new blob come from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class BlobStore(ABC):
    """Blobs under `sha256/ab/cd/<hash>` in a local folder or an object store. Safe to use from several threads."""

    parallel: ClassVar[int]
    """How many `put` at a time pay off."""

    @staticmethod
    def open(url: str) -> "BlobStore":
        """Open a store by its URL: `file:///folder`, `s3://bucket/prefix` or whatever obstore knows.

        Credentials and endpoint of S3 come from the usual `AWS_*` variables.

        Raises:
            ConfigurationError: the URL is not understood, or the folder cannot be used.
        """
        parts = urlsplit(url)
        if parts.scheme == "file":
            from pipeline.blobs.local import LocalBlobs

            return LocalBlobs(Path(unquote(parts.path)))
        from pipeline.blobs.remote import RemoteBlobs

        return RemoteBlobs(url)

    @abstractmethod
    def put(self, source: Source) -> StoredBlob:
        """Store what is read from `source` to its end; the bytes that are hashed are the bytes that are stored.

        Whatever `source` raises passes through, and then nothing is stored.

        Raises:
            DiskFull, StorageUnavailable: the blob could not be stored.
        """

    @abstractmethod
    def sync(self) -> None:
        """Return when everything that was put would survive a power cut; to be called before it is recorded.

        Raises:
            DiskFull, StorageUnavailable: it would not.
        """

    @abstractmethod
    def has(self, sha256: str) -> bool:
        """
        Raises:
            StorageUnavailable: the store cannot be asked.
        """

    @abstractmethod
    def written_before(self, moment: float) -> Iterator[str]:
        """The SHA-256 of every blob that was stored before a moment of `time.time()`, in no order.

        Raises:
            StorageUnavailable: the store cannot be asked.
        """

    @abstractmethod
    def local_copy(self, sha256: str) -> AbstractContextManager[Path]:
        """A path from which the blob can be read, never written; valid inside the `with` block.

        Raises:
            NotFound: there is no such blob.
            DiskFull, StorageUnavailable: it could not be fetched.
        """


def key(sha256: str) -> str:
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def lost(sha256: str) -> NotFound:
    return NotFound(f"the original {sha256} is not in the blob store; `arsip ingest --rehash` its file stores it again")


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Errors of a disk, as arsip's own."""
    try:
        yield
    except OSError as error:
        raise storage_error(action, error) from error


def storage_error(action: str, error: OSError) -> StorageUnavailable:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"could not {action}: the disk is full; free some space and run the command again")
    where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
    return StorageUnavailable(
        f"could not {action}: {error.strerror or error}{where}; check ARSIP_BLOB_URL and its disk"
    )
