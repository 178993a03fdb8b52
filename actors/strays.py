"""Messages that ended in Redis without any hook seeing them: they become dead letters in Postgres, and leave Redis."""

import base64
from collections.abc import Iterator
from typing import Any

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import DecodeError

from actors.dead_letters import describe
from pipeline.database import Database
from pipeline.store import dead_letters

UNDECODABLE = "undecodable"
RAW_BYTES = 64 << 10
"""How much of a message that cannot be decoded is kept."""


def import_strays(broker: RedisBroker, database: Database, queue: str) -> int:
    """Import what lies rejected in Redis, and what no worker can decode; returns how many.

    A rejected message is mostly in Postgres already, written before it was rejected. One that cannot be decoded stays
    with the worker that fetched it, and keeps the messages that were fetched with it from being worked on.

    Raises:
        StorageUnavailable: Postgres cannot be reached; Redis keeps the rest.
        redis.RedisError: Redis cannot be reached; what was imported is there twice for a while, and once in Postgres.
    """
    name = f"{broker.namespace}:{queue}"
    count = 0
    for message_id, payload in _entries(broker, f"{name}.XQ.msgs"):
        with database.session() as session:
            dead_letters.add(session, _letter(queue, message_id, payload), replace=False)
        with broker.client.pipeline() as transaction:
            transaction.zrem(f"{name}.XQ", message_id)
            transaction.hdel(f"{name}.XQ.msgs", message_id)
            transaction.execute()
        count += 1
    for waiting in (name, f"{name}.DQ"):
        for message_id, payload in _entries(broker, f"{waiting}.msgs"):
            if _decoded(payload) is None:
                with database.session() as session:
                    dead_letters.add(session, _letter(queue, message_id, payload), replace=False)
                _remove(broker, waiting, message_id)
                count += 1
    return count


def _entries(broker: RedisBroker, key: str) -> Iterator[tuple[Any, Any]]:
    yield from broker.client.hscan_iter(key)


def _decoded(payload: bytes) -> "Message[Any] | None":
    try:
        return Message.decode(payload)
    except (DecodeError, TypeError):
        # A TypeError: it is JSON, but of no message.
        return None


def _letter(queue: str, redis_id: bytes, payload: bytes) -> dict[str, Any]:
    if message := _decoded(payload):
        return describe(message, None)
    return {
        "message_id": redis_id.decode(errors="replace"),
        "queue": queue,
        "actor": "",
        "arguments": {"raw": base64.b64encode(payload[:RAW_BYTES]).decode()},
        "options": {},
        "error_class": DecodeError.__name__,
        "error_code": UNDECODABLE,
        "error_message": f"a message of {len(payload)} bytes that dramatiq cannot decode",
    }


def _remove(broker: RedisBroker, queue: str, message_id: Any) -> None:
    """Take a message out of its queue and out of the hands of the worker that fetched it."""
    queue_name = queue.removeprefix(f"{broker.namespace}:")
    with broker.client.pipeline() as transaction:
        transaction.lrem(queue, 0, message_id)
        transaction.hdel(f"{queue}.msgs", message_id)
        for acks in broker.client.scan_iter(f"{broker.namespace}:__acks__.*.{queue_name}"):
            transaction.srem(acks, message_id)
        transaction.execute()
