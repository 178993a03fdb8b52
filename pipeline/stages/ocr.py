"""OCR: recognise the pages of a range with the engine of the job's queue, and store each as it comes."""

from pipeline.errors import TransientError
from pipeline.reading.types import PageReading
from pipeline.stages.escalate import send_if_weak
from pipeline.stages.recognition import Recognizer, Unread
from pipeline.stages.work import Work
from pipeline.store import documents, jobs, pages


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
    queues: frozenset[str] = frozenset()
    with work.archive.blobs.local_copy(document.sha256) as path:
        for found in Recognizer.of(work, document, path).read(unread):
            if isinstance(found, Unread):
                failures[found.number] = found.error
            else:
                queues |= send_if_weak(work, found) or _saved(work, found)
    if failures and (work.lease.quarantined or not work.last_try):
        raise next(iter(failures.values()))
    with work.document_locked() as (session, document):
        if failures:
            jobs.isolate(session, work.lease, list(failures), tried=True)
            return queues | {work.lease.queue}
        jobs.complete(session, work.lease)
        return queues | documents.advance(session, document)


def _saved(work: Work, reading: PageReading) -> frozenset[str]:
    work.save([reading])
    return frozenset()
