"""Runs one job: claim, work, and one clause per outcome. It knows no queue; `ring` tells the one who does."""

import logging
from collections.abc import Callable, Collection
from threading import Event
from time import monotonic

from pipeline.archive import Archive
from pipeline.errors import ArsipError, Interrupted, LeaseLost, PermanentError, RetriesExhausted, TransientError
from pipeline.sandbox.reader import DocumentReader
from pipeline.stages.escalate import escalate
from pipeline.stages.index import index
from pipeline.stages.ingest import ingest
from pipeline.stages.lease_keeper import LeaseKeeper
from pipeline.stages.ocr import recognize
from pipeline.stages.quarantine import is_suspect, quarantine
from pipeline.stages.work import Work
from pipeline.states import DocumentStatus, Escalation, Stage
from pipeline.store import documents, jobs, pages
from pipeline.store.jobs import Lease

logger = logging.getLogger(__name__)

STAGES: dict[Stage, Callable[[Work], frozenset[str]]] = {
    Stage.INGEST: ingest,
    Stage.OCR: recognize,
    Stage.ESCALATE: escalate,
    Stage.INDEX: index,
}


class JobRunner:
    """
    Args:
        ring: called with the names of the queues that got jobs, after the commit.
        worker: who works, for the job's row, such as `host:pid`.
    """

    def __init__(
        self, archive: Archive, reader: DocumentReader, *, ring: Callable[[Collection[str]], object], worker: str
    ) -> None:
        self._archive = archive
        self._reader = reader
        self._ring = ring
        self._worker = worker
        self._stopping = Event()

    def stop(self) -> None:
        """Hand running jobs back at their next page and claim no more."""
        self._stopping.set()

    def abandon(self) -> None:
        """Give up the page in hand: its child is killed, and the job goes back."""
        self._reader.abandon()

    def run(self, job_id: int) -> None:
        """Do the job unless it is done, gone, or held by a living worker.

        Raises:
            PermanentError: the job failed for good, and its document knows; not to be retried.
            TransientError: the job is pending again; to be retried after a while.
        """
        if self._stopping.is_set():
            self._leave(job_id)
            return
        settings = self._archive.settings
        with self._archive.database.session() as session:
            lease = jobs.claim(session, job_id, self._worker, settings.lease_seconds)
        if lease is None:
            logger.debug("job %d is done, gone or in other hands", job_id)
            return
        ends_at = monotonic() + settings.time_limit(lease.queue)
        work = Work(self._archive, self._reader, lease, ends_at, self._stopping)
        try:
            with LeaseKeeper(self._archive.database, lease, settings):
                queues = quarantine(work) if is_suspect(work) else STAGES[lease.stage](work)
        except LeaseLost as lost:
            logger.warning("%s", lost)
            return
        except Interrupted as interrupted:
            logger.info("%s", interrupted)
            with self._archive.database.session() as session:
                jobs.hand_back(session, lease)
            return
        except PermanentError as error:
            self._ring(self._give_up(lease, error))
            raise
        except BaseException as error:
            self._try_again(work, error)
            raise
        self._ring(queues)

    def _leave(self, job_id: int) -> None:
        """Its message is used up, so somebody has to ring for the job again."""
        with self._archive.database.session() as session:
            jobs.unring(session, [job_id])

    def _try_again(self, work: Work, error: BaseException) -> None:
        """A failure that may pass, or dramatiq's time limit: hand the job back, or give up after the last try."""
        known = error if isinstance(error, ArsipError) else TransientError(f"{type(error).__name__}: {error}")
        if not work.last_try:
            self._release(work, known)
            return
        self._ring(self._give_up(work.lease, known))
        raise RetriesExhausted(f"given up after {work.lease.attempts} tries: {known}") from error

    def _release(self, work: Work, error: ArsipError) -> None:
        queue = self._archive.settings.queues[work.lease.queue]
        wait = min(queue.max_backoff, queue.min_backoff * 2.0 ** (work.lease.attempts - 1))
        with self._archive.database.session() as session:
            jobs.release(session, work.lease, error, wait=wait)

    def _give_up(self, lease: Lease, error: ArsipError) -> frozenset[str]:
        try:
            return self._fail(lease, error)
        except LeaseLost as lost:
            logger.warning("%s", lost)
            return frozenset()

    def _fail(self, lease: Lease, error: ArsipError) -> frozenset[str]:
        """The job failed for good: so did its pages, or the whole document if its pages are not known."""
        with self._archive.database.session() as session:
            document = documents.load(session, lease.document_id, lock=True)
            jobs.hold(session, lease)
            jobs.fail(session, lease, error)
            if DocumentStatus(document.status).final:
                # It was only to be indexed again, and stays what it is.
                return frozenset()
            if document.page_count is None or lease.stage == Stage.INDEX:
                documents.finish(document, DocumentStatus.FAILED, error=error)
                return frozenset()
            if lease.stage == Stage.ESCALATE:
                # The page has been read; nobody stronger could read it.
                pages.end_escalation(session, document.id, lease.first_page or 1, Escalation.FAILED)
                return documents.advance(session, document)
            pages.fail_pending(session, document.id, error, lease.first_page or 1, lease.last_page)
            return documents.advance(session, document)
