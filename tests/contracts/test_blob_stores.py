"""Every blob store behaves alike: a local folder, and S3 by a real server."""

import hashlib
import io
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.blobs.store import IN_MEMORY, BlobStore
from pipeline.errors import ConfigurationError, NotFound, StorageUnavailable
from tests.parts import require_part

BYTES = b"a letter"
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A versitygw over a folder; returns its URL. A bucket is a folder in it."""
    program = require_part("versitygw", install="go install github.com/versity/versitygw/cmd/versitygw@latest")
    folder = tmp_path_factory.mktemp("s3")
    (folder / "bucket").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keys = {"ROOT_ACCESS_KEY": "test", "ROOT_SECRET_KEY": "test-secret"}
    with subprocess.Popen(
        [program, "--port", f"127.0.0.1:{port}", "posix", folder],
        env={**os.environ, **keys},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    if request.param == "local":
        return BlobStore.open((tmp_path / "with space").as_uri())
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("s3_server"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return BlobStore.open(f"s3://bucket/{tmp_path.name}")


def test_what_is_put_can_be_read_under_its_hash(store: BlobStore) -> None:
    blob = store.put(io.BytesIO(BYTES))
    assert (blob.sha256, blob.size) == (SHA256, len(BYTES))
    with store.local_copy(blob.sha256) as path:
        assert path.read_bytes() == BYTES


def test_the_same_bytes_can_be_put_twice(store: BlobStore) -> None:
    assert store.put(io.BytesIO(BYTES)) == store.put(io.BytesIO(BYTES))


def test_a_large_blob_is_kept_whole(store: BlobStore) -> None:
    large = os.urandom(1 << 20) * (IN_MEMORY // (1 << 20) + 3)
    blob = store.put(io.BytesIO(large))
    with store.local_copy(blob.sha256) as path:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == blob.sha256
    assert blob.size == len(large)


def test_a_missing_blob_is_named(store: BlobStore) -> None:
    with pytest.raises(NotFound, match=SHA256), store.local_copy(SHA256):
        pass


def test_a_store_that_is_away_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-word")
    store = BlobStore.open("s3://bucket/prefix")
    with pytest.raises(StorageUnavailable) as away:
        store.put(io.BytesIO(BYTES))
    assert "secret-word" not in str(away.value)


@pytest.mark.parametrize("url", ["nonsense", "s4://bucket", "file:///proc/nowhere"])
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ARSIP_BLOB_URL"):
        BlobStore.open(url)
