"""What a local blob store does with a real disk."""

import hashlib
import io
import os
import stat
from pathlib import Path

import pytest

from pipeline.blobs.store import BlobStore, key
from pipeline.errors import ConfigurationError, DiskFull, StorageUnavailable
from tests.disks import small_disk

CONTENT = b"%PDF-1.7 an original"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def open_at(folder: Path) -> BlobStore:
    return BlobStore.open(folder.as_uri())


def test_a_new_folder_is_for_its_owner_alone_and_its_blobs_are_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "with space" / "blobs"
    open_at(folder).put(io.BytesIO(CONTENT))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not (folder / key(SHA256)).stat().st_mode & 0o227


def test_the_blob_itself_is_what_is_read(tmp_path: Path) -> None:
    blobs = open_at(tmp_path)
    blobs.put(io.BytesIO(CONTENT))
    with blobs.local_copy(SHA256) as path:
        assert path == tmp_path / key(SHA256)
    assert path.exists()


@pytest.mark.parametrize("torn", [b"", CONTENT[:7]], ids=["empty", "cut"])
def test_a_blob_that_a_power_failure_cut_short_is_written_again(tmp_path: Path, torn: bytes) -> None:
    blobs = open_at(tmp_path)
    (tmp_path / key(SHA256)).parent.mkdir(parents=True)
    (tmp_path / key(SHA256)).write_bytes(torn)
    blobs.put(io.BytesIO(CONTENT))
    assert (tmp_path / key(SHA256)).read_bytes() == CONTENT


def test_unfinished_files_of_a_killed_process_are_removed_but_not_those_of_a_living_one(tmp_path: Path) -> None:
    open_at(tmp_path)
    old, young = tmp_path / "incoming" / "old", tmp_path / "incoming" / "young"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (0, 0))
    open_at(tmp_path)
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == ["young"]


def test_a_full_disk_is_said_and_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        blobs = open_at(disk)
        blobs.put(io.BytesIO(CONTENT))
        with pytest.raises(DiskFull, match=r"disk is full; free some space"):
            blobs.put(io.BytesIO(os.urandom(6 << 20)))
        assert not list((disk / "incoming").iterdir())
        blobs.put(io.BytesIO(os.urandom(2 << 20)))
        with blobs.local_copy(SHA256) as path:
            assert path.read_bytes() == CONTENT


def test_a_store_whose_disk_is_gone_is_unavailable_not_empty(tmp_path: Path) -> None:
    blobs = open_at(tmp_path / "blobs")
    blobs.put(io.BytesIO(CONTENT))
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageUnavailable, match="No such file"):
        blobs.put(io.BytesIO(CONTENT))
    with pytest.raises(StorageUnavailable, match="No such file"):
        blobs.sync()
    with pytest.raises(StorageUnavailable, match="No such file"), blobs.local_copy(SHA256):
        pytest.fail("the disk is gone")


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=rf"{name} cannot be used .*ARSIP_BLOB_URL"):
        open_at(tmp_path / name)
