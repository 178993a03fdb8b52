"""Files and folders on their way into a real archive: PostgreSQL, and a local blob store."""

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from pipeline.archive import Archive
from pipeline.blobs.local import LocalBlobs
from pipeline.errors import ConfigurationError
from pipeline.intake.intake import BATCH_FILES, Intake, IntakeOutcome
from pipeline.store.intake import LONGEST_PATH
from tests.submissions import ACCEPTED, DUPLICATE, MANY, UNCHANGED, intake, many_files, outcomes, pdf, rows, sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "scans"


def test_a_new_file_becomes_a_document_with_a_source_and_a_job(archive: Archive, folder: Path) -> None:
    path = pdf(folder / "surat.pdf", "letter")
    (result,) = intake(archive).submit([folder], languages="eng+ind", tables=True)
    assert (result.path, result.outcome, result.size) == (str(path), ACCEPTED, path.stat().st_size)
    assert rows(
        archive.database,
        "SELECT id, name, media_type, size_bytes, status, languages, ocr_queue, extract_tables FROM documents",
    ) == [
        (result.document_id, "surat.pdf", "application/pdf", result.size, "PENDING", "eng+ind", "ocr.tesseract", True)
    ]
    assert rows(archive.database, "SELECT document_id, path, size_bytes, mtime_ns FROM document_sources") == [
        (result.document_id, str(path), result.size, path.stat().st_mtime_ns)
    ]
    assert sound(archive) == 1


def test_the_same_bytes_under_another_name_are_a_duplicate_and_another_source(archive: Archive, folder: Path) -> None:
    pdf(folder / "a.pdf", "one")
    pdf(folder / "b.pdf", "one")
    (first, second) = intake(archive).submit([folder])
    pdf(folder / "late.pdf", "one")
    (third,) = intake(archive).submit([folder / "late.pdf"])
    assert [result.outcome for result in (first, second, third)] == [ACCEPTED, DUPLICATE, DUPLICATE]
    assert {first.document_id} == {second.document_id, third.document_id}
    assert len(rows(archive.database, "SELECT path FROM document_sources")) == 3
    assert sound(archive) == 1


def test_a_path_that_is_named_twice_is_no_duplicate_of_itself(archive: Archive, folder: Path) -> None:
    path = pdf(folder / "a.pdf", "one")
    assert [result.outcome for result in intake(archive).submit([path, folder, path])] == [
        ACCEPTED,
        UNCHANGED,
        UNCHANGED,
    ]
    assert sound(archive) == 1


def test_the_same_command_again_reads_nothing(archive: Archive, folder: Path, tmp_path: Path) -> None:
    many_files(folder, 300)
    first = list(intake(archive).submit([folder]))
    unreadable = LocalBlobs(tmp_path / "elsewhere")
    again = list(Intake(archive.database, unreadable, archive.settings, ring=pytest.fail).submit([folder]))
    assert {result.outcome for result in again} == {UNCHANGED}
    assert [(result.path, result.document_id) for result in again] == [(r.path, r.document_id) for r in first]
    assert not [path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()]


def test_a_change_that_keeps_size_and_time_is_seen_by_rehash(archive: Archive, folder: Path) -> None:
    path = pdf(folder / "a.pdf", "one")
    pdf(folder / "b.pdf", "two")
    list(intake(archive).submit([folder]))
    before = path.stat().st_mtime_ns
    pdf(path, "six")
    os.utime(path, ns=(before, before))
    assert outcomes(intake(archive).submit([folder])) == {"a.pdf": UNCHANGED, "b.pdf": UNCHANGED}
    assert outcomes(intake(archive).submit([folder], rehash=True)) == {"a.pdf": ACCEPTED, "b.pdf": UNCHANGED}


def test_a_touched_file_is_read_and_found_unchanged_and_its_new_time_remembered(archive: Archive, folder: Path) -> None:
    path = pdf(folder / "a.pdf", "one")
    list(intake(archive).submit([folder]))
    os.utime(path, ns=(5, 5))
    assert [result.outcome for result in intake(archive).submit([folder])] == [UNCHANGED]
    assert rows(archive.database, "SELECT mtime_ns FROM document_sources") == [(5,)]


def test_a_path_with_new_content_moves_to_a_new_document_and_the_old_one_stays(archive: Archive, folder: Path) -> None:
    path = pdf(folder / "a.pdf", "one")
    pdf(folder / "b.pdf", "one")
    list(intake(archive).submit([folder]))
    pdf(path, "another")
    results = {Path(result.path).name: result for result in intake(archive).submit([folder])}
    assert results["a.pdf"].outcome == ACCEPTED
    assert results["a.pdf"].document_id != results["b.pdf"].document_id
    assert dict(rows(archive.database, "SELECT path, document_id FROM document_sources")) == {
        str(folder / name): result.document_id for name, result in results.items()
    }
    assert sound(archive) == 2


