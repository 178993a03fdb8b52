"""What goes wrong between arsip and a real S3 server."""

import io
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.blobs.store import BlobStore
from pipeline.errors import ConfigurationError, NotFound, StorageUnavailable
from tests.disks import small_disk
from tests.object_store import BUCKET, KEY_ID, SECRET, s3_server, use


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server(tmp_path / "s3") as endpoint:
        use(endpoint, monkeypatch)
        yield endpoint


@pytest.mark.parametrize("wrong", ["secret", "key_id"])
def test_refused_credentials_are_said_but_not_shown(endpoint: str, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    use(endpoint, monkeypatch, **{wrong: "something-wrong"})
    blobs = BlobStore.open(f"s3://{BUCKET}")
    with pytest.raises(StorageUnavailable, match="AWS_") as error:
        blobs.put(io.BytesIO(b"an original"))
    shown = str(error.value) if wrong == "key_id" else "".join(traceback.format_exception(error.value))
    for credential in (SECRET, KEY_ID, "something-wrong"):
        assert credential not in shown


def test_a_bucket_that_is_not_there_is_not_a_lost_original(endpoint: str) -> None:
    blobs = BlobStore.open("s3://nobody-made-it")
    with pytest.raises(StorageUnavailable, match="NoSuchBucket"):
        blobs.put(io.BytesIO(b"an original"))
    with pytest.raises(StorageUnavailable, match="NoSuchBucket"), blobs.local_copy("a" * 64):
        pytest.fail("there is no such bucket")


def test_a_lost_original_is_not_a_broken_store(endpoint: str) -> None:
    with pytest.raises(NotFound), BlobStore.open(f"s3://{BUCKET}").local_copy("a" * 64):
        pytest.fail("there is no such blob")


@pytest.mark.timeout(60)
def test_a_server_that_is_away_is_said_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(tmp_path / "s3") as endpoint:
        use(endpoint, monkeypatch)
        blobs = BlobStore.open(f"s3://{BUCKET}")
        blob = blobs.put(io.BytesIO(b"an original"))
    with pytest.raises(StorageUnavailable, match=r"could not store .*check ARSIP_BLOB_URL") as away:
        blobs.put(io.BytesIO(b"another original"))
    assert SECRET not in "".join(traceback.format_exception(away.value))
    with pytest.raises(StorageUnavailable, match="could not fetch"), blobs.local_copy(blob.sha256):
        pytest.fail("the server is away")


def test_a_full_scratch_disk_is_not_blamed_on_the_store(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = BlobStore.open(f"s3://{BUCKET}")
    blob = blobs.put(io.BytesIO(b"x" * (12 << 20)))
    with small_disk(tmp_path / "scratch", megabytes=4) as scratch:
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        with pytest.raises(StorageUnavailable, match="temporary file: the disk is full") as error:
            blobs.put(io.BytesIO(b"y" * (12 << 20)))
        assert error.value.code == "disk_full"
        with pytest.raises(StorageUnavailable, match="temporary file: the disk is full"):
            blobs.local_copy(blob.sha256).__enter__()
        assert not list(scratch.iterdir())


@pytest.mark.parametrize("url", ["nonsense", "s3://", "ftp://host/folder", ""])
def test_a_url_that_nobody_knows_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"ARSIP_BLOB_URL .*file:///folder or s3://bucket/prefix"):
        BlobStore.open(url)
