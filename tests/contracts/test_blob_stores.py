"""What every blob store does alike."""

import hashlib
import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.blobs.store import BlobStore, StoredBlob
from pipeline.errors import NotFound
from tests.object_store import BUCKET, s3_server, use

SMALL = b"%PDF-1.7 a small original"
LARGE = 20 << 20
"""Bytes: more than a remote store keeps in memory, uploads in one piece or fetches by one request."""


@pytest.fixture(params=["local", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[BlobStore, Path]]:
    """A store, and the folder in which its files can be seen."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    if request.param == "local":
        yield BlobStore.open((tmp_path / "blobs").as_uri()), tmp_path / "blobs"
        return
    with s3_server(tmp_path / "s3") as endpoint:
        use(endpoint, monkeypatch)
        yield BlobStore.open(f"s3://{BUCKET}/some/prefix"), tmp_path / "s3" / BUCKET / "some/prefix"


def stored_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "sha256").rglob("*") if path.is_file())


def described(content: bytes) -> StoredBlob:
    return StoredBlob(hashlib.sha256(content).hexdigest(), len(content))


@pytest.mark.parametrize("size", [1, 1 << 20, 8 << 20, LARGE])
def test_what_was_put_can_be_read_as_a_file(store: tuple[BlobStore, Path], size: int) -> None:
    blobs, _ = store
    content = os.urandom(size)
    blob = blobs.put(io.BytesIO(content))
    blobs.sync()
    assert blob == described(content)
    with blobs.local_copy(blob.sha256) as path:
        assert path.read_bytes() == content


def test_a_blob_lies_under_its_hash(store: tuple[BlobStore, Path]) -> None:
    blobs, folder = store
    sha256 = blobs.put(io.BytesIO(SMALL)).sha256
    assert stored_files(folder) == [f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"]


@pytest.mark.parametrize(
    "content", [SMALL, SMALL * 100_000, SMALL * (LARGE // len(SMALL))], ids=["small", "middle", "large"]
)
def test_the_same_bytes_are_stored_once_and_never_written_again(store: tuple[BlobStore, Path], content: bytes) -> None:
    blobs, folder = store
    first = blobs.put(io.BytesIO(content))
    (name,) = stored_files(folder)
    before = (folder / name).stat()
    assert blobs.put(io.BytesIO(content)) == first
    assert stored_files(folder) == [name]
    after = (folder / name).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("size", [1000, LARGE])
def test_the_same_bytes_at_the_same_moment(store: tuple[BlobStore, Path], size: int) -> None:
    blobs, folder = store
    content = os.urandom(size)
    with ThreadPoolExecutor(6) as threads:
        put = set(threads.map(lambda _: blobs.put(io.BytesIO(content)), range(6)))
    assert put == {described(content)}
    assert len(stored_files(folder)) == 1
    with blobs.local_copy(described(content).sha256) as path:
        assert path.read_bytes() == content


class Breaking(io.BytesIO):
    """A source that breaks off, like a disk with a bad sector."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_source_that_breaks_leaves_nothing_behind(store: tuple[BlobStore, Path], tmp_path: Path) -> None:
    blobs, folder = store
    with pytest.raises(OSError, match="Input/output error"):
        blobs.put(Breaking(b"x" * LARGE))
    assert not [path for path in [*folder.rglob("*"), *(tmp_path / "scratch").iterdir()] if path.is_file()]


def test_a_blob_that_is_not_there(store: tuple[BlobStore, Path]) -> None:
    blobs, _ = store
    with pytest.raises(NotFound, match=r"ab{63}.*ingest --rehash"), blobs.local_copy("a" + "b" * 63):
        pytest.fail("there is no such blob")


def test_reading_leaves_nothing_behind_and_does_not_touch_the_blob(
    store: tuple[BlobStore, Path], tmp_path: Path
) -> None:
    blobs, folder = store
    sha256 = blobs.put(io.BytesIO(SMALL)).sha256
    with pytest.raises(ZeroDivisionError), blobs.local_copy(sha256):
        raise ZeroDivisionError
    assert not list((tmp_path / "scratch").iterdir())
    assert (folder / stored_files(folder)[0]).read_bytes() == SMALL


def test_what_is_there_is_told_and_listed(store: tuple[BlobStore, Path]) -> None:
    blobs, _ = store
    assert list(blobs.written_before(time.time() + 60)) == []
    hashes = {blobs.put(io.BytesIO(content)).sha256 for content in (b"one", b"two", b"three")}
    assert set(blobs.written_before(time.time() + 60)) == hashes
    assert list(blobs.written_before(time.time() - 60)) == []
    assert all(blobs.has(sha256) for sha256 in hashes)
    assert not blobs.has("0" * 64)
