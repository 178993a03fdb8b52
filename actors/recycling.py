"""Retires a worker process that has done its share, or has grown: libraries leak."""

import logging

import dramatiq
import psutil
from dramatiq.middleware import Middleware
from dramatiq.worker import Worker

from pipeline.settings import Settings

logger = logging.getLogger(__name__)


class Recycling(Middleware):
    """Stops the worker's threads from within one of them, right after its message: so no further one is begun."""

    def __init__(self, settings: Settings) -> None:
        self._max_jobs = settings.worker_max_jobs
        self._memory_limit_mb = settings.worker_memory_limit
        self._jobs = 0
        self._worker: Worker | None = None
        self.is_due = False

    def before_worker_boot(self, broker: dramatiq.Broker, worker: Worker) -> None:  # noqa: ARG002
        self._worker = worker

    def after_process_message(
        self,
        broker: dramatiq.Broker,  # noqa: ARG002
        message: dramatiq.MessageProxy,  # noqa: ARG002
        *,
        result: object = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        self._jobs += 1
        if (reason := self._reason()) and self._worker:
            logger.info("the worker makes room for a new one: %s", reason)
            self.is_due = True
            for thread in self._worker.workers:
                thread.stop()

    def _reason(self) -> str | None:
        if self._jobs >= self._max_jobs:
            return f"it has worked on {self._jobs} jobs"
        resident_mb = psutil.Process().memory_info().rss >> 20
        if resident_mb > self._memory_limit_mb:
            return f"it uses {resident_mb} MB of memory, more than WORKER_MEMORY_LIMIT={self._memory_limit_mb}"
        return None
