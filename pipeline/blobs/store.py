"""The originals, each stored once under the SHA-256 of its bytes and never altered."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, SpooledTemporaryFile
from typing import BinaryIO, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from pipeline.errors import ConfigurationError, DiskFull, NotFound, StorageUnavailable

CHUNK = 1 << 20
IN_MEMORY = 8 << 20
"""Bytes up to which a file waits in memory for its hash; a larger one waits in a temporary file."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    sha256: str
    size: int
    """In bytes."""


class BlobStore:
    """Blobs under `sha256/ab/cd/<hash>` in a local folder or an object store."""

    def __init__(self, store: ObjectStore, folder: Path | None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a store by its URL: `file:///folder`, `s3://bucket/prefix` or whatever obstore knows.

        Credentials and endpoint of S3 come from the usual `AWS_*` variables.

        Raises:
            ConfigurationError: the URL is not understood, or the folder cannot be used.
        """
        parts = urlsplit(url)
        try:
            if parts.scheme == "file":
                folder = Path(unquote(parts.path))
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                return cls(LocalStore(prefix=folder), folder)
            plain = any(os.environ.get(name, "").startswith("http://") for name in ENDPOINTS)
            return cls(from_url(url, client_options={"allow_http": plain}), None)
        except (BaseError, OSError, ValueError, TypeError) as error:
            raise ConfigurationError(
                f"ARSIP_BLOB_URL cannot be used ({_reason(error)}); it is like file:///folder or s3://bucket/prefix"
            ) from error

    def put(self, source: BinaryIO) -> StoredBlob:
        """Store what is read from `source` to its end; the bytes that are hashed are the bytes that are stored.

        Raises:
            OSError: `source` cannot be read.
            DiskFull, StorageUnavailable: the blob could not be stored.
        """
        digest = hashlib.sha256()
        with SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            size = 0
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                with _translated("store a document"):
                    spool.write(chunk)
            spool.seek(0)
            sha256 = digest.hexdigest()
            if not self.exists(sha256):
                self._write(sha256, spool, size)
        return StoredBlob(sha256=sha256, size=size)

    def _write(self, sha256: str, spool: SpooledTemporaryFile[bytes], size: int) -> None:
        with _translated(f"store {sha256}"):
            try:
                if size <= IN_MEMORY:
                    obstore.put(self._store, _key(sha256), spool.read(), mode="create")
                else:
                    # Uploaded in parts, which no store does conditionally; the content is the same whoever wins.
                    obstore.put(self._store, _key(sha256), spool)
            except AlreadyExistsError:
                return

    def exists(self, sha256: str) -> bool:
        """
        Raises:
            StorageUnavailable: the store cannot be reached.
        """
        with _translated(f"look for {sha256}"):
            try:
                obstore.head(self._store, _key(sha256))
            except (NotFoundError, FileNotFoundError):
                return False
            return True

    @contextmanager
    def local_copy(self, sha256: str) -> Iterator[Path]:
        """A path from which the blob can be read, never written; valid inside the `with` block.

        Raises:
            NotFound: there is no such blob.
            DiskFull, StorageUnavailable: it could not be fetched.
        """
        if self._folder is not None:
            path = self._folder / _key(sha256)
            if not path.exists():
                raise _lost(sha256)
            yield path
            return
        with NamedTemporaryFile(prefix="arsip-") as copy:
            with _translated(f"fetch {sha256}"):
                try:
                    for chunk in obstore.get(self._store, _key(sha256)).stream(min_chunk_size=CHUNK):
                        copy.write(chunk)
                except (NotFoundError, FileNotFoundError):
                    raise _lost(sha256) from None
                copy.flush()
            yield Path(copy.name)


def _key(sha256: str) -> str:
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _lost(sha256: str) -> NotFound:
    return NotFound(f"the original {sha256} is not in the blob store; ingest the file again")


@contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        reason = _reason(error)
        full = getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error)
        if full:
            raise DiskFull(
                f"could not {action}: the disk is full; free some space and run the command again"
            ) from error
        raise StorageUnavailable(f"could not {action}: {reason}; check ARSIP_BLOB_URL and the store") from error


def _reason(error: Exception) -> str:
    """The first line says what happened; the rest is a dump of the client."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
