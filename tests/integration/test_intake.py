"""From paths to documents: what is taken in, what is told, and what a second run does."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.archive import Archive
from pipeline.blobs.store import BlobStore
from pipeline.errors import ConfigurationError, DiskFull
from pipeline.intake.intake import Intake, IntakeOutcome, IntakeResult
from pipeline.store import documents
from tests.factories import save_scan

NOBODY = 65534


def submit(archive: Archive, *paths: Path, **options: object) -> list[IntakeResult]:
    intake = Intake(archive.database, archive.blobs, archive.settings, ring=lambda _: None)
    return list(intake.submit(paths, **options))


def outcomes(results: list[IntakeResult]) -> dict[str, str]:
    return {Path(result.path).name: str(result.outcome) for result in results}


def count(archive: Archive, table: str) -> int:
    with archive.database.session() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    save_scan(folder / "a.png")
    (folder / "sub" / "copy.png").write_bytes((folder / "a.png").read_bytes())
    save_scan(folder / "sub" / "b.png", ("another letter",))
    return folder


def test_a_duplicate_becomes_another_source_of_its_document(archive: Archive, folder: Path) -> None:
    results = submit(archive, folder)
    assert outcomes(results) == {"a.png": "accepted", "b.png": "accepted", "copy.png": "duplicate"}
    first = next(result for result in results if result.path.endswith("a.png"))
    assert first.document_id
    with archive.database.session() as session:
        assert list(documents.paths(session, first.document_id)) == [
            str(folder / "a.png"),
            str(folder / "sub" / "copy.png"),
        ]
    assert (count(archive, "documents"), count(archive, "jobs")) == (2, 2)


def test_a_second_run_skips_what_is_there_and_takes_what_changed(archive: Archive, folder: Path) -> None:
    submit(archive, folder)
    save_scan(folder / "a.png", ("a new version of the letter",))
    assert outcomes(submit(archive, folder)) == {"a.png": "accepted", "b.png": "unchanged", "copy.png": "unchanged"}
    assert outcomes(submit(archive, folder, rehash=True)) == dict.fromkeys(["a.png", "b.png", "copy.png"], "unchanged")
    assert count(archive, "document_sources") == 3


def test_what_is_no_document_is_told(archive: Archive, folder: Path) -> None:
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "empty.pdf").touch()
    (folder / "notes.pdf").write_text("only words")
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    (folder / "sub" / "loop").symlink_to(folder)
    results = submit(archive, folder, folder / "gone.png")
    told = {Path(result.path).name: result.error.code for result in results if result.error}
    assert told == {
        ".hidden.png": "hidden",
        "empty.pdf": "empty_file",
        "notes.pdf": "unsupported_type",
        "broken": "unreadable_file",
        "pipe": "unreadable_file",
        "gone.png": "unreadable_file",
    }
    assert count(archive, "documents") == 2


def test_hidden_files_are_taken_when_they_are_asked_for(archive: Archive, folder: Path) -> None:
    save_scan(folder / ".hidden.png", ("hidden words",))
    assert outcomes(submit(archive, folder, hidden=True))[".hidden.png"] == "accepted"


def test_a_name_that_is_no_utf8_is_kept_readable(archive: Archive, folder: Path) -> None:
    odd = Path(os.fsdecode(bytes(folder) + b"/brief-\xff.png"))
    odd.write_bytes((folder / "sub" / "b.png").read_bytes() + b"more")
    (result,) = submit(archive, odd)
    assert result.outcome == IntakeOutcome.ACCEPTED
    assert result.path.endswith("brief-\\xff.png")


def test_a_file_above_the_limit_is_refused(archive: Archive, tmp_path: Path) -> None:
    large = tmp_path / "large.pdf"
    with large.open("wb") as file:
        file.write(b"%PDF-1.4")
        file.truncate(2 << 20)
    small = archive.settings.model_copy(update={"max_file_mb": 1})
    intake = Intake(archive.database, archive.blobs, small, ring=lambda _: None)
    (result,) = intake.submit([large])
    assert result.error
    assert result.error.code == "too_large"
    assert "ARSIP_MAX_FILE_MB" in result.error.message


def test_a_file_that_vanishes_costs_nothing_else(archive: Archive, folder: Path) -> None:
    intake = Intake(archive.database, archive.blobs, archive.settings, ring=lambda _: None)
    seen = intake.submit([folder / "a.png", *(folder / f"{number}.png" for number in range(3)), folder / "sub"])
    save_scan(folder / "0.png", ("here for a moment",))
    results = []
    for result in seen:
        results.append(result)
        (folder / "0.png").unlink(missing_ok=True)
    assert outcomes(results)["a.png"] == "accepted"
    assert outcomes(results)["b.png"] == "accepted"
    assert outcomes(results)["2.png"] == "failed"


def test_two_runs_at_the_same_moment_make_one_document(archive: Archive, folder: Path) -> None:
    start = threading.Barrier(4)

    def run(_: int) -> list[IntakeResult]:
        start.wait()
        return submit(archive, folder)

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(run, range(4)))
    assert (count(archive, "documents"), count(archive, "jobs"), count(archive, "document_sources")) == (2, 2, 3)
    assert sum(outcome == "accepted" for run in runs for outcome in outcomes(run).values()) == 2


def test_a_folder_without_permission_is_told(archive: Archive, folder: Path) -> None:
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    archive.database.engine.connect().close()
    locked = folder / "sub"
    locked.chmod(0)
    with rights_of_nobody():
        results = submit(archive, folder)
    locked.chmod(0o755)
    told = {Path(result.path).name: result for result in results}
    assert told["a.png"].outcome == IntakeOutcome.ACCEPTED
    assert told["sub"].error
    assert told["sub"].error.code == "unreadable_file"
    assert "Permission denied" in told["sub"].error.message


@contextmanager
def rights_of_nobody() -> Iterator[None]:
    """Root without the capability to ignore permissions, in this thread alone; nothing for others."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None)
    libc.setfsuid(NOBODY)
    try:
        yield
    finally:
        libc.setfsuid(0)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB, where the machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(archive: Archive, tmp_path: Path, tiny_disk: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.pdf").write_bytes(b"%PDF-1.4" + os.urandom(40_000))
    full = Intake(archive.database, BlobStore.open(tiny_disk.as_uri()), archive.settings, ring=lambda _: None)
    taken: list[IntakeResult] = []
    with pytest.raises(DiskFull, match="disk is full"):
        taken.extend(full.submit([folder]))
    stored = count(archive, "documents")
    assert 0 < stored < 8

    results = submit(archive, folder)
    assert {str(result.outcome) for result in results} == {"accepted", "unchanged"}
    assert count(archive, "documents") == 8


def test_unknown_queues_and_odd_languages_are_refused_at_once(archive: Archive, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ocr\.tesseract"):
        submit(archive, folder, ocr_queue="ocr.nobody")
    with pytest.raises(ConfigurationError, match="eng"):
        submit(archive, folder, languages="../../etc/passwd")
    assert count(archive, "documents") == 0
