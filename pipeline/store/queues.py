"""What lies in each queue, as far as it is not done."""

from collections import Counter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pipeline.states import JobStatus
from pipeline.tables import Job

UNDONE = (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.FAILED)
"""Each has an index of its own; done jobs may be millions."""


def undone(session: Session) -> Counter[tuple[str, JobStatus]]:
    """How many jobs each queue has in each state but COMPLETED."""
    found: Counter[tuple[str, JobStatus]] = Counter()
    for status in UNDONE:
        rows = session.execute(select(Job.queue, func.count()).where(Job.status == status).group_by(Job.queue))
        found.update({(queue, status): count for queue, count in rows})
    return found


def oldest_waiting(session: Session) -> dict[str, float]:
    """Seconds since the oldest waiting job of each queue was made."""
    age = func.extract("epoch", func.now() - func.min(Job.created_at))
    rows = session.execute(select(Job.queue, age).where(Job.status == JobStatus.PENDING).group_by(Job.queue))
    return {queue: float(seconds) for queue, seconds in rows}
