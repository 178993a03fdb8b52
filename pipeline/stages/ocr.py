"""OCR: recognise the pages of a range with the engine of the job's queue, and store each as it comes."""

from pathlib import Path

from pipeline.errors import EngineFailed, PermanentError, TransientError
from pipeline.reading.types import EngineSpec, PageReading
from pipeline.settings import OcrQueueSettings
from pipeline.stages.ingest import CHILD_DIED
from pipeline.stages.work import Work
from pipeline.store import documents, jobs, pages
from pipeline.tables import Document


def recognize(work: Work) -> frozenset[str]:
    """Work on an OCR job.

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
    trouble: TransientError | None = None
    with work.archive.blobs.local_copy(document.sha256) as path:
        for number in unread:
            try:
                work.save([_recognize_page(work, document, path, number)])
            except (*CHILD_DIED, EngineFailed) as error:
                if work.last_try:
                    work.save([work.failed_page(number, error)])
                else:
                    trouble = trouble or error
    if trouble:
        raise trouble
    with work.document_locked() as (session, _):
        jobs.complete(session, work.lease)
        return documents.advance(session, document.id)


def _recognize_page(work: Work, document: Document, path: Path, number: int) -> PageReading:
    queue = work.archive.settings.queues[work.lease.queue]
    assert isinstance(queue, OcrQueueSettings)
    engine = EngineSpec(queue.engine, queue.options, document.languages)
    try:
        seconds = work.seconds(work.archive.settings.page_time_limit)
        return work.reader.recognize_page(path, number, engine, seconds=seconds)
    except PermanentError as error:
        return work.failed_page(number, error)
