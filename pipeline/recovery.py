"""Recovery: what Postgres knows to be unfinished though nobody works on it. Every step may be repeated at any time."""

import logging

from sqlalchemy.orm import Session

from pipeline.archive import Archive
from pipeline.page_ranges import page_ranges
from pipeline.settings import Settings
from pipeline.states import DocumentStatus, Stage
from pipeline.store import dead_letters, documents, stuck

logger = logging.getLogger(__name__)

BATCH = 500
"""Documents seen to in one run; the next run sees to the others."""


def recover(archive: Archive) -> None:
    """Give every document that nobody works on its missing job, and every failed job its dead letter.

    Raises:
        StorageUnavailable: Postgres cannot be reached.
    """
    with archive.database.session() as session:
        if written := dead_letters.add_missing(session):
            logger.warning("%d failed jobs had no dead letter and have one now", written)
        found = stuck.documents_without_work(session, BATCH)
    for document_id in found:
        # A transaction for each: it locks the document, and a worker may wait for it.
        with archive.database.session() as session:
            _set_going(session, document_id, archive.settings)


def _set_going(session: Session, document_id: int, settings: Settings) -> None:
    """Decided under the document's lock, as a worker may just have moved it on."""
    document = documents.load(session, document_id, lock=True)
    if DocumentStatus(document.status).final or stuck.has_live_job(session, document_id, Stage.INGEST, Stage.INDEX):
        return
    if document.page_count is None:
        stuck.restart(session, document_id, Stage.INGEST, "ingest", [(None, None)])
    elif unread := stuck.pages_without_work(session, document_id):
        ranges = page_ranges(unread, settings.job_pages(document.ocr_queue))
        stuck.restart(session, document_id, Stage.OCR, document.ocr_queue, ranges)
    elif not stuck.has_live_job(session, document_id):
        stuck.restart(session, document_id, Stage.INDEX, "index", [(None, None)])
    else:
        return
    logger.warning("document %d was left by whoever worked on it, and goes on", document_id)
