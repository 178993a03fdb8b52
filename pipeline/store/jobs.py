"""Jobs: claimed with a lease and a fencing token, on the database's clock.

A worker claims a job with one atomic UPDATE, renews its lease while it works, and writes every result in a
transaction that holds the job (`hold`): a worker that lost its lease writes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from pipeline.errors import ArsipError, LeaseLost
from pipeline.states import JobStatus, Stage
from pipeline.store.text import storable
from pipeline.tables import Job

AFRESH: dict[str, Any] = {
    "status": JobStatus.PENDING,
    "attempts": 0,
    "deaths": 0,
    "rung_at": None,
    "not_before": None,
}
"""The columns of a job that begins as if it had never been tried."""
NO_END: dict[str, Any] = {"failure_code": None, "failure_reason": None, "finished_at": None}
"""The columns of one that has not ended."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job; `token` is what every result is checked against."""

    job_id: int
    document_id: int
    stage: Stage
    queue: str
    first_page: int | None
    last_page: int | None
    token: int
    attempts: int
    """This try included."""
    deaths: int
    """Tries before it that ended with the death of their worker."""
    quarantined: bool
    """Whether this is a single page that is suspected of killing those who read it."""
    last_failure: str | None
    """What is known of the try before."""
    death_facts: dict[str, Any]
    """How the last worker died, for programs."""


def claim(session: Session, job_id: int, worker: str, seconds: float) -> Lease | None:
    """Take a job that is pending or whose lease ran out; None if it is done, gone or held by a living worker."""
    free = or_(
        Job.status == JobStatus.PENDING,
        and_(Job.status == JobStatus.RUNNING, Job.leased_until < func.now()),
    )
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, free)
        .values(
            status=JobStatus.RUNNING,
            token=Job.token + 1,
            attempts=Job.attempts + 1,
            # Nobody handed it back: whoever had it is dead, or as good as dead.
            deaths=Job.deaths + case((Job.status == JobStatus.RUNNING, 1), else_=0),
            worker=worker,
            leased_until=func.now() + timedelta(seconds=seconds),
            started_at=func.now(),
            finished_at=None,
        )
        .returning(Job)
    ).scalar_one_or_none()
    if row is None:
        return None
    return Lease(
        job_id=row.id,
        document_id=row.document_id,
        stage=Stage(row.stage),
        queue=row.queue,
        first_page=row.first_page,
        last_page=row.last_page,
        token=row.token,
        attempts=row.attempts,
        deaths=row.deaths,
        quarantined=row.quarantined,
        last_failure=row.failure_reason,
        death_facts=row.death_facts or {},
    )


def renew(session: Session, lease: Lease, seconds: float) -> bool:
    """Prolong the lease to `seconds` from now; False if another worker has the job or it is gone."""
    renewed = session.execute(
        update(Job).where(*_held(lease)).values(leased_until=func.now() + timedelta(seconds=seconds)).returning(Job.id)
    )
    return renewed.one_or_none() is not None


def hold(session: Session, lease: Lease) -> None:
    """Lock the job until the transaction ends; call it before writing any result.

    Raises:
        LeaseLost: another worker has the job, or it is gone.
    """
    if session.execute(select(Job.id).where(*_held(lease)).with_for_update()).one_or_none() is None:
        raise LeaseLost(f"job {lease.job_id} was taken by another worker; the result of token {lease.token} is refused")


def complete(session: Session, lease: Lease) -> None:
    _end(session, lease, JobStatus.COMPLETED, None)


def fail(session: Session, lease: Lease, error: ArsipError) -> None:
    """End the job for good."""
    _end(session, lease, JobStatus.FAILED, error)


def release(session: Session, lease: Lease, error: ArsipError, *, wait: float) -> None:
    """Hand the job back to be tried again, `wait` seconds from now at the earliest."""
    session.execute(
        update(Job)
        .where(*_held(lease))
        .values(
            status=JobStatus.PENDING,
            leased_until=None,
            not_before=func.now() + timedelta(seconds=wait),
            rung_at=func.now(),
            failure_code=error.code,
            failure_reason=storable(str(error)),
        )
    )


def hand_back(session: Session, lease: Lease) -> None:
    """Make the job pending at once, as if this try had not been: its worker stops."""
    session.execute(
        update(Job)
        .where(*_held(lease))
        .values(status=JobStatus.PENDING, leased_until=None, rung_at=None, attempts=Job.attempts - 1)
    )


