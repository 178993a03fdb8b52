"""Files that change under the hand that reads them: real files, really changed between two reads."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.blobs.local import LocalBlobs
from pipeline.blobs.store import CHUNK, Source, StoredBlob
from pipeline.errors import ArsipError, EmptyFile, Interrupted, TooLarge, UnreadableFile, UnsupportedType
from pipeline.intake.taking import storable, take
from pipeline.store.intake import LONGEST_PATH, Arrival
from tests.rights import rights_of_nobody

PDF = b"%PDF-1.7\n" + b"x" * (3 * CHUNK)


class BlobsWithAnInterruption(LocalBlobs):
    """Does something after the first chunk of a source was read."""

    def __init__(self, folder: Path, action: Callable[[], object]) -> None:
        super().__init__(folder)
        self._action = action

    def put(self, source: Source) -> StoredBlob:
        action = self._action

        class WithAnInterruption(Source):
            done = False

            def read(self, size: int, /) -> bytes:
                chunk = source.read(size)
                if not self.done:
                    self.done = True
                    action()
                return chunk

        return super().put(WithAnInterruption())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "letter.pdf"
    path.write_bytes(PDF)
    return path


def take_while(tmp_path: Path, file: Path, action: Callable[[], object], stopping: Event | None = None) -> Arrival:
    blobs = BlobsWithAnInterruption(tmp_path / "blobs", action)
    return take(str(file), blobs, max_mb=100, stopping=stopping or Event())


def take_now(tmp_path: Path, file: Path, **options: int) -> Arrival:
    return take(str(file), LocalBlobs(tmp_path / "blobs"), max_mb=options.get("max_mb", 100), stopping=Event())


def stored(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


def appended(file: Path) -> None:
    with file.open("ab") as more:
        more.write(b"more")


def written_over(file: Path) -> None:
    with file.open("r+b") as other:
        other.seek(2 * CHUNK)
        other.write(b"other")


@pytest.mark.parametrize(
    "change", [lambda file: os.truncate(file, CHUNK), appended, written_over], ids=["shrinks", "grows", "changes"]
)
def test_a_file_that_changes_while_it_is_read_is_not_stored(
    tmp_path: Path, file: Path, change: Callable[[Path], object]
) -> None:
    # An older time, so that a change is seen whatever the clock's grain.
    os.utime(file, (1, 1))
    with pytest.raises(UnreadableFile, match=r"changed while it was read; run the command again"):
        take_while(tmp_path, file, lambda: change(file))
    assert not stored(tmp_path)
    assert take_now(tmp_path, file).size == file.stat().st_size


@pytest.mark.timeout(30)
def test_a_file_that_grows_for_ever_ends(tmp_path: Path, file: Path) -> None:
    with pytest.raises(UnreadableFile, match="changed while it was read"):
        take_while(tmp_path, file, lambda: os.truncate(file, 1 << 40))
    assert not stored(tmp_path)


def test_a_file_that_vanishes_while_it_is_read_was_read_to_its_end(tmp_path: Path, file: Path) -> None:
    assert take_while(tmp_path, file, file.unlink).size == len(PDF)


def test_a_file_that_vanished(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        take_now(tmp_path, tmp_path / "gone.pdf")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        file = Path(name, "letter.pdf")
        file.write_bytes(PDF)
        file.chmod(0)
        blobs = LocalBlobs(tmp_path / "blobs")
        with rights_of_nobody(), pytest.raises(UnreadableFile, match="Permission denied"):
            take(str(file), blobs, max_mb=100, stopping=Event())


def test_a_stop_does_not_wait_for_a_large_file(tmp_path: Path, file: Path) -> None:
    stopping = Event()
    with pytest.raises(Interrupted):
        take_while(tmp_path, file, stopping.set, stopping)
    assert not stored(tmp_path)


@pytest.mark.timeout(20)
def test_a_file_that_became_a_pipe_or_a_device_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(UnreadableFile):
            take_now(tmp_path, tmp_path / name)


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", EmptyFile), (b"Dear all", UnsupportedType), (PDF, TooLarge)],
    ids=["empty", "text", "large"],
)
def test_what_cannot_be_a_document_is_refused(tmp_path: Path, content: bytes, error: type[ArsipError]) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(error):
        take_now(tmp_path, tmp_path / "file", max_mb=1)
    assert not stored(tmp_path)


def test_a_path_that_no_index_holds_is_refused_by_itself(tmp_path: Path) -> None:
    folder = tmp_path
    while len(str(folder)) < LONGEST_PATH:
        folder /= "f" * 200
    folder.mkdir(parents=True)
    (folder / "letter.pdf").write_bytes(PDF)
    with pytest.raises(UnreadableFile, match=r"2600 bytes"):
        take_now(tmp_path, folder / "letter.pdf")


@given(st.binary(max_size=60))
def test_any_name_of_a_file_can_be_stored(name: bytes) -> None:
    text = storable(os.fsdecode(name))
    text.encode()  # raises for what is no UTF-8
    assert "\0" not in text
    if b"\0" not in name:
        plain = name.decode(errors="ignore").encode() == name
        assert (text == os.fsdecode(name)) == plain
