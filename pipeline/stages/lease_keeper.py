"""Keeps a lease alive while its job is worked on."""

import logging
from threading import Event, Thread
from types import TracebackType
from typing import Self

from pipeline.database import Database
from pipeline.errors import StorageUnavailable
from pipeline.settings import Settings
from pipeline.store import jobs
from pipeline.store.jobs import Lease

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews a lease in the background; losing it is found out by whoever writes the next result."""

    def __init__(self, database: Database, lease: Lease, settings: Settings) -> None:
        self._database = database
        self._lease = lease
        self._every = settings.lease_renew_seconds
        self._seconds = settings.lease_seconds
        self._done = Event()
        self._thread = Thread(target=self._renew, name=f"lease-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(self._every):
            try:
                with self._database.session() as session:
                    if not jobs.renew(session, self._lease, self._seconds):
                        logger.warning("lease lost: job %d was taken by another worker", self._lease.job_id)
                        return
            except StorageUnavailable as error:
                logger.warning("could not renew the lease of job %d: %s", self._lease.job_id, error)