@pytest.mark.timeout(60)
def test_what_cannot_be_taken_is_told_with_its_reason_and_the_rest_goes_on(archive: Archive, folder: Path) -> None:
    pdf(folder / "good.pdf", "one")
    pdf(folder / ".hidden.pdf", "two")
    (folder / "empty.pdf").touch()
    (folder / "letter.docx").write_bytes(b"PK\x03\x04 and so on")
    (folder / "broken").symlink_to("nowhere")
    (folder / "loop").symlink_to(".")
    os.mkfifo(folder / "pipe")
    with (folder / "huge.pdf").open("wb") as sparse:
        sparse.write(b"%PDF-1.7")
        sparse.truncate((archive.settings.max_file_mb << 20) + 1)
    results = list(intake(archive).submit([folder, folder / "missing"]))
    codes = {Path(result.path).name: result.error and result.error.code for result in results}
    assert codes == {
        "good.pdf": None,
        ".hidden.pdf": "hidden",
        "empty.pdf": "empty_file",
        "letter.docx": "unsupported_type",
        "broken": "unreadable_file",
        "loop": "repeated",
        "pipe": "unreadable_file",
        "huge.pdf": "too_large",
        "missing": "unreadable_file",
    }
    assert Counter(outcomes(results).values()) == {"accepted": 1, "skipped": 2, "failed": 6}
    assert sound(archive) == 1


def test_names_that_are_no_text_are_kept_readable(archive: Archive, folder: Path) -> None:
    folder.mkdir()
    odd = os.fsdecode(os.fsencode(folder) + b"/caf\xe9 \xf0\x9f\x93\x84\n.pdf")
    Path(odd).write_bytes(b"%PDF-1.7 odd")
    (result,) = intake(archive).submit([folder])
    assert result.path == f"{folder}/caf\\xe9 \N{PAGE FACING UP}\n.pdf"
    assert rows(archive.database, "SELECT path FROM document_sources") == [(result.path,)]
    assert outcomes(intake(archive).submit([folder])) == {Path(result.path).name: UNCHANGED}


def test_a_path_too_long_for_the_index_stops_nobody_else(archive: Archive, folder: Path) -> None:
    deep = folder
    while len(str(deep)) < 3000:
        deep /= os.urandom(100).hex()
    pdf(deep / "deep.pdf", "deep")
    pdf(folder / "zzz" / "rest.pdf", "rest")
    results = list(intake(archive).submit([folder]))
    assert outcomes(results) == {"deep.pdf": IntakeOutcome.FAILED, "rest.pdf": ACCEPTED}


def test_the_longest_path_that_is_taken_can_be_stored(archive: Archive, folder: Path) -> None:
    deep = folder
    while LONGEST_PATH - len(str(deep)) > 230:
        deep /= os.urandom(100).hex()
    name = os.urandom(115).hex()[: LONGEST_PATH - len(str(deep)) - 1]
    path = pdf(deep / name, "deep")
    assert len(str(path)) == LONGEST_PATH
    assert [result.outcome for result in intake(archive).submit([folder])] == [ACCEPTED]


def test_wrong_wishes_are_refused_before_anything_is_read(archive: Archive, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'ocr\.nobody'; known: ocr\.tesseract"):
        intake(archive).submit([folder], ocr_queue="ocr.nobody")
    for languages in ("eng;ind", "eng+", "../eng", "e" * 100):
        with pytest.raises(ConfigurationError, match=r"look like eng or eng\+ind"):
            intake(archive).submit([folder], languages=languages)


def test_the_bell_rings_after_each_commit_and_only_for_new_jobs(archive: Archive, folder: Path) -> None:
    many_files(folder)
    seen: list[tuple[set[str], object]] = []

    def ring(queues: Collection[str]) -> None:
        seen.append((set(queues), rows(archive.database, "SELECT count(*) FROM jobs")[0][0]))

    list(intake(archive, ring).submit([folder]))
    assert {queue for queues, _ in seen for queue in queues} == {"ingest"}
    assert seen[0][1] == BATCH_FILES
    assert seen[-1][1] == MANY
    seen.clear()
    pdf(folder / "duplicate.pdf", "document 0")
    assert outcomes(intake(archive, ring).submit([folder / "duplicate.pdf"])) == {"duplicate.pdf": DUPLICATE}
    assert not seen
