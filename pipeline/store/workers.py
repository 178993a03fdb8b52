"""Workers: which live, and which queues they take. Each tells of itself now and then; who is silent counts as gone."""

from collections import Counter
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from pipeline.tables import Worker

FORGOTTEN_AFTER = timedelta(days=1)


def tell(session: Session, name: str, host: str, pid: int, queues: Collection[str]) -> None:
    """A worker lives and takes these queues. Those that have long been silent are forgotten."""
    row = {"name": name, "host": host, "pid": pid, "queues": sorted(queues)}
    session.execute(
        upsert(Worker)
        .values(row)
        .on_conflict_do_update(index_elements=["name"], set_={"queues": row["queues"], "seen_at": func.now()})
    )
    session.execute(delete(Worker).where(Worker.seen_at < func.now() - FORGOTTEN_AFTER))


def leave(session: Session, name: str) -> None:
    session.execute(delete(Worker).where(Worker.name == name))


def by_queue(session: Session, silent_after: float) -> Counter[str]:
    """How many workers take each queue; one that was silent for so many seconds is none."""
    alive = Worker.seen_at > func.now() - timedelta(seconds=silent_after)
    queue = func.unnest(Worker.queues).label("queue")
    rows = session.execute(select(queue, func.count()).where(alive).group_by(queue))
    return Counter({row[0]: row[1] for row in rows})
