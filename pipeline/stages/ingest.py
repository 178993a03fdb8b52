"""Ingest: find out what a document is, read the pages that carry good text, send the others to OCR."""

import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import EngineFailed, NotInstalled, PermanentError, TransientError
from pipeline.page_ranges import page_ranges
from pipeline.reading.types import PageReading
from pipeline.stages.recognition import CHILD_DIED
from pipeline.stages.work import Work
from pipeline.states import PageStatus
from pipeline.store import documents, jobs, pages
from pipeline.tables import Document

logger = logging.getLogger(__name__)

PAGES_PER_READ = 16
"""Pages whose text layer is read in one call: enough to make the call cheap, few enough to keep memory flat."""
FEWEST_WORDS = 5
"""A text layer is judged by at least so many words."""


def ingest(work: Work) -> frozenset[str]:
    """Work on an ingest job.

    Returns:
        The names of the queues that got jobs.

    Raises:
        PermanentError: the document cannot be opened at all.
        TransientError: a page's child died, or a part is away; pages that were read are kept.
        LeaseLost: another worker has the job.
    """
    document = work.document()
    with work.archive.blobs.local_copy(document.sha256) as path:
        info = work.reader.inspect(path, seconds=work.seconds(work.archive.settings.page_time_limit))
        with work.document_locked() as (session, document):
            documents.start(session, document, media_type=info.media_type, page_count=info.page_count)
            unread = pages.pending(session, document.id)
        need_ocr = _read(work, path, unread, tables=document.extract_tables)
        need_ocr = sorted({*need_ocr, *_not_to_be_believed(work, path, document)})
    with work.document_locked() as (session, document):
        ranges = page_ranges(need_ocr, work.archive.settings.job_pages(document.ocr_queue))
        added = jobs.add_ocr(session, document.id, document.ocr_queue, ranges)
        jobs.complete(session, work.lease)
        return frozenset({document.ocr_queue}) if added else documents.advance(session, document)


def _read(work: Work, path: Path, unread: Sequence[int], *, tables: bool) -> list[int]:
    """Read the text layers and store them; returns the numbers of the pages that need OCR."""
    need_ocr: list[int] = []
    trouble: TransientError | None = None
    for first, last in page_ranges(unread, PAGES_PER_READ):
        readings, error = _read_range(work, path, first, last, tables=tables)
        trouble = trouble or error
        work.save(readings)
        need_ocr += [reading.number for reading in readings if reading.status == PageStatus.PENDING]
    if trouble:
        raise trouble
    return need_ocr


def _read_range(
    work: Work, path: Path, first: int, last: int, *, tables: bool
) -> tuple[list[PageReading], TransientError | None]:
    """Read a range; if the child dies on it, page by page, so that only the guilty page is missing.

    A page that still kills the child at the last try is left to OCR, which can put a single page into quarantine.

    Returns:
        The readings, and the error of a page that is worth another try.
    """
    settings = work.archive.settings
    try:
        seconds = work.seconds(settings.page_time_limit)
        return work.reader.read_pages(path, first, last, tables=tables, seconds=seconds), None
    except CHILD_DIED as error:
        if first == last:
            pending = PageReading(number=first, status=PageStatus.PENDING)
            return ([pending], None) if work.last_try else ([], error)
    readings: list[PageReading] = []
    trouble: TransientError | None = None
    for number in range(first, last + 1):
        found, failure = _read_range(work, path, number, number, tables=tables)
        readings += found
        trouble = trouble or failure
    return readings, trouble


def _not_to_be_believed(work: Work, path: Path, document: Document) -> Sequence[int]:
    """Numbers of the pages whose text layer does not say what is to be seen, by testing some of the document's.

    They are pending again then.
    """
    size = work.archive.settings.text_layer_sample
    if not size:
        return []
    with work.archive.database.session() as session:
        with_layer = pages.with_text_layer(session, document.id)
    stretches = [with_layer[start : start + size] for start in range(0, len(with_layer), size)]
    doubtful = [stretch for stretch in stretches if not _agrees(work, path, document, stretch[0])]
    if not doubtful:
        return []
    # A single odd page speaks for the pages around it; most of the tested ones speak for the whole document.
    whole = 2 * len(doubtful) > len(stretches)
    numbers = list(with_layer) if whole else [number for stretch in doubtful for number in stretch]
    with work.document_locked() as (session, _):
        pages.save(session, document.id, [PageReading.pending(number) for number in numbers])
    logger.info(
        "document %d: the text layer of page %d does not say what is to be seen; %d pages are recognised",
        document.id,
        doubtful[0][0],
        len(numbers),
    )
    return numbers


def _agrees(work: Work, path: Path, document: Document, number: int) -> bool:
    """Whether the text layer of a page agrees with some of its lines; where that cannot be found out, it counts."""
    settings = work.archive.settings
    queue = settings.named_ocr_queues[settings.default_ocr_queue]
    engine = queue.spec(document.languages)
    try:
        seconds = work.seconds(settings.page_time_limit)
        tested = work.reader.check_text_layer(path, number, engine, seconds=seconds)
    except (*CHILD_DIED, EngineFailed, PermanentError, NotInstalled) as error:
        logger.info("document %d: the text layer of page %d could not be tested: %s", document.id, number, error)
        return True
    return tested.words < FEWEST_WORDS or tested.found >= settings.text_layer_agreement * tested.words
