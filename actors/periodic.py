"""The periodic actors and when they run. Each is idempotent and runs once however many schedulers there are."""

from collections.abc import Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from periodiq import PeriodiqMiddleware, cron

from actors.recovery import Recovery
from actors.stages import PRIORITIES
from pipeline.queue_settings import Priority

QUEUE = "periodic"
EVERY_MINUTE = "* * * * *"
TIME_LIMIT = 300
"""Seconds."""


def periodic_middleware() -> PeriodiqMiddleware:
    """Lets actors be periodic; a message that is older than half a minute is dropped, as the next one is on its way."""
    return PeriodiqMiddleware(skip_delay=30)


def declare_periodic_actors(broker: RedisBroker, recovery: Recovery) -> None:
    _declare(broker, "recover", EVERY_MINUTE, recovery.run)
    _declare(broker, "compare", EVERY_MINUTE, recovery.compare)
    _declare(broker, "watch_queues", EVERY_MINUTE, recovery.watch_queues)


def _declare(broker: RedisBroker, name: str, schedule: str, do: Callable[[], None]) -> None:
    def work() -> None:
        do()

    dramatiq.actor(
        broker=broker,
        actor_name=name,
        queue_name=QUEUE,
        priority=PRIORITIES[Priority.LOW],
        periodic=cron(schedule),
        time_limit=TIME_LIMIT * 1000,
        max_retries=0,
    )(work)
