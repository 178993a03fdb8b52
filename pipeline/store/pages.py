"""Pages: what was read from each, and what is still to be read."""

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session, undefer

from pipeline.errors import ArsipError, NotFound
from pipeline.reading.types import PageReading
from pipeline.states import PageStatus
from pipeline.store.text import storable
from pipeline.tables import Page

STORED = (
    "status", "method", "width", "height", "unit", "text", "words", "tables", "engine", "engine_version",
    "engine_options", "languages", "dpi", "notes", "confidence", "duration_ms", "failure_code", "failure_reason",
)  # fmt: skip


def save(session: Session, document_id: int, readings: Iterable[PageReading]) -> None:
    """Write what was read."""
    rows = []
    for reading in readings:
        row = {column: storable(getattr(reading, column)) for column in STORED}
        rows.append(row | {"document_id": document_id, "number": reading.number})
    if rows:
        session.execute(update(Page), rows)


def pending(session: Session, document_id: int, first: int = 1, last: int | None = None) -> Sequence[int]:
    """Numbers of the pages in a range (both ends included) that nobody has read yet."""
    unread = _in_range(document_id, PageStatus.PENDING, first, last)
    return session.scalars(select(Page.number).where(*unread).order_by(Page.number)).all()


def fail_pending(
    session: Session, document_id: int, error: ArsipError, first: int = 1, last: int | None = None
) -> None:
    """Give up the pages in a range that nobody has read."""
    unread = _in_range(document_id, PageStatus.PENDING, first, last)
    reason = {"failure_code": error.code, "failure_reason": storable(str(error))}
    session.execute(update(Page).where(*unread).values(status=PageStatus.FAILED, **reason))


def reset_failed(session: Session, document_id: int, first: int = 1, last: int | None = None) -> None:
    """Have the pages in a range read again that could not be read."""
    failed = _in_range(document_id, PageStatus.FAILED, first, last)
    session.execute(
        update(Page).where(*failed).values(status=PageStatus.PENDING, failure_code=None, failure_reason=None)
    )


def listed(session: Session, document_id: int, *, with_words: bool = False) -> Sequence[Page]:
    query = select(Page).where(Page.document_id == document_id).order_by(Page.number)
    return session.scalars(query.options(undefer(Page.words), undefer(Page.tables)) if with_words else query).all()


def one(session: Session, document_id: int, number: int) -> Page:
    """One page with its words and tables.

    Raises:
        NotFound: the document has no such page.
    """
    page = session.scalars(
        select(Page)
        .where(Page.document_id == document_id, Page.number == number)
        .options(undefer(Page.words), undefer(Page.tables))
    ).one_or_none()
    if page is None:
        raise NotFound(f"document {document_id} has no page {number}")
    return page


def counts(session: Session, document_id: int) -> Counter[PageStatus]:
    rows = session.execute(
        select(Page.status, func.count()).where(Page.document_id == document_id).group_by(Page.status)
    )
    return Counter({PageStatus(status): count for status, count in rows})


def _in_range(document_id: int, status: PageStatus, first: int, last: int | None) -> list[ColumnElement[bool]]:
    pages = [Page.document_id == document_id, Page.status == status, Page.number >= first]
    return pages if last is None else [*pages, Page.number <= last]
