"""Rings for waiting jobs: a message says only "look at job N", and a bounded window of them lies in Redis."""

import logging
from collections.abc import Collection
from typing import Any

import redis
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError

from pipeline.database import Database
from pipeline.errors import QueueUnavailable, StorageUnavailable
from pipeline.settings import Settings
from pipeline.store import jobs

logger = logging.getLogger(__name__)

LOST_WHEN_EMPTY = 5.0
"""Seconds after which a message counts as lost if none lies in its queue or in a worker's hands."""


def actor_name(queue: str) -> str:
    """The actor that works a queue, as its messages name it."""
    return f"work.{queue}"


def job_of(message: "Message[Any] | MessageProxy") -> int | None:
    """The id of the job that a message rings for; None if it is no such message."""
    match message.args:
        case [int(job_id)] if message.actor_name == actor_name(message.queue_name):
            return job_id
    return None


class Doorbell:
    def __init__(self, broker: RedisBroker, database: Database, settings: Settings) -> None:
        self._broker = broker
        self._database = database
        self._settings = settings

    def ring(self, queues: Collection[str]) -> int:
        """Send messages for jobs that wait in these queues, as far as the window has room; returns how many.

        A part that is away is logged, never raised: the jobs are rows, and the next ring finds them.
        """
        return sum(self._ring(queue) for queue in queues)

    def ring_all(self) -> int:
        return self.ring(self._settings.queues)

    def check(self) -> None:
        """
        Raises:
            QueueUnavailable: Redis cannot be reached.
        """
        try:
            self._broker.client.ping()
        except redis.RedisError as error:
            raise QueueUnavailable(f"Redis is not reachable ({error}); check the server and ARSIP_REDIS_URL") from error

    def _ring(self, queue: str) -> int:
        try:
            name = f"{self._broker.namespace}:{queue}"
            # What workers hold does not fill the window: a message that is stranded in one would do so for ever.
            asked = self._broker.client.pipeline(transaction=False)
            asked.llen(name)
            asked.hlen(f"{name}.msgs")
            waiting, held = asked.execute()
            window = self._settings.queue_window
            if waiting > window // 2:
                return 0
            with self._database.session() as session:
                again_after = self._settings.ring_again_after_seconds if held else LOST_WHEN_EMPTY
                ids = jobs.take_waiting(session, queue, window - waiting, again_after=again_after)
            return self._send(queue, ids)
        except (redis.RedisError, BrokerConnectionError, StorageUnavailable) as error:
            logger.warning("could not ring for queue %s, the jobs wait: %s", queue, error)
            return 0

    def _send(self, queue: str, ids: list[int]) -> int:
        for sent, job_id in enumerate(ids):
            message: Message[None] = Message(
                queue_name=queue, actor_name=actor_name(queue), args=(job_id,), kwargs={}, options={}
            )
            try:
                self._broker.enqueue(message)
            except (redis.RedisError, BrokerConnectionError):
                with self._database.session() as session:
                    jobs.unring(session, ids[sent:])
                raise
        return len(ids)
