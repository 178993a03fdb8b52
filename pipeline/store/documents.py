"""Documents: loading, listing, and their way from PENDING to a final state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, cast, delete, func, insert, literal, select
from sqlalchemy.orm import Session

from pipeline.errors import ArsipError, NotFound
from pipeline.states import FINAL, DocumentStatus, PageStatus, Stage, sources
from pipeline.store import jobs, pages
from pipeline.store.text import storable
from pipeline.tables import Document, DocumentSource, Job, Page


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Narrows a listing; `name` is a pattern with * and ?, dates are of arrival with both ends included."""

    status: DocumentStatus | None = None
    name: str | None = None
    number: str | None = None
    since: date | None = None
    until: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if self.status:
            conditions.append(Document.status == self.status)
        if self.name:
            pattern = self.name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            conditions.append(Document.name.ilike(pattern.replace("*", "%").replace("?", "_"), escape="\\"))
        if self.number:
            conditions.append(Document.extracted_doc_number.istartswith(self.number, autoescape=True))
        if self.since:
            conditions.append(Document.created_at >= cast(self.since, Date))
        if self.until:
            conditions.append(Document.created_at < cast(self.until + timedelta(days=1), Date))
        return conditions


def load(session: Session, document_id: int, *, lock: bool = False) -> Document:
    """One document; `lock` keeps other workers from moving it until the transaction ends.

    A transaction that locks a document and holds a job locks the document first, or two of them could deadlock.

    Raises:
        NotFound: no document has this id.
    """
    query = select(Document).where(Document.id == document_id)
    # NO KEY UPDATE leaves room for rows that refer to the document.
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    document = session.scalars(locked if lock else query).one_or_none()
    if document is None:
        raise NotFound(f"there is no document {document_id}; `arsip documents list` shows those that are")
    return document


def listed(session: Session, wanted: DocumentFilter, *, limit: int, offset: int = 0) -> tuple[Sequence[Document], int]:
    """A page of the listing, the newest first, and how many documents match in all."""
    conditions = wanted.conditions()
    total = session.scalar(select(func.count()).select_from(Document).where(*conditions)) or 0
    query = select(Document).where(*conditions).order_by(Document.id.desc()).limit(limit).offset(offset)
    return session.scalars(query).all(), total


def in_status(session: Session, status: DocumentStatus | None) -> Sequence[int]:
    return session.scalars(select(Document.id).where(Document.status == status).order_by(Document.id)).all()


def paths(session: Session, document_id: int) -> Sequence[str]:
    """Where the document's bytes were found, in the order of discovery."""
    query = select(DocumentSource.path).where(DocumentSource.document_id == document_id).order_by(DocumentSource.id)
    return session.scalars(query).all()


def start(session: Session, document: Document, *, media_type: str, page_count: int) -> None:
    """Move a document, which this transaction has locked, to PROCESSING and make a row for every page without one."""
    _move(document, DocumentStatus.PROCESSING)
    document.media_type, document.page_count = media_type, page_count
    known = select(Page.number).where(Page.document_id == document.id)
    numbers = select(func.generate_series(1, page_count).label("number")).subquery()
    missing = select(literal(document.id), numbers.c.number).where(numbers.c.number.not_in(known))
    session.execute(insert(Page).from_select(["document_id", "number"], missing))
    session.execute(delete(Page).where(Page.document_id == document.id, Page.number > page_count))


def advance(session: Session, document: Document) -> frozenset[str]:
    """Add the index job once no page is pending. That this transaction has locked the document makes it happen once.

    Returns:
        The names of the queues that got a job.
    """
    pending = select(Page.number).where(Page.document_id == document.id, Page.status == PageStatus.PENDING).limit(1)
    if document.page_count is None or session.scalar(pending) is not None:
        return frozenset()
    return frozenset({"index"}) if jobs.add(session, document.id, Stage.INDEX, "index") else frozenset()


def finish(
    document: Document,
    status: DocumentStatus,
    *,
    error: ArsipError | None = None,
    indexed: bool = False,
    number: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Move a document, which this transaction has locked, to a final state."""
    _move(document, status)
    document.full_text_indexed = indexed
    document.failure_code, document.failure_reason = (error.code, storable(str(error))) if error else (None, None)
    document.finished_at = func.now()
    document.extracted_doc_number = number
    document.ocr_metadata = metadata or {}


def reset(session: Session, document_id: int, *, ocr_queue: str | None = None, languages: str | None = None) -> None:
    """Start the document again from its original: its jobs go, a new ingest job comes.

    What was read of its pages stands, and is found, until each is read anew. A worker that still works on an old job
    finds it gone and writes nothing.
    """
    document = load(session, document_id, lock=True)
    if DocumentStatus(document.status).final:
        _move(document, DocumentStatus.PENDING)
    document.status = DocumentStatus.PENDING
    document.failure_code = document.failure_reason = document.finished_at = None
    # Else a document that cannot be opened this time would count as one whose pages are all read.
    document.page_count = None
    document.ocr_queue = ocr_queue or document.ocr_queue
    document.languages = languages or document.languages
    session.execute(delete(Job).where(Job.document_id == document_id))
    pages.read_again(session, document_id)
    jobs.add(session, document_id, Stage.INGEST, "ingest")


def resume(session: Session, document_id: int) -> None:
    """Go on with a document of which a job is sent again: it is not at its end any more, if it was."""
    document = load(session, document_id, lock=True)
    if DocumentStatus(document.status).final:
        _move(document, DocumentStatus.PENDING if document.page_count is None else DocumentStatus.PROCESSING)
        document.failure_code = document.failure_reason = document.finished_at = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far some documents are."""

    finished: Sequence[Document]
    pages_done: int
    """Pages of the unfinished ones that are done or failed."""
    pages_known: int
    """Pages of the unfinished ones as far as their number is known."""
    uncounted: int
    """Unfinished documents whose number of pages is not known yet."""


def progress(session: Session, document_ids: Iterable[int]) -> Progress:
    ids = list(document_ids)
    finished = session.scalars(select(Document).where(Document.id.in_(ids), Document.status.in_(FINAL))).all()
    unfinished = set(ids) - {document.id for document in finished}
    known = session.execute(
        select(
            func.coalesce(func.sum(Document.page_count), 0), func.count().filter(Document.page_count.is_(None))
        ).where(Document.id.in_(unfinished))
    ).one()
    done = session.scalar(
        select(func.count())
        .select_from(Page)
        .where(Page.document_id.in_(unfinished), Page.status != PageStatus.PENDING)
    )
    return Progress(finished=finished, pages_done=done or 0, pages_known=known[0] or 0, uncounted=known[1])


def _move(document: Document, status: DocumentStatus) -> None:
    """A second try of a stage finds the document where the first left it."""
    current = DocumentStatus(document.status)
    if current != status and current not in sources(status):
        raise ValueError(f"document {document.id} cannot go from {current} to {status}")
    document.status = status
