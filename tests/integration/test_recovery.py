"""What nobody works on though it is not at its end is found, and goes on."""

import io
import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from actors.broker import build_broker
from actors.doorbell import Doorbell
from actors.recovery import Recovery
from pipeline.archive import Archive
from pipeline.consistency import Consistency
from pipeline.database import Database
from pipeline.recovery import recover
from pipeline.settings import Settings
from tests.factories import RICH, letter_picture, save_pdf, take_in
from tests.processes import ARSIP, count, running, statuses, wait_until
from tests.workers import working

LIVE_JOBS = "SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'RUNNING')"


@pytest.fixture
def mixed(archive: Archive, settings: Settings, tmp_path: Path) -> Path:
    """A document that is done: a page of text and two scans."""
    path = save_pdf(tmp_path / "mixed.pdf", RICH, letter_picture(), letter_picture())
    take_in(archive, path)
    with working(settings):
        wait_until(lambda: statuses(archive.database) == {"PROCESSED"})
    return path


def execute(archive: Archive, *statements: str) -> None:
    with archive.database.session() as session:
        for statement in statements:
            session.execute(text(statement))


@pytest.mark.parametrize(
    "damage",
    [
        ["UPDATE documents SET status = 'PENDING', page_count = NULL", "DELETE FROM jobs", "DELETE FROM pages"],
        [
            "UPDATE documents SET status = 'PENDING', page_count = NULL",
            "DELETE FROM jobs WHERE stage <> 'ingest'",
            "DELETE FROM pages",
        ],
        ["UPDATE documents SET status = 'PROCESSING'", "DELETE FROM jobs WHERE stage = 'index'"],
        ["UPDATE documents SET status = 'PROCESSING'"],
        [
            "UPDATE documents SET status = 'PROCESSING'",
            "DELETE FROM jobs WHERE stage IN ('ocr', 'index')",
            "UPDATE pages SET status = 'PENDING' WHERE number > 1",
        ],
        [
            "UPDATE documents SET status = 'PROCESSING'",
            "DELETE FROM jobs WHERE stage = 'index'",
            "UPDATE pages SET status = 'PENDING', text = NULL WHERE number = 3",
        ],
    ],
    ids=["no job", "ingest forgotten", "no index job", "index forgotten", "pages without a job", "page forgotten"],
)
def test_a_document_that_was_left_goes_on(archive: Archive, settings: Settings, mixed: Path, damage: list[str]) -> None:
    execute(archive, *damage)
    assert count(archive.database, LIVE_JOBS) == 0
    recover(archive)
    live = count(archive.database, LIVE_JOBS)
    assert live >= 1
    recover(archive)
    assert count(archive.database, LIVE_JOBS) == live, "the second run adds nothing"
    with working(settings):
        wait_until(lambda: statuses(archive.database) == {"PROCESSED"})
    assert count(archive.database, "SELECT count(*) FROM pages WHERE status = 'DONE' AND text IS NOT NULL") == 3
    assert count(archive.database, "SELECT count(*) FROM search_pages") == 3


def test_a_page_that_was_left_goes_on_though_another_document_waits(
    archive: Archive, mixed: Path, tmp_path: Path
) -> None:
    execute(
        archive,
        "UPDATE documents SET status = 'PROCESSING'",
        "UPDATE pages SET status = 'PENDING', text = NULL WHERE number = 3",
        "UPDATE jobs SET status = 'PENDING' WHERE stage = 'ocr' AND first_page = 2",
        "UPDATE jobs SET last_page = 2 WHERE stage = 'ocr'",
    )
    take_in(archive, save_pdf(tmp_path / "other.pdf", RICH))
    recover(archive)
    assert count(archive.database, f"{LIVE_JOBS} AND stage = 'ocr' AND first_page = 3") == 1


def test_what_somebody_works_on_is_left_alone(archive: Archive, tmp_path: Path) -> None:
    take_in(archive, save_pdf(tmp_path / "letter.pdf", RICH))
    for status in ("PENDING", "RUNNING"):
        execute(archive, f"UPDATE jobs SET status = '{status}', leased_until = now() + interval '1 minute'")
        recover(archive)
        assert count(archive.database, f"SELECT count(*) FROM jobs WHERE status = '{status}'") == 1


def test_the_scheduler_recovers_what_was_left(
    archive: Archive, settings: Settings, mixed: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    with working(settings):
        # The worker recovers when it starts; by the time that it works, it has.
        take_in(archive, save_pdf(tmp_path / "letter.pdf", RICH))
        wait_until(lambda: count(archive.database, "SELECT count(*) FROM documents WHERE status = 'PROCESSED'") == 2)
        execute(archive, "UPDATE documents SET status = 'PROCESSING'", "DELETE FROM jobs WHERE stage = 'index'")
        with running([ARSIP, "scheduler"], environment) as scheduler:
            wait_until(lambda: statuses(archive.database) == {"PROCESSED"})
            scheduler.send_signal(signal.SIGTERM)
            assert scheduler.wait(30) == 0


def originals(archive: Archive) -> list[Path]:
    return [path for path in archive.settings.home.rglob("*") if path.is_file() and len(path.name) == 64]


def test_an_index_that_differs_is_mended(
    archive: Archive, settings: Settings, mixed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    execute(archive, "DELETE FROM search_pages WHERE number = 2")
    consistency = Consistency(archive)
    consistency.run()
    assert "document 1: the search index differed" in caplog.text
    with working(settings):
        wait_until(lambda: count(archive.database, "SELECT count(*) FROM search_pages") == 3)
        wait_until(lambda: count(archive.database, LIVE_JOBS) == 0)
    caplog.clear()
    consistency.run()
    assert caplog.text == ""

    execute(archive, "UPDATE documents SET status = 'FAILED', full_text_indexed = false")
    consistency.run()
    assert count(archive.database, "SELECT count(*) FROM search_pages") == 0


def test_what_the_blob_store_and_the_database_do_not_both_have_is_told(
    archive: Archive, mixed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    orphan = archive.blobs.put(io.BytesIO(b"nobody recorded this")).sha256
    (path,) = archive.settings.home.rglob(orphan)
    Consistency(archive).run()
    assert caplog.text == "", "a blob that is so young may be recorded yet"

    os.utime(path, (0, 0))
    (original,) = (found for found in originals(archive) if found != path)
    original.unlink()
    Consistency(archive).run()
    assert f"the blob {orphan} is of no document" in caplog.text
    assert "document 1: its original is missing" in caplog.text


def test_each_run_looks_at_some_documents_and_goes_on_from_there(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.consistency.DOCUMENTS", 2)
    take_in(archive, *(save_pdf(tmp_path / f"{number}.pdf", (*RICH, str(number))) for number in range(3)))
    for path in originals(archive):
        path.unlink()
    consistency = Consistency(archive)
    told = []
    for _ in range(3):
        caplog.clear()
        consistency.run()
        told.append(caplog.text.count("its original is missing"))
    assert told == [2, 1, 2]


def test_without_postgres_recovery_waits(
    archive: Archive, settings: Settings, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Database("postgresql://arsip@127.0.0.1:1/arsip")
    away = Archive(settings, nowhere, archive.blobs, archive.index)
    broker = build_broker(settings, redis_url)
    recovery = Recovery(away, broker, Doorbell(broker, nowhere, settings))
    recovery.run()
    recovery.compare()
    assert caplog.text.count("recovery has to wait") == 2
    assert "could not ring for queue ingest" in caplog.text
