"""Blobs in an object store, through obstore."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile, SpooledTemporaryFile

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url

from pipeline.blobs.store import CHUNK, BlobStore, Source, StoredBlob, key, lost, translated
from pipeline.errors import ConfigurationError, StorageUnavailable

IN_MEMORY = 8 << 20
"""Bytes up to which a file waits in memory for its hash; a larger one waits in a temporary file (TMPDIR)."""
UNASKED = 1 << 20
"""Bytes up to which a blob is sent without asking whether it is there: 1.3 times as many new files of 4 kB a second."""
RANGE = 8 << 20
"""Bytes fetched by one request."""
_S3_ANSWER = re.compile(r"<Code>(?P<code>\w+)</Code>\s*<Message>(?P<message>[^<]*)</Message>")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class RemoteBlobs(BlobStore):
    """
    Raises:
        ConfigurationError: obstore does not understand the URL.
    """

    parallel = 8

    def __init__(self, url: str) -> None:
        plain = any(os.environ.get(name, "").startswith("http://") for name in ENDPOINTS)
        try:
            self._store = from_url(
                url,
                # A request carries at most 8 MB; obstore's 30 s would refuse lines slower than 2 Mbit/s.
                client_options={"allow_http": plain, "timeout": "5min", "connect_timeout": "5s"},
                # The caller tries again too; obstore's three minutes look like a hang to who waits at a terminal.
                retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=30)},
            )
        except (BaseError, OSError, ValueError, TypeError) as error:
            raise ConfigurationError(
                f"ARSIP_BLOB_URL cannot be used ({_reason(error)}); it is like file:///folder or s3://bucket/prefix"
            ) from error

    def put(self, source: Source) -> StoredBlob:
        digest = hashlib.sha256()
        size = 0
        with SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                with translated("keep a document in a temporary file"):
                    spool.write(chunk)
            spool.seek(0)
            sha256 = digest.hexdigest()
            with _translated(f"store {sha256}"):
                self._upload(sha256, spool, size)
        return StoredBlob(sha256=sha256, size=size)

    def _upload(self, sha256: str, spool: SpooledTemporaryFile[bytes], size: int) -> None:
        if size > UNASKED and self.has(sha256):
            return
        if size > IN_MEMORY:
            # In parts, which no store does conditionally; the content is the same whoever wins.
            obstore.put(self._store, key(sha256), spool, max_concurrency=4)
            return
        try:
            obstore.put(self._store, key(sha256), spool.read(), mode="create", use_multipart=False)
        except AlreadyExistsError:
            return

    def has(self, sha256: str) -> bool:
        with _translated(f"look for {sha256}"):
            try:
                obstore.head(self._store, key(sha256))
            except FileNotFoundError:
                return False
            return True

    def written_before(self, moment: float) -> Iterator[str]:
        with _translated("list the blob store"):
            for batch in obstore.list(self._store, "sha256"):
                yield from (Path(meta["path"]).name for meta in batch if meta["last_modified"].timestamp() < moment)

    def sync(self) -> None:
        """An object store answers when it has the blob."""

    @contextmanager
    def local_copy(self, sha256: str) -> Iterator[Path]:
        with NamedTemporaryFile(prefix="arsip-") as copy:
            for part in self._parts(sha256):
                with translated(f"keep {sha256} in a temporary file"):
                    copy.write(part)
            with translated(f"keep {sha256} in a temporary file"):
                copy.flush()
            yield Path(copy.name)

    def _parts(self, sha256: str) -> Iterator[bytes]:
        """The blob by ranges, each with time-out and retries of its own, so that a large one may take its time."""
        start, size = 0, 1
        while start < size:
            with _translated(f"fetch {sha256}"):
                try:
                    answer = obstore.get(self._store, key(sha256), options={"range": (start, start + RANGE)})
                    part = bytes(answer.bytes())
                except FileNotFoundError as error:
                    if _code_and_message(error)[0] in {"", "NoSuchKey"}:
                        raise lost(sha256) from None
                    raise
            size = answer.meta["size"]
            start += len(part)
            yield part


@contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError):
        # Without its cause, which repeats the key id and the signature.
        raise StorageUnavailable(
            f"could not {action}: the object store refused the credentials; check AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and what they allow"
        ) from None
    except (BaseError, OSError) as error:
        raise StorageUnavailable(
            f"could not {action}: {_reason(error)}; check ARSIP_BLOB_URL, the AWS_* variables and the store"
        ) from error


def _code_and_message(error: Exception) -> tuple[str, str]:
    """What an S3 server answered. A bucket or a user that it does not know is a 404 too: only the code tells."""
    found = _S3_ANSWER.search(str(error))
    return (found["code"], found["message"]) if found else ("", "")


def _reason(error: Exception) -> str:
    code, message = _code_and_message(error)
    # Else the first line says what happened; the rest is a dump of the client.
    return f"{message} ({code})" if code else next(iter(str(error).strip().splitlines()), type(error).__name__)
