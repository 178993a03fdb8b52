"""Finds documents that nobody works on, though they are not at their end, and gives them the job that is missing."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from pipeline.states import READ_PAGES, DocumentStatus, JobStatus, PageStatus, Stage
from pipeline.store.jobs import AFRESH, NO_END
from pipeline.tables import Document, Job, Page

LIVE = (JobStatus.PENDING, JobStatus.RUNNING)
UNFINISHED = (DocumentStatus.PENDING, DocumentStatus.PROCESSING)


def documents_without_work(session: Session, limit: int) -> Sequence[int]:
    """Ids of unfinished documents that have no live job, or a page that none of their live jobs will read."""
    live = exists().where(Job.document_id == Document.id, Job.status.in_(LIVE))
    orphan = exists().where(Page.document_id == Document.id, Page.status == PageStatus.PENDING, ~_covered_by_live_job())
    query = select(Document.id).where(Document.status.in_(UNFINISHED), or_(~live, orphan))
    return session.scalars(query.order_by(Document.id).limit(limit)).all()


def pages_without_work(session: Session, document_id: int) -> Sequence[int]:
    """Numbers of the document's pending pages that no live job will read."""
    query = select(Page.number).where(
        Page.document_id == document_id, Page.status == PageStatus.PENDING, ~_covered_by_live_job()
    )
    return session.scalars(query.order_by(Page.number)).all()


def has_live_job(session: Session, document_id: int, *stages: Stage) -> bool:
    """Whether somebody works or will work on one of these stages; without any named, on any."""
    wanted = Job.stage.in_(stages or tuple(Stage))
    return bool(session.scalar(select(exists().where(Job.document_id == document_id, wanted, Job.status.in_(LIVE)))))


def restart(
    session: Session, document_id: int, stage: Stage, queue: str, ranges: Iterable[tuple[int | None, int | None]]
) -> None:
    """Add jobs of a stage for page ranges (first, last); one that is there but at its end begins again."""
    rows = [
        {"document_id": document_id, "stage": stage, "queue": queue, "first_page": first, "last_page": last}
        for first, last in ranges
    ]
    if not rows:
        return
    statement = upsert(Job).values(rows)
    again = AFRESH | NO_END | {"last_page": statement.excluded.last_page}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["document_id", "stage", "first_page"], set_=again, where=Job.status.not_in(LIVE)
        )
    )


def _covered_by_live_job() -> ColumnElement[bool]:
    """An ingest job, which has no range, sees to all pages."""
    return exists().where(
        Job.document_id == Page.document_id,
        Job.stage.in_(READ_PAGES),
        Job.status.in_(LIVE),
        func.coalesce(Job.first_page, 1) <= Page.number,
        func.coalesce(Job.last_page, Page.number) >= Page.number,
    )
