"""The actors: one per queue, each hands the job of its message to the runner."""

from collections.abc import Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from actors.doorbell import actor_name
from pipeline.errors import PermanentError
from pipeline.queue_settings import Priority
from pipeline.settings import Settings

PRIORITIES = {Priority.HIGH: 0, Priority.MEDIUM: 50, Priority.LOW: 100}


def declare_actors(broker: RedisBroker, settings: Settings, run_job: Callable[[int], None]) -> None:
    """Declare the actor of every queue on the broker; `run_job` is given the id of the job."""
    for queue in settings.queues:
        _declare(broker, queue, settings, run_job)


def _declare(broker: RedisBroker, queue: str, settings: Settings, run_job: Callable[[int], None]) -> None:
    def work(job_id: int) -> None:
        run_job(job_id)

    own = settings.queues[queue]
    dramatiq.actor(
        broker=broker,
        actor_name=actor_name(queue),
        queue_name=queue,
        priority=PRIORITIES[own.priority],
        time_limit=settings.time_limit(queue) * 1000,
        max_retries=settings.tries(queue) - 1,
        min_backoff=round(own.min_backoff * 1000),
        max_backoff=round(own.max_backoff * 1000),
        throws=PermanentError,
    )(work)