def send_again(session: Session, job_id: int, token: int) -> Job | None:
    """Make a failed job pending as if it had never been tried; None if this try did not fail, or was not its last."""
    failed = (Job.id == job_id, Job.token == token, Job.status == JobStatus.FAILED)
    return session.scalars(update(Job).where(*failed).values(AFRESH | NO_END).returning(Job)).one_or_none()


def drop_index(session: Session, document_id: int) -> None:
    """Take the index job away, so that the document gets a new one after its last page."""
    session.execute(delete(Job).where(Job.document_id == document_id, Job.stage == Stage.INDEX))


def bury(session: Session, worker: str, error: ArsipError) -> frozenset[str]:
    """Free at once what a worker held that is known to be dead.

    Returns:
        The names of the queues that have a job to ring for.
    """
    freed = session.scalars(
        update(Job)
        .where(Job.worker == worker, Job.status == JobStatus.RUNNING)
        .values(
            status=JobStatus.PENDING,
            leased_until=None,
            rung_at=None,
            deaths=Job.deaths + 1,
            death_facts=error.facts,
            failure_code=error.code,
            failure_reason=storable(str(error)),
        )
        .returning(Job.queue)
    )
    return frozenset(freed)


def isolate(session: Session, lease: Lease, suspects: Sequence[int], *, tried: bool) -> None:
    """Make each suspected page a quarantined job of its own; the job that is held becomes the first of them.

    Args:
        suspects: numbers of pages, at least one; the job's other pages are done.
        tried: whether each has failed on its own already, so that only the last resort is left.
    """
    fresh = AFRESH | {"quarantined": True, "attempts": int(tried), "leased_until": None}
    first, *others = suspects
    session.execute(update(Job).where(*_held(lease)).values(first_page=first, last_page=first, **fresh))
    rows = [
        {"document_id": lease.document_id, "stage": lease.stage, "queue": lease.queue, **fresh}
        | {"first_page": number, "last_page": number}
        for number in others
    ]
    if rows:
        session.execute(insert(Job), rows)


def add(session: Session, document_id: int, stage: Stage, queue: str) -> bool:
    """Add the document's job of a stage unless it is there; True if it was added."""
    added = session.execute(
        upsert(Job).values(document_id=document_id, stage=stage, queue=queue).on_conflict_do_nothing().returning(Job.id)
    )
    return added.one_or_none() is not None


def add_ocr(session: Session, document_id: int, queue: str, ranges: Iterable[tuple[int, int]]) -> int:
    """Add OCR jobs for page ranges (first, last), both included; returns how many."""
    rows = [
        {"document_id": document_id, "stage": Stage.OCR, "queue": queue, "first_page": first, "last_page": last}
        for first, last in ranges
    ]
    if rows:
        session.execute(insert(Job), rows)
    return len(rows)


def take_waiting(session: Session, queue: str, limit: int, *, again_after: float) -> list[int]:
    """Ids of jobs that need a message, oldest first, marked as rung.

    These are pending jobs that were never rung for, running ones whose lease ran out, and both kinds again if their
    message seems lost: it is `again_after` seconds old.
    """
    quiet = or_(
        Job.rung_at.is_(None), Job.rung_at < Job.leased_until, Job.rung_at < func.now() - timedelta(seconds=again_after)
    )
    due = or_(Job.not_before.is_(None), Job.not_before < func.now())
    # Each kind by itself, as each has an index; together they were searched for among all jobs that ever were.
    kinds = (
        (Job.status == JobStatus.PENDING, due),
        (Job.status == JobStatus.RUNNING, Job.leased_until < func.now()),
    )
    chosen = [
        select(Job.id)
        .where(Job.queue == queue, *kind, quiet)
        .order_by(Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte()
        for kind in kinds
    ]
    ids = sorted(session.scalars(union_all(*(select(one.c.id) for one in chosen))))
    if ids:
        session.execute(update(Job).where(Job.id.in_(ids)).values(rung_at=func.now()))
    return ids


def unring(session: Session, job_ids: Iterable[int]) -> None:
    """Take the mark back: their messages were not sent, or came to nothing."""
    session.execute(update(Job).where(Job.id.in_(list(job_ids))).values(rung_at=None))


def _held(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (Job.id == lease.job_id, Job.token == lease.token, Job.status == JobStatus.RUNNING)


def _end(session: Session, lease: Lease, status: JobStatus, error: ArsipError | None) -> None:
    session.execute(
        update(Job)
        .where(*_held(lease))
        .values(
            status=status,
            leased_until=None,
            finished_at=func.now(),
            failure_code=error and error.code,
            failure_reason=error and storable(str(error)),
        )
    )
