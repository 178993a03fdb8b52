"""Keeps every dead-lettered message in Postgres, written before the message is rejected."""

import logging
import socket
import traceback
from typing import Any

import dramatiq
from dramatiq.errors import ActorNotFound, BrokerConnectionError
from dramatiq.middleware import Middleware, MiddlewareError

from actors.doorbell import job_of
from pipeline.database import Database
from pipeline.errors import ArsipError, RetriesExhausted, StorageUnavailable
from pipeline.store import dead_letters

logger = logging.getLogger(__name__)

UNEXPECTED = "unexpected"
UNKNOWN_ACTOR = "unknown_actor"


class PostgresIsAway(MiddlewareError, BrokerConnectionError):
    """Being both, it has dramatiq wait and call the hook again, and not reject the message meanwhile."""


class DeadLetters(Middleware):
    """
    Args:
        worker: who works, as the rows of jobs name it.
    """

    def __init__(self, database: Database, worker: str) -> None:
        self._database = database
        self._worker = worker

    def before_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:  # noqa: ARG002
        letter = describe(message, message._exception) | {"worker": self._worker, "host": socket.gethostname()}  # noqa: SLF001
        try:
            with self._database.session() as session:
                dead_letters.add(session, letter)
        except StorageUnavailable as error:
            logger.warning("message %s is dead, and waits until Postgres can keep it: %s", message.message_id, error)
            raise PostgresIsAway(str(error)) from error  # type: ignore[no-untyped-call]


def describe(message: "dramatiq.Message[Any] | dramatiq.MessageProxy", error: BaseException | None) -> dict[str, Any]:
    """The columns of a dead letter that a message and its error tell.

    An error that only says that all tries are used up gives way to the one that it stems from.
    """
    cause = error.__cause__ if isinstance(error, RetriesExhausted) and error.__cause__ else error
    return {
        "message_id": message.message_id,
        "job_id": job_of(message),
        "queue": message.queue_name,
        "actor": message.actor_name,
        "arguments": {"args": list(message.args), "kwargs": dict(message.kwargs)},
        "options": {name: value for name, value in message.options.items() if name != "traceback"},
        "error_class": type(cause).__name__ if cause else "Unknown",
        "error_code": _code(cause),
        "error_message": str(cause) if cause else "no hook has seen why it failed",
        "traceback": "".join(traceback.format_exception(error)) if error else message.options.get("traceback"),
        "facts": cause.facts if isinstance(cause, ArsipError) else {},
        "attempts": int(message.options.get("retries", 0)) + 1,
    }


def _code(error: BaseException | None) -> str:
    if isinstance(error, ArsipError):
        return error.code
    return UNKNOWN_ACTOR if isinstance(error, ActorNotFound) else UNEXPECTED
