"""One try of a job: what a stage function is given."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from time import monotonic

from sqlalchemy.orm import Session

from pipeline.archive import Archive
from pipeline.errors import ArsipError, EngineTimedOut, Interrupted
from pipeline.reading.types import PageReading
from pipeline.sandbox.reader import DocumentReader
from pipeline.store import documents, jobs, pages
from pipeline.store.jobs import Lease
from pipeline.tables import Document

QUARANTINE_TRIES = 2
"""A suspected page is tried as usual and once more as a last resort."""


@dataclass(frozen=True, slots=True)
class Work:
    archive: Archive
    reader: DocumentReader
    lease: Lease
    ends_at: float
    """On the clock of `time.monotonic`: when the job's time limit is over."""
    stopping: Event
    """Set when the worker is told to stop."""

    @property
    def tries(self) -> int:
        """How often the job is started before it fails for good."""
        return QUARANTINE_TRIES if self.lease.quarantined else self.archive.settings.tries(self.lease.queue)

    @property
    def last_try(self) -> bool:
        return self.lease.attempts >= self.tries

    def seconds(self, limit: float) -> float:
        """How long the next call may take: `limit`, or what is left of the job's time.

        Raises:
            EngineTimedOut: nothing is left.
            Interrupted: the worker is told to stop; what was stored is kept.
        """
        if self.stopping.is_set():
            raise Interrupted(f"the worker stopped before job {self.lease.job_id} was done")
        left = self.ends_at - monotonic()
        if left <= 0:
            limit = self.archive.settings.time_limit(self.lease.queue)
            raise EngineTimedOut(
                f"document {self.lease.document_id}: the {self.lease.stage} job did not end within {limit:g} s; "
                "raise the queue's time_limit if documents of this size are usual"
            )
        return min(limit, left)

    def document(self) -> Document:
        with self.archive.database.session() as session:
            return documents.load(session, self.lease.document_id)

    @contextmanager
    def document_locked(self) -> Iterator[tuple[Session, Document]]:
        """A transaction that holds the document and the job.

        Raises:
            LeaseLost: another worker has the job.
        """
        with self.archive.database.session() as session:
            document = documents.load(session, self.lease.document_id, lock=True)
            jobs.hold(session, self.lease)
            yield session, document

    def save(self, readings: Iterable[PageReading]) -> None:
        """Store pages as they come.

        Raises:
            LeaseLost: another worker has the job; its results stand.
        """
        with self.archive.database.session() as session:
            jobs.hold(session, self.lease)
            pages.save(session, self.lease.document_id, readings)

    def failed_page(self, number: int, error: ArsipError) -> PageReading:
        return PageReading.failed(number, error.code, f"page {number}: {error}")
