"""Readings beside the one that stands for a page, and the search for a page that was read in the same way before."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import inspect, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, undefer

from pipeline.reading.types import PageMethod, PageReading
from pipeline.states import PageStatus
from pipeline.store.text import storable
from pipeline.tables import OtherReading, Page, Reading

COLUMNS = tuple(name for name in Reading.__annotations__)
"""Of a reading, wherever it is stored."""


def equal(session: Session, result_key: str) -> PageReading | None:
    """What was read on a page that looks alike, in the same way. Number and boxes are those of that page."""
    return _equal(session, Page, result_key) or _equal(session, OtherReading, result_key)


def _equal(session: Session, table: type[Page] | type[OtherReading], result_key: str) -> PageReading | None:
    query = select(table).where(table.result_key == result_key, table.text.is_not(None)).limit(1)
    found: Any = session.scalars(query.options(undefer(table.words))).one_or_none()
    if found is None:
        return None
    values: dict[str, Any] = {column: getattr(found, column) for column in COLUMNS}
    values |= {"words": found.words or [], "notes": found.notes or [], "timings": {}, "duration_ms": 0}
    return PageReading(number=found.number, status=PageStatus.DONE, method=PageMethod.OCR, reused=True, **values)


def put_aside(session: Session, document_id: int, numbers: Sequence[int], new_keys: Sequence[str | None]) -> None:
    """Keep the readings that stand for these pages, as others are about to take their place."""
    page = inspect(Page).columns
    standing = select(literal(document_id), page.number, *(page[column] for column in COLUMNS)).where(
        page.document_id == document_id,
        page.number.in_(numbers),
        page.result_key.is_not(None),
        page.result_key.not_in([key for key in new_keys if key]),
    )
    into = upsert(OtherReading).from_select(["document_id", "number", *COLUMNS], standing)
    session.execute(into.on_conflict_do_nothing())


def add(session: Session, document_id: int, reading: PageReading) -> None:
    """Keep a reading that is not to stand for its page."""
    row = {column: storable(getattr(reading, column)) for column in COLUMNS}
    into = upsert(OtherReading).values(row | {"document_id": document_id, "number": reading.number})
    session.execute(into.on_conflict_do_nothing())


def of_document(session: Session, document_id: int) -> Sequence[OtherReading]:
    """The readings that do not stand, in the order of their pages."""
    query = select(OtherReading).where(OtherReading.document_id == document_id)
    return session.scalars(query.order_by(OtherReading.number, OtherReading.id)).all()
