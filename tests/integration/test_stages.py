"""The way of a document through its stages, without a broker: real Postgres, blobs, sandbox, Tesseract and search."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.archive import Archive
from pipeline.errors import (
    CorruptDocument,
    EncryptedDocument,
    EngineCrashed,
    IndexUnavailable,
    RetriesExhausted,
    TransientError,
    WorkerDied,
)
from pipeline.numbers import NumberPattern
from pipeline.reading.types import DocumentInfo, PageReading
from pipeline.sandbox.reader import TASKS, DocumentReader, open_reader
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from pipeline.search.contract import IndexedDocument, SearchQuery
from pipeline.search.postgres import PostgresIndex
from pipeline.stages.runner import JobRunner
from pipeline.states import PageStatus, Stage
from pipeline.store import documents, jobs, pages, stuck
from pipeline.tables import Document, Page
from tests.factories import RICH, letter_picture, letter_pictures, save_pdf, save_scan, take_in
from tests.jobs import drain, reader_of, run, waiting


def stored(archive: Archive) -> tuple[Document, list[Page]]:
    with archive.database.session() as session:
        (found,), _ = documents.listed(session, documents.DocumentFilter(), limit=10)
        return found, list(pages.listed(session, found.id, with_words=True))


def quarantined(archive: Archive) -> list[tuple[int, int, str]]:
    with archive.database.session() as session:
        query = text("SELECT first_page, last_page, status FROM jobs WHERE quarantined ORDER BY first_page")
        return [(first, last, status) for first, last, status in session.execute(query)]


def test_a_scan_is_read_numbered_and_found(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "surat.png"))
    assert drain(archive) == []

    document, (page,) = stored(archive)
    assert (document.status, document.full_text_indexed) == ("PROCESSED", True)
    assert document.extracted_doc_number == "045/2026/DIR-ARSIP"
    number = document.ocr_metadata["number"]
    assert (number["page"], number["pattern"]) == (1, "letter")
    x0, y0, x1, y1 = number["box"]
    assert 80 < x0 < x1 < 600
    assert 120 < y0 < y1 < 190
    assert 0.5 < number["confidence"] <= 1
    assert (page.method, page.engine, page.unit) == ("ocr", "tesseract", "px")
    assert page.engine_version.startswith("5")
    assert page.languages == "eng"
    assert page.duration_ms > 0
    (hit,) = archive.index.search(SearchQuery("jadwal pemeliharaan")).hits
    assert (hit.document_id, hit.page) == (document.id, 1)


def test_a_mixed_pdf_is_read_page_by_page(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "mixed.pdf", RICH, letter_picture(), ()))
    assert drain(archive) == []

    document, found = stored(archive)
    assert document.status == "PROCESSED"
    assert [page.method for page in found] == ["text_layer", "ocr", "blank"]
    assert "pemeliharaan" in found[0].text
    assert "pemeliharaan" in found[1].text
    assert found[2].text == ""
    assert {page.unit for page in found} == {"pt"}
    word = next(word for word in found[1].words if "pemeliharaan" in word[0])
    assert 0 < word[1] < word[3] < found[1].width
    assert 0 < word[2] < word[4] < found[1].height


def test_a_number_pattern_that_backtracks_without_end_costs_the_number_alone(archive: Archive, tmp_path: Path) -> None:
    endless = NumberPattern(name="endless", expression=r"(?P<number>(?:\w+\s?)+)!$")
    settings = archive.settings.model_copy(update={"number_patterns": (endless,)})
    take_in(archive, save_pdf(tmp_path / "surat.pdf", RICH))
    assert drain(Archive(settings, archive.database, archive.blobs, archive.index)) == []

    document, _ = stored(archive)
    assert (document.status, document.extracted_doc_number) == ("PROCESSED", None)
    assert "10 s" in document.ocr_metadata["number_error"]
    assert archive.index.search(SearchQuery("pemeliharaan")).documents == 1


def test_a_document_that_cannot_be_opened_fails_for_good(archive: Archive, tmp_path: Path) -> None:
    path = save_pdf(tmp_path / "cut.pdf", RICH)
    path.write_bytes(path.read_bytes()[:200])
    take_in(archive, path)
    (error,) = drain(archive)
    assert error.code == "corrupt_document"

    document, found = stored(archive)
    assert (document.status, document.failure_code, found) == ("FAILED", "corrupt_document", [])
    assert "qpdf" in document.failure_reason


@pytest.mark.parametrize(
    ("tasks", "code", "words"),
    [
        ("tests.failing_tasks:engine_segfault", "engine_crashed", "SIGSEGV"),
        ("tests.failing_tasks:engine_memory_hunger", "out_of_memory", "memory"),
    ],
)
def test_a_page_that_kills_its_child_fails_alone(
    archive: Archive, tmp_path: Path, tasks: str, code: str, words: str
) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(3)))
    *retried, given_up = drain(archive, reader_of(archive, tasks))
    assert all(isinstance(error, TransientError) for error in retried)
    assert isinstance(given_up, RetriesExhausted)

    document, found = stored(archive)
    assert document.status == "PARTIAL"
    assert [page.status for page in found] == ["DONE", "FAILED", "DONE"]
    assert found[1].failure_code == code
    assert words in found[1].failure_reason
    assert "page 2" in found[1].failure_reason
    assert quarantined(archive) == [(2, 2, "FAILED")]


def test_a_page_that_hangs_is_stopped_at_its_deadline(archive: Archive, tmp_path: Path) -> None:
    hasty = archive.settings.model_copy(update={"page_time_limit": 6.0})
    archive = Archive(hasty, archive.database, archive.blobs, archive.index)
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(2)))
    assert drain(archive, reader_of(archive, "tests.failing_tasks:engine_hang"))[0].code == "engine_timed_out"

    document, read = stored(archive)
    assert document.status == "PARTIAL"
    assert [page.failure_code for page in read] == [None, "engine_timed_out"]


def test_a_page_too_heavy_for_its_child_is_read_at_a_lower_resolution(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(3)))
    drain(archive, reader_of(archive, "tests.failing_tasks:engine_memory_hunger_at_full_resolution"))

    document, found = stored(archive)
    assert document.status == "PROCESSED"
    assert [page.dpi for page in found] == [300, 150, 300]
    assert "pemeliharaan" in found[1].text
    (note,) = found[1].notes
    assert "50% of the usual resolution" in note
    assert "more memory" in note


def test_a_job_that_kills_its_workers_is_split_and_only_the_guilty_page_is_given_up(
    archive: Archive, tmp_path: Path
) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(2)))
    drain(archive, before="ocr")

    def die(job_id: int) -> None:
        """Leave the job as a worker does that the system kills."""
        with archive.database.session() as session:
            assert jobs.claim(session, job_id, "host:1", 60)
        with archive.database.session() as session:
            killed = {"signal": "SIGKILL", "peak_memory_mb": 512}
            jobs.bury(session, "host:1", WorkerDied("worker host:1 was killed by SIGKILL", facts=killed))

    (shared,) = waiting(archive)
    for _ in range(archive.settings.quarantine_after_deaths):
        die(shared)
    with closing(open_reader(archive.settings)) as reader:
        assert run(archive, [shared], reader) == []
    assert quarantined(archive) == [(1, 1, "PENDING"), (2, 2, "PENDING")]

    _, guilty = waiting(archive)
    for _ in range(2):
        die(guilty)
    (error,) = drain(archive)
    assert error.code == "worker_died"
    assert error.facts == {"signal": "SIGKILL", "peak_memory_mb": 512}
    document, found = stored(archive)
    assert document.status == "PARTIAL"
    assert [(page.status, page.failure_code) for page in found] == [("DONE", None), ("FAILED", "worker_died")]
    assert "page 2: 2 workers died" in found[1].failure_reason
    assert "SIGKILL" in found[1].failure_reason
    assert quarantined(archive) == [(1, 1, "COMPLETED"), (2, 2, "FAILED")]


def test_a_document_whose_inspection_kills_its_workers_fails_with_the_reason(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "scan.png"))
    for _ in range(archive.settings.quarantine_after_deaths):
        (job_id,) = waiting(archive)
        with archive.database.session() as session:
            assert jobs.claim(session, job_id, "host:1", 60)
            jobs.bury(session, "host:1", WorkerDied("worker host:1 was killed by SIGKILL"))
    (error,) = drain(archive)
    assert error.code == "worker_died"
    document, _ = stored(archive)
    assert (document.status, document.failure_code) == ("FAILED", "worker_died")
    assert "3 workers died in its ingest job" in document.failure_reason


def test_a_text_layer_that_kills_its_child_is_left_to_ocr(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "text.pdf", RICH, RICH, RICH))
    drain(archive, reader_of(archive, "tests.failing_tasks:text_layer_segfault"))
    document, found = stored(archive)
    assert document.status == "PROCESSED"
    assert [page.method for page in found] == ["text_layer", "ocr", "text_layer"]


def test_a_document_that_kills_every_child_fails_with_the_cause(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "text.pdf", RICH))
    first, last = drain(archive, reader_of(archive, "tests.failing_tasks:inspect_segfault"))
    assert isinstance(first, EngineCrashed)
    assert isinstance(last, RetriesExhausted)
    document, _ = stored(archive)
    assert (document.status, document.failure_code) == ("FAILED", "engine_crashed")


def test_when_every_page_fails_so_does_the_document(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "scan.png"))
    with archive.database.session() as session:
        session.execute(text("UPDATE documents SET languages = 'xxx'"))
    drain(archive)
    document, (page,) = stored(archive)
    assert (document.status, document.failure_code) == ("FAILED", "all_pages_failed")
    assert page.failure_code == "language_unavailable"
    assert "xxx" in document.failure_reason
    assert "tesseract-ocr-xxx" in document.failure_reason
    assert archive.index.search(SearchQuery("pemeliharaan")).documents == 0


def test_whoever_stores_the_last_page_moves_the_document_on_once(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(2)))
    (job_id,) = waiting(archive)
    with archive.database.session() as session:
        lease = jobs.claim(session, job_id, "test", 60)
        assert lease
        document = documents.load(session, lease.document_id, lock=True)
        documents.start(session, document, media_type="application/pdf", page_count=2)
        jobs.complete(session, lease)

    def finish(number: int) -> frozenset[str]:
        with archive.database.session() as session:
            document = documents.load(session, lease.document_id, lock=True)
            pages.save(session, document.id, [PageReading(number=number, status=PageStatus.DONE, text="x")])
            return documents.advance(session, document)

    with ThreadPoolExecutor(2) as pool:
        queues = list(pool.map(finish, (1, 2)))
    assert sorted(map(len, queues)) == [0, 1]
    with archive.database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM jobs WHERE stage = 'index'")) == 1


def test_reprocessing_starts_from_the_original(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "scan.png"))
    drain(archive, reader_of(archive, "tests.failing_tasks:inspect_segfault"))
    assert stored(archive)[0].status == "FAILED"
    with archive.database.session() as session:
        documents.reset(session, stored(archive)[0].id)
    assert drain(archive) == []
    document, _ = stored(archive)
    assert (document.status, document.failure_code, document.failure_reason) == ("PROCESSED", None, None)


def test_reprocessing_a_document_that_cannot_be_opened_any_more_fails_with_the_cause(
    archive: Archive, tmp_path: Path
) -> None:
    take_in(archive, save_pdf(tmp_path / "text.pdf", RICH))
    assert drain(archive) == []
    with archive.database.session() as session:
        documents.reset(session, stored(archive)[0].id)
    drain(archive, reader_of(archive, "tests.failing_tasks:inspect_segfault"))
    document, _ = stored(archive)
    assert (document.status, document.failure_code) == ("FAILED", "engine_crashed")


def test_a_worker_that_stops_hands_its_job_back_uncounted(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "scan.png"))

    class StoppingReader(DocumentReader):
        def inspect(self, path: Path, *, seconds: float) -> DocumentInfo:
            runner.stop()
            return super().inspect(path, seconds=seconds)

    sandbox = Sandbox(TASKS, SandboxLimits(memory_mb=3072, max_pages=100))
    runner = JobRunner(archive, StoppingReader(lambda _: sandbox, archive.settings), ring=lambda _: None, worker="test")
    (job_id,) = waiting(archive)
    runner.run(job_id)
    sandbox.close()
    with archive.database.session() as session:
        row = session.execute(text("SELECT status, attempts FROM jobs")).one()
    assert tuple(row) == ("PENDING", 0)


def test_encrypted_documents_are_told_apart(archive: Archive, corpus: Path) -> None:
    take_in(archive, corpus / "hostile/pypdf/r6-user-password.pdf")
    (error,) = drain(archive)
    assert isinstance(error, EncryptedDocument)
    assert "password" in str(error)


class _IndexIsAway(PostgresIndex):
    def upsert(self, document: IndexedDocument) -> None:
        raise IndexUnavailable("the index is away\0")


def test_a_final_document_whose_index_cannot_be_made_anew_stays_what_it_is(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "text.pdf", RICH))
    assert drain(archive) == []
    with archive.database.session() as session:
        stuck.restart(session, stored(archive)[0].id, Stage.INDEX, "index", [(None, None)])
    away = Archive(archive.settings, archive.database, archive.blobs, _IndexIsAway(archive.database, time_limit=30))
    *_, last = drain(away)
    assert isinstance(last, RetriesExhausted)
    assert stored(archive)[0].status == "PROCESSED"
    with archive.database.session() as session:
        job = session.execute(text("SELECT status, failure_reason FROM jobs WHERE stage = 'index'")).one()
    assert tuple(job) == ("FAILED", "the index is away")


def test_a_worker_that_fails_after_another_took_its_job_changes_nothing(archive: Archive, tmp_path: Path) -> None:
    path = save_pdf(tmp_path / "cut.pdf", RICH)
    path.write_bytes(path.read_bytes()[:200])
    take_in(archive, path)

    class LateReader(DocumentReader):
        def inspect(self, path: Path, *, seconds: float) -> DocumentInfo:
            with archive.database.session() as session:
                session.execute(text("UPDATE jobs SET leased_until = now() - interval '1 s'"))
                assert jobs.claim(session, job_id, "another", 60)
            return super().inspect(path, seconds=seconds)

    (job_id,) = waiting(archive)
    with closing(Sandbox(TASKS, SandboxLimits(memory_mb=3072, max_pages=100))) as sandbox:
        runner = JobRunner(archive, LateReader(lambda _: sandbox, archive.settings), ring=lambda _: None, worker="test")
        with pytest.raises(CorruptDocument):
            runner.run(job_id)
    with archive.database.session() as session:
        assert tuple(session.execute(text("SELECT status, worker FROM jobs")).one()) == ("RUNNING", "another")
    assert stored(archive)[0].status == "PENDING"
