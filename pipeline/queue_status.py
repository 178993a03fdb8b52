"""How the queues stand: what waits in each, and who takes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.database import Database
from pipeline.queue_settings import OcrQueueSettings
from pipeline.settings import Settings
from pipeline.states import JobStatus
from pipeline.store import queues, workers

MISSED_BEATS = 3
"""A worker that did not tell of itself so many times is taken for dead."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    queue: str
    engine: str | None
    waiting: int
    running: int
    failed: int
    workers: int
    oldest_seconds: float | None
    """How long the oldest waiting job has been there."""
    configured: bool
    """Whether the settings name the queue; else no worker can take it."""

    @property
    def is_unserved(self) -> bool:
        """Whether jobs wait that nobody will do."""
        return self.waiting > 0 and self.workers == 0


def queue_status(database: Database, settings: Settings) -> Sequence[QueueStatus]:
    """The queues of the settings, and those that have jobs though no setting names them.

    Raises:
        StorageUnavailable: Postgres cannot be reached.
    """
    with database.session() as session:
        counts, oldest = queues.undone(session), queues.oldest_waiting(session)
        served = workers.by_queue(session, silent_after=MISSED_BEATS * settings.ring_every_seconds)
    names = [*settings.queues, *sorted({queue for queue, _ in counts} - set(settings.queues))]
    found: list[QueueStatus] = []
    for name in names:
        queue = settings.queues.get(name)
        found.append(
            QueueStatus(
                queue=name,
                engine=queue.engine if isinstance(queue, OcrQueueSettings) else None,
                waiting=counts[name, JobStatus.PENDING],
                running=counts[name, JobStatus.RUNNING],
                failed=counts[name, JobStatus.FAILED],
                workers=served[name],
                oldest_seconds=oldest.get(name),
                configured=queue is not None,
            )
        )
    return found
