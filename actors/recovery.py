"""Recovery from whatever died: what nobody works on is found in Postgres and rung for."""

import logging

import redis
from dramatiq.brokers.redis import RedisBroker

from actors.doorbell import Doorbell
from actors.strays import import_strays
from pipeline.archive import Archive
from pipeline.consistency import Consistency
from pipeline.errors import TransientError
from pipeline.recovery import recover

logger = logging.getLogger(__name__)

RECOVERY = 0x61727371
"""The advisory lock that recoveries take turns on."""


class Recovery:
    """Done every minute by the scheduler, and once by each worker that starts."""

    def __init__(self, archive: Archive, broker: RedisBroker, doorbell: Doorbell) -> None:
        self._archive = archive
        self._consistency = Consistency(archive)
        self._broker = broker
        self._doorbell = doorbell

    def run(self) -> None:
        """A part that is away is logged, never raised: the next run finds what this one did not."""
        try:
            with self._archive.database.turn(RECOVERY) as is_mine:
                if not is_mine:
                    return
                recover(self._archive)
                self._consistency.run()
                for queue in self._archive.settings.queues:
                    import_strays(self._broker, self._archive.database, queue)
        except (TransientError, redis.RedisError) as error:
            logger.warning("recovery has to wait: %s", error)
        self._doorbell.ring_all()
