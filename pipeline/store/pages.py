"""Pages: what was read from each, and what is still to be read."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session, undefer

from pipeline.errors import ArsipError, NotFound
from pipeline.reading.types import PageMethod, PageReading
from pipeline.states import Escalation, PageStatus
from pipeline.store import readings as readings_store
from pipeline.store.text import storable
from pipeline.tables import Page

NEW_STATUS = ("status", "failure_code", "failure_reason")
SIZE = ("width", "height", "unit")


def save(session: Session, document_id: int, readings: Iterable[PageReading]) -> None:
    """Write what was read, or that a page is to be recognised, or cannot be read.

    The reading that a page had before stands until a new one takes its place, and is kept beside it then.
    """
    rows: dict[PageStatus, list[dict[str, Any]]] = defaultdict(list)
    columns = {
        PageStatus.DONE: (*NEW_STATUS, *readings_store.COLUMNS, "method", "tables", "reused"),
        PageStatus.PENDING: (*NEW_STATUS, *SIZE),
        PageStatus.FAILED: NEW_STATUS,
    }
    for reading in readings:
        row = {column: storable(getattr(reading, column)) for column in columns[reading.status]}
        if reading.status == PageStatus.DONE:
            row["escalation"] = None
        rows[reading.status].append(row | {"document_id": document_id, "number": reading.number})
    if done := rows[PageStatus.DONE]:
        readings_store.put_aside(
            session, document_id, [row["number"] for row in done], [row["result_key"] for row in done]
        )
    for some in rows.values():
        if some:
            session.execute(update(Page), some)


def wait_for_escalation(session: Session, document_id: int, number: int) -> None:
    """Leave a page that is read open until a stronger engine has read it too."""
    _set(
        session,
        document_id,
        number,
        status=PageStatus.PENDING,
        escalation=Escalation.WAITING,
        escalated_at=func.now(),
    )


def end_escalation(session: Session, document_id: int, number: int, outcome: Escalation) -> None:
    """The page has the reading that it is to keep."""
    _set(session, document_id, number, status=PageStatus.DONE, escalation=outcome)


def escalated(session: Session, document_id: int, besides: int) -> int:
    """How many of the document's pages, besides this one, were sent to a stronger engine."""
    sent = (Page.document_id == document_id, Page.number != besides, Page.escalation.is_not(None))
    return session.scalar(select(func.count()).where(*sent)) or 0


def escalated_since(session: Session, age: timedelta) -> int:
    """How many pages of all documents were sent to a stronger engine in this time."""
    return session.scalar(select(func.count()).where(Page.escalated_at > func.now() - age)) or 0


def pending(session: Session, document_id: int, first: int = 1, last: int | None = None) -> Sequence[int]:
    """Numbers of the pages in a range (both ends included) that nobody has read yet."""
    unread = _in_range(document_id, PageStatus.PENDING, first, last)
    return session.scalars(select(Page.number).where(*unread).order_by(Page.number)).all()


def with_text_layer(session: Session, document_id: int) -> Sequence[int]:
    """Numbers of the pages whose text layer stands for them."""
    query = select(Page.number).where(
        Page.document_id == document_id, Page.status == PageStatus.DONE, Page.method == PageMethod.TEXT_LAYER
    )
    return session.scalars(query.order_by(Page.number)).all()


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


def read_again(session: Session, document_id: int) -> None:
    """Have all pages read again; what was read before stands until then."""
    session.execute(
        update(Page)
        .where(Page.document_id == document_id)
        .values(status=PageStatus.PENDING, failure_code=None, failure_reason=None, escalation=None, escalated_at=None)
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


def _set(session: Session, document_id: int, number: int, **values: Any) -> None:
    session.execute(update(Page).where(Page.document_id == document_id, Page.number == number).values(values))
