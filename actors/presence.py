"""A worker tells in Postgres that it lives and which queues it takes, so that a queue that nobody takes is seen."""

import logging
import os
import socket
from collections.abc import Collection
from types import TracebackType
from typing import Self

from pipeline.database import Database
from pipeline.errors import StorageUnavailable
from pipeline.store import workers

logger = logging.getLogger(__name__)


class Presence:
    """
    Args:
        name: of the worker, as the rows of jobs have it.
    """

    def __init__(self, database: Database, name: str, queues: Collection[str]) -> None:
        self._database = database
        self._name = name
        self._queues = queues

    def tell(self) -> None:
        """Without Postgres it waits for the next time."""
        try:
            with self._database.session() as session:
                workers.tell(session, self._name, socket.gethostname(), os.getpid(), self._queues)
        except StorageUnavailable as error:
            logger.warning("could not tell that the worker lives: %s", error)

    def __enter__(self) -> Self:
        self.tell()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        try:
            with self._database.session() as session:
                workers.leave(session, self._name)
        except StorageUnavailable as error:
            logger.info("could not say goodbye, silence will do: %s", error)
