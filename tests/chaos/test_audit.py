"""The audit itself: each check finds the fault that it is there for, and none finds one in a healthy archive."""

from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.archive import Archive
from tests.chaos import history
from tests.chaos.audit import CHECKS, violations
from tests.factories import save_pdf, take_in

BREAKAGES = [
    ("a document is not at its end", "UPDATE documents SET status = 'PROCESSING'"),
    ("a document failed without a reason", "UPDATE documents SET status = 'FAILED'"),
    ("a document ended more or less than once", "UPDATE documents SET finished_at = now() + interval '1 s'"),
    ("a status does not fit the pages", "UPDATE documents SET status = 'PARTIAL'"),
    ("a page is not at its end", "UPDATE pages SET status = 'PENDING' WHERE number = 1"),
    ("a page failed without a reason", "UPDATE pages SET status = 'FAILED' WHERE number = 1"),
    ("a page was stored more than once", "UPDATE pages SET confidence = 1 WHERE number = 1"),
    ("a page has another document's text", "UPDATE pages SET text = 'Document 8' WHERE number = 2"),
    ("a document has not all its pages", "DELETE FROM pages WHERE number = 2"),
    ("a job is not at its end", "UPDATE jobs SET leased_until = now()"),
    ("a job ended more than once", "UPDATE jobs SET token = token + 1 WHERE stage = 'index'"),
    ("a document has not one index job", "DELETE FROM jobs WHERE stage = 'index'"),
    ("a failed job has no dead letter", "UPDATE jobs SET status = 'FAILED'"),
    ("the search index differs", "DELETE FROM search_pages WHERE number = 1"),
    ("a document is not indexed", "UPDATE documents SET full_text_indexed = false"),
    ("a move is not allowed", "UPDATE jobs SET status = 'FAILED'"),
]


@pytest.fixture
def healthy(archive: Archive, tmp_path: Path) -> Archive:
    """One finished document of two pages, and its history."""
    history.install(archive.database)
    take_in(archive, save_pdf(tmp_path / "00007-text.pdf", ("one",), ("two",)))
    change(
        archive,
        "UPDATE documents SET page_count = 2, status = 'PROCESSING'",
        "INSERT INTO pages (document_id, number) SELECT d.id, n FROM documents d, generate_series(1, 2) n",
        "UPDATE pages SET status = 'DONE', method = 'text_layer', text = 'Document 7'",
        "INSERT INTO jobs (document_id, stage, queue) SELECT id, 'index', 'index' FROM documents",
        "UPDATE jobs SET status = 'RUNNING', token = 1",
        "UPDATE jobs SET status = 'COMPLETED', finished_at = now()",
        "INSERT INTO search_pages SELECT document_id, number, 'english', '' FROM pages",
        "UPDATE documents SET status = 'PROCESSED', finished_at = now(), full_text_indexed = true",
    )
    return archive


def change(archive: Archive, *statements: str) -> None:
    with archive.database.session() as session:
        for statement in statements:
            session.execute(text(statement))


def found(archive: Archive) -> set[str]:
    return set(violations(archive.database, archive.blobs))


def test_a_healthy_archive_passes(healthy: Archive) -> None:
    assert found(healthy) == set()


@pytest.mark.parametrize(("rule", "breakage"), BREAKAGES)
def test_a_check_finds_the_fault_that_it_is_there_for(healthy: Archive, rule: str, breakage: str) -> None:
    change(healthy, breakage)
    assert rule in found(healthy)


def test_a_lost_original_is_found(healthy: Archive) -> None:
    for path in (healthy.settings.home / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    assert found(healthy) == {"an original is missing"}


def test_every_check_is_tested() -> None:
    assert CHECKS.keys() <= {rule for rule, _ in BREAKAGES}
