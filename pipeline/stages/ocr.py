"""OCR: recognise the pages of a range with the engine of the job's queue, and store each as it comes."""

from dataclasses import replace
from pathlib import Path

from pipeline.errors import EngineFailed, PermanentError, TransientError
from pipeline.reading.types import EngineSpec, PageReading
from pipeline.settings import OcrQueueSettings
from pipeline.stages.ingest import CHILD_DIED
from pipeline.stages.work import Work
from pipeline.store import documents, jobs, pages
from pipeline.tables import Document

LAST_RESORT_SCALE = 0.5
"""A page that fails again and again is tried once at half its resolution: a quarter of the memory, less time."""


def recognize(work: Work) -> frozenset[str]:
    """Work on an OCR job. Pages that fail at its last try go into quarantine, each as a job of its own.

    Returns:
        The names of the queues that got jobs.

    Raises:
        TransientError: a page's engine failed and is worth another try; pages that were recognised are kept.
        LeaseLost: another worker has the job.
    """
    document = work.document()
    first, last = work.lease.first_page or 1, work.lease.last_page
    with work.archive.database.session() as session:
        unread = pages.pending(session, document.id, first, last)
    failures: dict[int, TransientError] = {}
    with work.archive.blobs.local_copy(document.sha256) as path:
        for number in unread:
            try:
                work.save([_recognize_page(work, document, path, number)])
            except (*CHILD_DIED, EngineFailed) as error:
                failures[number] = error.about(f"page {number}")
    if failures and (work.lease.quarantined or not work.last_try):
        raise next(iter(failures.values()))
    with work.document_locked() as (session, _):
        if failures:
            jobs.isolate(session, work.lease, list(failures), tried=True)
            return frozenset({work.lease.queue})
        jobs.complete(session, work.lease)
        return documents.advance(session, document.id)


def _recognize_page(work: Work, document: Document, path: Path, number: int) -> PageReading:
    queue = work.archive.settings.queues[work.lease.queue]
    assert isinstance(queue, OcrQueueSettings)
    engine = EngineSpec(queue.engine, queue.options, document.languages)
    scale = LAST_RESORT_SCALE if work.lease.quarantined and work.last_try else 1.0
    try:
        seconds = work.seconds(work.archive.settings.page_time_limit)
        reading = work.reader.recognize_page(path, number, engine, seconds=seconds, scale=scale)
    except PermanentError as error:
        return work.failed_page(number, error)
    if scale == 1.0:
        return reading
    note = f"recognised at {scale:.0%} of the usual resolution, at which it failed: {work.lease.last_failure}"
    return replace(reading, notes=[*reading.notes, note])
