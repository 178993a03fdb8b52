"""Dead letters: messages and jobs that nobody tries again unless a person sends them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, cast, delete, exists, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from pipeline.errors import NotFound
from pipeline.states import JobStatus
from pipeline.store.text import storable
from pipeline.tables import DeadLetter, Job


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Narrows a listing. Letters that were sent again, or whose job goes on by itself, count only with `settled`."""

    queue: str | None = None
    error_code: str | None = None
    older_than: timedelta | None = None
    document_id: int | None = None
    settled: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if self.queue:
            conditions.append(DeadLetter.queue == self.queue)
        if self.error_code:
            conditions.append(DeadLetter.error_code == self.error_code)
        if self.older_than is not None:
            conditions.append(DeadLetter.created_at < func.now() - self.older_than)
        if self.document_id is not None:
            conditions.append(DeadLetter.document_id == self.document_id)
        if not self.settled:
            conditions.append(DeadLetter.retried_at.is_(None))
        return conditions


@dataclass(frozen=True, slots=True)
class LetterGroup:
    error_class: str
    error_code: str
    queue: str
    count: int
    oldest: datetime
    newest: datetime


def add(session: Session, letter: dict[str, Any], *, replace: bool = True) -> None:
    """Write a letter, given as columns. With a `job_id` the job's row tells document, token and attempts.

    The same message, or the same try of a job, is one letter.

    Args:
        replace: whether this letter knows more than one that is there already.
    """
    row = {column: storable(value) for column, value in letter.items()}
    job = session.get(Job, row["job_id"]) if row.get("job_id") is not None else None
    if row.get("job_id") is not None and job is None:
        # Its document began anew, or a person forgot it.
        return
    if job:
        row |= {"document_id": job.document_id, "job_token": job.token, "attempts": job.attempts}
        if job.status != JobStatus.FAILED:
            # Only this message is at its end: the job is done, or somebody rings for it again.
            row["retried_at"] = func.now()
    statement = upsert(DeadLetter).values(row)
    if not replace:
        session.execute(statement.on_conflict_do_nothing())
        return
    same_try = exists().where(DeadLetter.job_id == row.get("job_id"), DeadLetter.job_token == row.get("job_token"))
    target = ["job_id", "job_token"] if session.scalar(select(same_try)) else ["message_id"]
    told = {name: statement.excluded[name] for name in row if name not in {"message_id", "job_id", "job_token"}}
    session.execute(statement.on_conflict_do_update(index_elements=target, set_=told))


def add_missing(session: Session) -> int:
    """Write letters for jobs that failed while nobody was left to write one; returns how many."""
    has_letter = exists().where(DeadLetter.job_id == Job.id, DeadLetter.job_token == Job.token)
    code = func.coalesce(Job.failure_code, "unknown")
    lost = select(
        func.concat("job-", Job.id, "-", Job.token),
        Job.id,
        Job.token,
        Job.document_id,
        Job.queue,
        func.concat("work.", Job.queue),
        func.jsonb_build_object("args", func.jsonb_build_array(Job.id), "kwargs", func.jsonb_build_object()),
        func.jsonb_build_object(),
        code,
        code,
        func.coalesce(Job.failure_reason, "its worker died before it could say more"),
        Job.attempts,
        Job.worker,
        func.split_part(cast(Job.worker, String), ":", 1),
    ).where(Job.status == JobStatus.FAILED, Job.finished_at < func.now() - timedelta(seconds=60), ~has_letter)
    columns = [
        "message_id", "job_id", "job_token", "document_id", "queue", "actor", "arguments", "options", "error_class",
        "error_code", "error_message", "attempts", "worker", "host",
    ]  # fmt: skip
    statement = upsert(DeadLetter).from_select(columns, lost).on_conflict_do_nothing().returning(DeadLetter.id)
    return len(session.execute(statement).all())


def listed(session: Session, wanted: LetterFilter, *, limit: int | None = None) -> Sequence[DeadLetter]:
    """The newest first."""
    query = select(DeadLetter).where(*wanted.conditions()).order_by(DeadLetter.id.desc()).limit(limit)
    return session.scalars(query).all()


def grouped(session: Session, wanted: LetterFilter) -> list[LetterGroup]:
    """How many of each error in each queue, the most frequent first."""
    key = (DeadLetter.error_class, DeadLetter.error_code, DeadLetter.queue)
    count = func.count()
    rows = session.execute(
        select(*key, count, func.min(DeadLetter.created_at), func.max(DeadLetter.created_at))
        .where(*wanted.conditions())
        .group_by(*key)
        .order_by(count.desc(), *key)
    )
    return [LetterGroup(*row) for row in rows]


def load(session: Session, letter_id: int, *, lock: bool = False) -> DeadLetter:
    """
    Raises:
        NotFound: no letter has this id.
    """
    query = select(DeadLetter).where(DeadLetter.id == letter_id)
    locked = query.with_for_update().execution_options(populate_existing=True)
    letter = session.scalars(locked if lock else query).one_or_none()
    if letter is None:
        raise NotFound(f"there is no dead letter {letter_id}; `arsip queue failed` shows those that are")
    return letter


def of_job(session: Session, job_id: int) -> Sequence[DeadLetter]:
    """All letters of a job, the oldest first: its history."""
    return session.scalars(select(DeadLetter).where(DeadLetter.job_id == job_id).order_by(DeadLetter.id)).all()


def settle(session: Session, letter_id: int) -> None:
    session.execute(update(DeadLetter).where(DeadLetter.id == letter_id).values(retried_at=func.now()))


def forget(session: Session, letter_ids: Iterable[int]) -> Sequence[int]:
    """Delete letters with their failed jobs; returns the ids of those that were there. Documents stay as they are."""
    return _delete(session, DeadLetter.id.in_(list(letter_ids)))


def flush(session: Session, wanted: LetterFilter) -> int:
    """Delete all letters that match, with their failed jobs; returns how many."""
    return len(_delete(session, *wanted.conditions()))


def _delete(session: Session, *conditions: ColumnElement[bool]) -> Sequence[int]:
    gone = delete(DeadLetter).where(*conditions).returning(DeadLetter.id, DeadLetter.job_id, DeadLetter.job_token)
    letters = session.execute(gone).all()
    # Else recovery would find failed jobs without a letter, and write them again.
    tries = [(job_id, token) for _, job_id, token in letters]
    session.execute(delete(Job).where(tuple_(Job.id, Job.token).in_(tries), Job.status == JobStatus.FAILED))
    return [letter_id for letter_id, *_ in letters]
