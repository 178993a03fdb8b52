"""Figures over the whole archive: how much there is, how it was read, and what the second readings gained."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pipeline.states import Escalation
from pipeline.tables import Document, OtherReading, Page


@dataclass(frozen=True, slots=True)
class ReadPages:
    """Pages that were read in one way."""

    method: str
    engine: str | None
    pages: int
    reused: int
    """Of them, how many took over the result of an equal page."""
    confidence: float | None
    seconds: float
    """Spent by processes on all of them together."""


@dataclass(frozen=True, slots=True)
class Escalated:
    """Pages that were sent to a stronger engine, by what became of it."""

    outcome: Escalation
    pages: int
    characters_gained: float
    """Those that are probably right in the reading that stands, less those of the other one."""


def documents_by_status(session: Session) -> dict[str, int]:
    rows = session.execute(select(Document.status, func.count()).group_by(Document.status).order_by(Document.status))
    return {row[0]: row[1] for row in rows}


def read_pages(session: Session) -> Sequence[ReadPages]:
    rows = session.execute(
        select(
            Page.method,
            Page.engine,
            func.count(),
            func.count().filter(Page.reused),
            func.avg(Page.confidence),
            func.coalesce(func.sum(Page.duration_ms), 0) / 1000.0,
        )
        .where(Page.method.is_not(None))
        .group_by(Page.method, Page.engine)
        .order_by(func.count().desc())
    )
    return [
        ReadPages(method, engine, count, reused, confidence, float(seconds))
        for method, engine, count, reused, confidence, seconds in rows
    ]


def escalated(session: Session) -> Sequence[Escalated]:
    best_other = (
        select(func.max(OtherReading.quality))
        .where(OtherReading.document_id == Page.document_id, OtherReading.number == Page.number)
        .scalar_subquery()
    )
    gained = func.sum(Page.quality - best_other).filter(Page.escalation == Escalation.BETTER)
    rows = session.execute(
        select(Page.escalation, func.count(), func.coalesce(gained, 0.0))
        .where(Page.escalation.is_not(None))
        .group_by(Page.escalation)
        .order_by(Page.escalation)
    )
    return [Escalated(Escalation(row[0] or ""), row[1], round(float(row[2] or 0), 1)) for row in rows]
