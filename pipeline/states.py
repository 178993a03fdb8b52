"""The states of documents, jobs and pages, and the moves between them. Nothing else decides what may follow what."""

from enum import StrEnum


class Stage(StrEnum):
    """A step of a document's way; one job does one stage of one document or page range."""

    INGEST = "ingest"
    OCR = "ocr"
    ESCALATE = "escalate"
    INDEX = "index"


class DocumentStatus(StrEnum):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    PROCESSED = "PROCESSED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"

    @property
    def final(self) -> bool:
        return self in FINAL


class JobStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class PageStatus(StrEnum):
    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


class Escalation(StrEnum):
    """What became of having a weakly read page read by a stronger engine."""

    WAITING = "WAITING"
    BETTER = "BETTER"
    WORSE = "WORSE"
    FAILED = "FAILED"


READ_PAGES = (Stage.INGEST, Stage.OCR, Stage.ESCALATE)
"""The stages whose jobs read pages; a document's ingest job sees to all of them."""

FINAL = frozenset({DocumentStatus.PROCESSED, DocumentStatus.PARTIAL, DocumentStatus.FAILED})

DOCUMENT_MOVES: dict[DocumentStatus, frozenset[DocumentStatus]] = {
    DocumentStatus.PENDING: frozenset({DocumentStatus.PROCESSING, DocumentStatus.FAILED}),
    DocumentStatus.PROCESSING: FINAL,
    # A final document moves again only when a person reprocesses it, or sends one of its failed jobs again.
    DocumentStatus.PROCESSED: frozenset({DocumentStatus.PENDING, DocumentStatus.PROCESSING}),
    DocumentStatus.PARTIAL: frozenset({DocumentStatus.PENDING, DocumentStatus.PROCESSING}),
    DocumentStatus.FAILED: frozenset({DocumentStatus.PENDING, DocumentStatus.PROCESSING}),
}

JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.RUNNING}),
    # RUNNING to RUNNING: the lease ran out and another worker took the job.
    JobStatus.RUNNING: frozenset({JobStatus.RUNNING, JobStatus.PENDING, JobStatus.COMPLETED, JobStatus.FAILED}),
    # Recovery has a job done again whose result is gone, such as entries of the search index.
    JobStatus.COMPLETED: frozenset({JobStatus.PENDING}),
    JobStatus.FAILED: frozenset({JobStatus.PENDING}),
}


def sources(target: DocumentStatus) -> frozenset[DocumentStatus]:
    """The states from which a document may become `target`."""
    return frozenset(status for status, targets in DOCUMENT_MOVES.items() if target in targets)
