"""Recovery from whatever died: what nobody works on is found in Postgres and rung for."""

import logging
from collections.abc import Callable

import redis
from dramatiq.brokers.redis import RedisBroker

from actors.doorbell import Doorbell
from actors.strays import import_strays
from pipeline.archive import Archive
from pipeline.consistency import Consistency
from pipeline.errors import StorageUnavailable, TransientError
from pipeline.queue_status import queue_status
from pipeline.recovery import recover

logger = logging.getLogger(__name__)

RECOVERY, COMPARISON = 0x61727371, 0x61727372
"""Advisory locks: of all schedulers and workers, one at a time does it and the others need not."""


PATIENCE = 120.0
"""Seconds for which jobs may wait without a worker: one may just be replaced."""


class Recovery:
    """A part that is away is logged, never raised: the next run finds what this one did not."""

    def __init__(self, archive: Archive, broker: RedisBroker, doorbell: Doorbell) -> None:
        self._archive = archive
        self._broker = broker
        self._doorbell = doorbell
        self._consistency = Consistency(archive)

    def run(self) -> None:
        """Set going what was left, and ring for what waits; every minute, and when a worker starts."""
        self._in_turn(RECOVERY, self._recover)
        self._doorbell.ring_all()

    def compare(self) -> None:
        """Compare some more of the archive's parts with each other."""
        self._in_turn(COMPARISON, self._consistency.run)

    def watch_queues(self) -> None:
        """Raise the alert of queues whose jobs nobody will do."""
        try:
            found = queue_status(self._archive.database, self._archive.settings)
        except StorageUnavailable as error:
            logger.warning("could not look at the queues: %s", error)
            return
        for queue in found:
            if queue.is_unserved and (queue.oldest_seconds or 0) > PATIENCE:
                logger.error(
                    "alert: %d jobs wait in queue %s, which no worker takes; start one: arsip worker --queues %s",
                    queue.waiting,
                    queue.queue,
                    queue.queue,
                )

    def _recover(self) -> None:
        recover(self._archive)
        for queue in self._archive.settings.queues:
            import_strays(self._broker, self._archive.database, queue)

    def _in_turn(self, key: int, do: Callable[[], None]) -> None:
        try:
            with self._archive.database.turn(key) as is_mine:
                if is_mine:
                    do()
        except (TransientError, redis.RedisError) as error:
            logger.warning("recovery has to wait: %s", error)
