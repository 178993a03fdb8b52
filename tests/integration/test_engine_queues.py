"""What several engines make possible: reuse, second readings, other queues, doubt in text layers. Without a broker."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import text

from pipeline.archive import Archive, open_archive
from pipeline.intake.intake import Intake
from pipeline.queue_status import queue_status
from pipeline.recovery import recover
from pipeline.retry import retry
from pipeline.sandbox.reader import open_reader
from pipeline.settings import Settings
from pipeline.stages.runner import JobRunner
from pipeline.store import dead_letters, documents, pages, readings, stats, workers
from pipeline.tables import Page
from tests.factories import LETTER, RICH, letter_picture, letter_pictures, save_pdf, save_scan, take_in
from tests.jobs import drain, reader_of, waiting

Opened = Callable[..., Archive]
POINTS = 72 / 200
"""Of a pixel at 200 dpi."""
NULL_THEN_TESSERACT = {
    "default_ocr_queue": "ocr.null",
    "escalate_to": "ocr.tesseract",
    "ocr_queues": {
        "null": {"retries": 0, "min_backoff": 0.1},
        "tesseract": {"retries": 0, "min_backoff": 0.1},
    },
}


@pytest.fixture
def opened(settings: Settings, database_url: str) -> Iterator[Opened]:
    """Opens the archive with other settings; several may be open, on one database."""
    with ExitStack() as stack:

        def open_with(**changes: Any) -> Archive:
            values = settings.model_dump(exclude_unset=True) | {"database_url": database_url} | changes
            return stack.enter_context(open_archive(Settings.model_validate(values), database_url))

        yield open_with


def page(archive: Archive, document_id: int, number: int = 1) -> Page:
    with archive.database.session() as session:
        return pages.one(session, document_id, number)


def document_status(archive: Archive, document_id: int) -> str:
    with archive.database.session() as session:
        return documents.load(session, document_id).status


def test_an_equal_page_in_another_file_costs_no_recognition(opened: Opened, tmp_path: Path) -> None:
    archive = opened()
    save_scan(tmp_path / "scan.png")
    Image.open(tmp_path / "scan.png").save(tmp_path / "same.tif", dpi=(150, 150))
    first, second = (result.document_id for result in take_in(archive, tmp_path / "scan.png", tmp_path / "same.tif"))
    assert first != second
    assert drain(archive) == []
    one, other = page(archive, first), page(archive, second)
    assert sorted([one.reused, other.reused]) == [False, True]
    assert one.text == other.text
    assert one.words == other.words
    (read,) = [row for row in _stats(archive) if row.engine]
    assert (read.pages, read.reused) == (2, 1)


def test_boxes_of_a_reused_result_are_in_the_units_of_the_page(opened: Opened, tmp_path: Path) -> None:
    archive = opened(raster_dpi=200)
    letter_picture().save(tmp_path / "scan.png", dpi=(200, 200))
    scan = ImageReader(str(tmp_path / "scan.png"))
    canvas = Canvas(str(tmp_path / "scan.pdf"), pagesize=(1240 * POINTS, 800 * POINTS))
    canvas.drawImage(scan, 0, 0, 1240 * POINTS, 800 * POINTS)
    canvas.save()
    first, second = (result.document_id for result in take_in(archive, tmp_path / "scan.png", tmp_path / "scan.pdf"))
    drain(archive)
    picture, sheet = page(archive, first), page(archive, second)
    assert picture.reused != sheet.reused, "the same pixels were read twice"
    assert (picture.unit, sheet.unit) == ("px", "pt")
    for in_pixels, in_points in zip(picture.words, sheet.words, strict=True):
        assert in_points[0] == in_pixels[0]
        assert in_points[1:5] == pytest.approx([side * POINTS for side in in_pixels[1:5]], abs=0.02)


def test_other_languages_or_options_recompute(opened: Opened, tmp_path: Path) -> None:
    archive = opened()
    document_id = take_in(archive, save_scan(tmp_path / "scan.png"))[0].document_id
    drain(archive)
    before = page(archive, document_id)

    _reprocess(archive, document_id)
    drain(archive)
    same = page(archive, document_id)
    assert same.reused
    assert same.result_key == before.result_key

    tuned = opened(ocr_queues={"tesseract": {"options": {"page_segmentation": 6}}})
    _reprocess(tuned, document_id)
    drain(tuned)
    other = page(tuned, document_id)
    assert not other.reused
    assert other.result_key != before.result_key
    with archive.database.session() as session:
        (kept,) = readings.of_document(session, document_id)
    assert kept.result_key == before.result_key, "the reading before is kept beside the new one"


def test_reuse_can_be_turned_off(opened: Opened, tmp_path: Path) -> None:
    archive = opened(reuse_results=False)
    document_id = take_in(archive, save_scan(tmp_path / "scan.png"))[0].document_id
    drain(archive)
    _reprocess(archive, document_id)
    drain(archive)
    assert not page(archive, document_id).reused


def test_another_queue_reads_again_and_what_was_read_stands_meanwhile(opened: Opened, tmp_path: Path) -> None:
    archive = opened(ocr_queues={"tesseract": {}, "null": {}})
    document_id = take_in(archive, save_scan(tmp_path / "scan.png"))[0].document_id
    drain(archive)
    _reprocess(archive, document_id, ocr_queue="ocr.null")
    pending = page(archive, document_id)
    assert (pending.status, pending.engine) == ("PENDING", "tesseract")
    assert "pemeliharaan" in (pending.text or "")
    drain(archive)
    read = page(archive, document_id)
    assert (read.status, read.engine, read.text) == ("DONE", "null", "")
    with archive.database.session() as session:
        assert [one.engine for one in readings.of_document(session, document_id)] == ["tesseract"]


def test_what_was_read_stands_when_it_cannot_be_read_anew(opened: Opened, tmp_path: Path) -> None:
    archive = opened()
    document_id = take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(2)))[0].document_id
    drain(archive)
    tuned = opened(ocr_queues={"tesseract": {"retries": 0, "options": {"page_segmentation": 6}}})
    _reprocess(tuned, document_id)
    drain(tuned, reader_of(tuned, "tests.failing_tasks:engine_segfault"))
    assert document_status(tuned, document_id) == "PARTIAL"
    failed = page(tuned, document_id, 2)
    assert (failed.status, failed.failure_code) == ("FAILED", "engine_crashed")
    assert "pemeliharaan" in (failed.text or ""), "the reading before is lost"


def test_pages_come_in_batches_and_one_that_kills_its_batch_fails_alone(opened: Opened, tmp_path: Path) -> None:
    archive = opened(ocr_queues={"tesseract": {"batch_size": 4, "retries": 0, "min_backoff": 0.1}})
    document_id = take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(6)))[0].document_id
    drain(archive, reader_of(archive, "tests.failing_tasks:engine_segfault"))
    found = [page(archive, document_id, number) for number in range(1, 7)]
    assert [one.status for one in found] == ["DONE", "FAILED", "DONE", "DONE", "DONE", "DONE"]
    with archive.database.session() as session:
        ranges = session.execute(text("SELECT first_page, last_page FROM jobs WHERE stage = 'ocr' ORDER BY 1")).all()
    assert (5, 6) in [tuple(row) for row in ranges], "a job has as many pages as a batch"


def test_a_weak_page_is_read_by_the_stronger_engine_and_the_better_reading_stands(
    opened: Opened, tmp_path: Path
) -> None:
    archive = opened(**NULL_THEN_TESSERACT)
    document_id = take_in(archive, save_scan(tmp_path / "scan.png"))[0].document_id
    assert drain(archive) == []
    assert document_status(archive, document_id) == "PROCESSED"
    read = page(archive, document_id)
    assert (read.engine, read.escalation) == ("tesseract", "BETTER")
    assert "pemeliharaan" in (read.text or "")
    with archive.database.session() as session:
        assert [one.engine for one in readings.of_document(session, document_id)] == ["null"]
        (outcome,) = stats.escalated(session)
    assert (outcome.outcome, outcome.pages) == ("BETTER", 1)
    assert outcome.characters_gained > 100


def test_a_stronger_engine_that_reads_less_does_not_win(opened: Opened, tmp_path: Path) -> None:
    archive = opened(ocr_queues={"tesseract": {}, "null": {}}, escalate_to="ocr.null", escalate_below_confidence=1.0)
    document_id = take_in(archive, save_scan(tmp_path / "scan.png"))[0].document_id
    drain(archive)
    read = page(archive, document_id)
    assert (read.status, read.engine, read.escalation) == ("DONE", "tesseract", "WORSE")
    with archive.database.session() as session:
        assert [one.engine for one in readings.of_document(session, document_id)] == ["null"]


def test_nothing_is_read_twice_without_the_setting_or_if_it_reads_well(opened: Opened, tmp_path: Path) -> None:
    for changes in ({}, {"escalate_to": "ocr.null", "escalate_below_confidence": 0.3}):
        archive = opened(**changes)
        document_id = take_in(archive, save_scan(tmp_path / f"{len(changes)}.png", (*LETTER, str(changes))))[
            0
        ].document_id
        drain(archive)
        assert page(archive, document_id).escalation is None


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({"escalate_share": 0.5}, 2),
        ({"escalate_share": 0.01}, 1),
        ({"escalate_share": 0}, 0),
        ({"escalate_share": 1, "escalate_pages_per_day": 3}, 3),
    ],
)
def test_second_readings_have_a_budget(opened: Opened, tmp_path: Path, budget: dict[str, float], expected: int) -> None:
    archive = opened(**NULL_THEN_TESSERACT, **budget)
    document_id = take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(4)))[0].document_id
    drain(archive)
    read = [page(archive, document_id, number).escalation for number in range(1, 5)]
    assert read.count("BETTER") == expected
    assert read.count(None) == 4 - expected


def test_a_page_keeps_its_first_reading_when_the_stronger_engine_fails(opened: Opened, tmp_path: Path) -> None:
    archive = opened(**NULL_THEN_TESSERACT)
    document_id = take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(2)))[0].document_id
    assert drain(archive, reader_of(archive, "tests.failing_tasks:tesseract_segfault"))
    assert document_status(archive, document_id) == "PROCESSED"
    read = page(archive, document_id)
    assert (read.status, read.engine, read.escalation) == ("DONE", "null", "FAILED")


def test_a_failed_second_reading_can_be_sent_again(opened: Opened, tmp_path: Path) -> None:
    archive = opened(**NULL_THEN_TESSERACT)
    document_id = take_in(archive, save_scan(tmp_path / "scan.png"))[0].document_id
    drain(archive, reader_of(archive, "tests.failing_tasks:tesseract_segfault"))
    assert page(archive, document_id).escalation == "FAILED"
    with archive.database.session() as session:
        session.execute(text("UPDATE jobs SET finished_at = now() - interval '1 hour' WHERE status = 'FAILED'"))
        dead_letters.add_missing(session)
        letter_id = session.scalar(text("SELECT id FROM dead_letters"))
        assert retry(session, letter_id) == "ocr.tesseract"
    drain(archive)
    read = page(archive, document_id)
    assert (read.status, read.engine, read.escalation) == ("DONE", "tesseract", "BETTER")
    assert document_status(archive, document_id) == "PROCESSED"


def test_a_second_reading_whose_job_is_lost_is_set_going_again(opened: Opened, tmp_path: Path) -> None:
    archive = opened(**NULL_THEN_TESSERACT)
    document_id = take_in(archive, save_scan(tmp_path / "scan.png"))[0].document_id
    with closing(open_reader(archive.settings)) as reader:
        runner = JobRunner(archive, reader, ring=lambda _: None, worker="test")
        for _ in range(2):
            (job_id,) = waiting(archive)
            runner.run(job_id)
    assert page(archive, document_id).escalation == "WAITING"
    with archive.database.session() as session:
        session.execute(text("DELETE FROM jobs WHERE stage = 'escalate'"))
    recover(archive)
    assert drain(archive) == []
    assert document_status(archive, document_id) == "PROCESSED"
    assert page(archive, document_id).escalation == "BETTER"


def test_folder_rules_choose_and_a_command_goes_before_them(opened: Opened, tmp_path: Path) -> None:
    receipts = tmp_path / "receipts"
    receipts.mkdir()
    archive = opened(
        folder_rules=[
            {"path": f"{receipts}/*", "queue": "ocr.null"},
            {"path": f"{tmp_path}/*", "languages": "eng+ind"},
        ]
    )
    inside, outside = save_scan(receipts / "a.png"), save_scan(tmp_path / "b.png", (*LETTER, "b"))
    other = save_scan(receipts / "c.png", (*LETTER, "c"))
    taken = take_in(archive, inside, outside)
    intake = Intake(archive.database, archive.blobs, archive.settings, ring=lambda _: None)
    taken += list(intake.submit([other], ocr_queue="ocr.tesseract", languages="eng"))
    with archive.database.session() as session:
        found = [documents.load(session, result.document_id or 0) for result in taken]
    wanted = [("ocr.null", "eng+ind"), ("ocr.tesseract", "eng+ind"), ("ocr.tesseract", "eng")]
    assert [(document.ocr_queue, document.languages) for document in found] == wanted


def test_a_text_layer_that_says_something_else_is_not_believed(opened: Opened, tmp_path: Path) -> None:
    archive = opened()
    scrambled = save_pdf(tmp_path / "scrambled.pdf", *[tuple(f"{line} {page}" for line in RICH) for page in "ab"])
    honest = save_pdf(tmp_path / "honest.pdf", RICH)
    scrambled.write_bytes(_with_wrong_map(scrambled))
    doubtful, believed = (result.document_id for result in take_in(archive, scrambled, honest))
    assert drain(archive) == []
    assert page(archive, believed).method == "text_layer"
    for number in (1, 2):
        read = page(archive, doubtful, number)
        assert (read.method, read.engine) == ("ocr", "tesseract")
        assert "pemeliharaan" in (read.text or "")


def test_one_odd_page_of_many_speaks_for_the_pages_around_it_only(opened: Opened, tmp_path: Path) -> None:
    archive = opened(text_layer_sample=1)
    paths = [save_pdf(tmp_path / f"{page}.pdf", tuple(f"{line} {page}" for line in RICH)) for page in "abc"]
    paths[1].write_bytes(_with_wrong_map(paths[1]))
    with pikepdf.new() as joined:
        for path in paths:
            with pikepdf.open(path) as one:
                joined.pages.extend(one.pages)
        joined.save(tmp_path / "joined.pdf")
    document_id = take_in(archive, tmp_path / "joined.pdf")[0].document_id
    drain(archive)
    methods = [page(archive, document_id, number).method for number in (1, 2, 3)]
    assert methods == ["text_layer", "ocr", "text_layer"]


def test_text_layers_are_believed_where_they_are_not_to_be_tested(opened: Opened, tmp_path: Path) -> None:
    archive = opened(text_layer_sample=0)
    scrambled = save_pdf(tmp_path / "scrambled.pdf", RICH)
    scrambled.write_bytes(_with_wrong_map(scrambled))
    document_id = take_in(archive, scrambled)[0].document_id
    drain(archive)
    assert page(archive, document_id).method == "text_layer"


def test_a_queue_that_nobody_takes_is_seen(opened: Opened, tmp_path: Path) -> None:
    archive = opened()
    take_in(archive, save_scan(tmp_path / "scan.png"))
    found = {one.queue: one for one in queue_status(archive.database, archive.settings)}
    assert found["ingest"].is_unserved
    assert not found["ocr.tesseract"].is_unserved, "nothing waits there"
    with archive.database.session() as session:
        workers.tell(session, "here:1", "here", 1, ["ingest"])
    found = {one.queue: one for one in queue_status(archive.database, archive.settings)}
    assert (found["ingest"].workers, found["ingest"].waiting) == (1, 1)
    assert not found["ingest"].is_unserved
    with archive.database.session() as session:
        session.execute(text("UPDATE workers SET seen_at = now() - interval '1 hour'"))
    found = {one.queue: one for one in queue_status(archive.database, archive.settings)}
    assert found["ingest"].is_unserved, "a worker that is silent is none"


def test_jobs_of_a_queue_that_no_setting_names_are_seen(opened: Opened, tmp_path: Path) -> None:
    take_in(opened(default_ocr_queue="ocr.null"), save_scan(tmp_path / "scan.png"))
    archive = opened()
    with archive.database.session() as session:
        session.execute(text("UPDATE jobs SET queue = 'ocr.gone'"))
    (gone,) = [one for one in queue_status(archive.database, archive.settings) if not one.configured]
    assert (gone.queue, gone.waiting, gone.is_unserved) == ("ocr.gone", 1, True)


def _reprocess(archive: Archive, document_id: int, ocr_queue: str | None = None) -> None:
    with archive.database.session() as session:
        documents.reset(session, document_id, ocr_queue=ocr_queue)


def _stats(archive: Archive) -> list[stats.ReadPages]:
    with archive.database.session() as session:
        return list(stats.read_pages(session))


def _with_wrong_map(path: Path) -> bytes:
    """The PDF with a map to Unicode that makes other letters of those that are drawn."""
    with pikepdf.open(path) as pdf:
        rows = "".join(f"<{code:02x}> <{_other(code):04x}>\n" for code in range(0x41, 0x7B))
        cmap = (
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def\n"
            "1 begincodespacerange <00> <ff> endcodespacerange\n"
            f"{0x7B - 0x41} beginbfchar\n{rows}endbfchar\nendcmap end end"
        )
        stream = pdf.make_stream(cmap.encode())
        for one in pdf.pages:
            for font in one.Resources.Font.values():
                font.ToUnicode = stream
        pdf.save(path.with_suffix(".other"))
    return path.with_suffix(".other").read_bytes()


def _other(code: int) -> int:
    """Another letter of the same case."""
    for first in (0x41, 0x61):
        if first <= code < first + 26:
            return first + (code - first + 7) % 26
    return code
