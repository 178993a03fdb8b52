"""The way of a document through its stages, without a broker: real Postgres, blobs, sandbox, Tesseract and search."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.archive import Archive
from pipeline.errors import ArsipError, EncryptedDocument, EngineCrashed, RetriesExhausted, TransientError
from pipeline.reading.types import DocumentInfo, PageReading
from pipeline.sandbox.reader import DocumentReader
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from pipeline.search.contract import SearchQuery
from pipeline.stages.runner import JobRunner
from pipeline.states import PageStatus
from pipeline.store import documents, jobs, pages
from pipeline.tables import Document, Page
from tests.factories import LETTER, letter_picture, save_pdf, save_scan, take_in

HEALTHY = "pipeline.reading.tasks:tasks"
RICH = tuple(f"{line} {number}" for number, line in enumerate(LETTER * 2))

Drain = Callable[..., list[ArsipError]]


@pytest.fixture
def drain(archive: Archive) -> Drain:
    return lambda tasks=HEALTHY: run_all(archive, tasks)


def run_all(archive: Archive, tasks: str) -> list[ArsipError]:
    """Run jobs until none is left, as workers do; returns what they raised."""
    raised: list[ArsipError] = []
    with closing(Sandbox(tasks, SandboxLimits(memory_mb=3072, max_pages=100))) as sandbox:
        runner = JobRunner(archive, DocumentReader(sandbox, archive.settings), ring=lambda _: None, worker="test")
        while found := waiting(archive):
            for job_id in found:
                try:
                    runner.run(job_id)
                except ArsipError as error:
                    raised.append(error)
    return raised


def waiting(archive: Archive) -> list[int]:
    with archive.database.session() as session:
        session.execute(text("UPDATE jobs SET not_before = NULL, rung_at = NULL WHERE status = 'PENDING'"))
        return [
            job_id
            for queue in archive.settings.queues
            for job_id in jobs.take_waiting(session, queue, 100, again_after=0)
        ]


def stored(archive: Archive) -> tuple[Document, list[Page]]:
    with archive.database.session() as session:
        (found,), _ = documents.listed(session, documents.DocumentFilter(), limit=10)
        return found, list(pages.listed(session, found.id, with_words=True))


def test_a_scan_is_read_numbered_and_found(archive: Archive, drain: Drain, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "surat.png"))
    assert drain() == []

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


def test_a_mixed_pdf_is_read_page_by_page(archive: Archive, drain: Drain, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "mixed.pdf", RICH, letter_picture(), ()))
    assert drain() == []

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


def test_a_document_that_cannot_be_opened_fails_for_good(archive: Archive, drain: Drain, tmp_path: Path) -> None:
    path = save_pdf(tmp_path / "cut.pdf", RICH)
    path.write_bytes(path.read_bytes()[:200])
    take_in(archive, path)
    (error,) = drain()
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
    archive: Archive, drain: Drain, tmp_path: Path, tasks: str, code: str, words: str
) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *[letter_picture()] * 3))
    (error,) = drain(tasks)
    assert isinstance(error, TransientError), "the first try is to be repeated"

    document, found = stored(archive)
    assert document.status == "PARTIAL"
    assert [page.status for page in found] == ["DONE", "FAILED", "DONE"]
    assert found[1].failure_code == code
    assert words in found[1].failure_reason
    assert "page 2" in found[1].failure_reason


def test_a_page_that_hangs_is_stopped_at_its_deadline(archive: Archive, tmp_path: Path) -> None:
    hasty = archive.settings.model_copy(update={"page_time_limit": 8.0})
    archive = Archive(hasty, archive.database, archive.blobs, archive.index)
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *[letter_picture()] * 2))
    (error,) = run_all(archive, "tests.failing_tasks:engine_hang")
    assert error.code == "engine_timed_out"

    document, read = stored(archive)
    assert document.status == "PARTIAL"
    assert [page.failure_code for page in read] == [None, "engine_timed_out"]


def test_a_text_layer_that_kills_its_child_costs_one_page(archive: Archive, drain: Drain, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "text.pdf", RICH, RICH, RICH))
    drain("tests.failing_tasks:text_layer_segfault")
    document, found = stored(archive)
    assert document.status == "PARTIAL"
    assert [(page.status, page.failure_code) for page in found] == [
        ("DONE", None),
        ("FAILED", "engine_crashed"),
        ("DONE", None),
    ]


def test_a_document_that_kills_every_child_fails_with_the_cause(archive: Archive, drain: Drain, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "text.pdf", RICH))
    first, last = drain("tests.failing_tasks:inspect_segfault")
    assert isinstance(first, EngineCrashed)
    assert isinstance(last, RetriesExhausted)
    document, _ = stored(archive)
    assert (document.status, document.failure_code) == ("FAILED", "engine_crashed")


def test_when_every_page_fails_so_does_the_document(archive: Archive, drain: Drain, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "scan.png"))
    with archive.database.session() as session:
        session.execute(text("UPDATE documents SET languages = 'xxx'"))
    drain()
    document, (page,) = stored(archive)
    assert (document.status, document.failure_code) == ("FAILED", "all_pages_failed")
    assert page.failure_code == "language_unavailable"
    assert "xxx" in document.failure_reason
    assert "tesseract-ocr-xxx" in document.failure_reason
    assert archive.index.search(SearchQuery("pemeliharaan")).documents == 0


def test_whoever_stores_the_last_page_moves_the_document_on_once(
    archive: Archive, drain: Drain, tmp_path: Path
) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *[letter_picture()] * 2))
    (job_id,) = waiting(archive)
    with archive.database.session() as session:
        lease = jobs.claim(session, job_id, "test", 60)
        assert lease
        documents.start(session, lease.document_id, media_type="application/pdf", page_count=2)
        jobs.complete(session, lease)

    def finish(number: int) -> frozenset[str]:
        with archive.database.session() as session:
            documents.load(session, lease.document_id, lock=True)
            pages.save(session, lease.document_id, [PageReading(number=number, status=PageStatus.DONE, text="x")])
            return documents.advance(session, lease.document_id)

    with ThreadPoolExecutor(2) as pool:
        queues = list(pool.map(finish, (1, 2)))
    assert sorted(map(len, queues)) == [0, 1]
    with archive.database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM jobs WHERE stage = 'index'")) == 1


def test_reprocessing_starts_from_the_original(archive: Archive, drain: Drain, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "scan.png"))
    drain("tests.failing_tasks:inspect_segfault")
    assert stored(archive)[0].status == "FAILED"
    with archive.database.session() as session:
        documents.reset(session, stored(archive)[0].id)
    assert drain() == []
    document, _ = stored(archive)
    assert (document.status, document.failure_code, document.failure_reason) == ("PROCESSED", None, None)


def test_a_worker_that_stops_hands_its_job_back_uncounted(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_scan(tmp_path / "scan.png"))

    class StoppingReader(DocumentReader):
        def inspect(self, path: Path, *, seconds: float) -> DocumentInfo:
            runner.stop()
            return super().inspect(path, seconds=seconds)

    sandbox = Sandbox(HEALTHY, SandboxLimits(memory_mb=3072, max_pages=100))
    runner = JobRunner(archive, StoppingReader(sandbox, archive.settings), ring=lambda _: None, worker="test")
    (job_id,) = waiting(archive)
    runner.run(job_id)
    sandbox.close()
    with archive.database.session() as session:
        row = session.execute(text("SELECT status, attempts FROM jobs")).one()
    assert tuple(row) == ("PENDING", 0)


def test_encrypted_documents_are_told_apart(archive: Archive, drain: Drain, corpus: Path) -> None:
    take_in(archive, corpus / "hostile/pypdf/r6-user-password.pdf")
    (error,) = drain()
    assert isinstance(error, EncryptedDocument)
    assert "password" in str(error)
