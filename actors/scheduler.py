"""The scheduler process: `python -m actors.scheduler`. It sends the periodic messages and works on them itself.

So recovery never waits behind an hour of recognition. `arsip worker` keeps one running; several do no harm.
"""

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread
from types import FrameType

import redis
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from periodiq import Scheduler

from actors.broker import build_broker
from actors.doorbell import Doorbell
from actors.periodic import QUEUE, declare_periodic_actors, periodic_middleware
from actors.process import exit_code_of
from actors.recovery import Recovery
from pipeline.archive import open_archive
from pipeline.settings import Settings
from pipeline.stack import open_stack

logger = logging.getLogger(__name__)

REDIS_PAUSE = 5.0
"""Seconds until the next try when Redis is away; periodiq by itself would end."""


class _ToldToStop(BaseException):
    """Raised by the signal's handler wherever the main thread is."""


def run_scheduler(settings: Settings, supervisor: int | None = None) -> None:
    """Send and work on the periodic messages until SIGTERM or SIGINT.

    Args:
        supervisor: the process that looks after this one; without it, this one ends too.

    Raises:
        ConfigurationError: a setting or a plug-in is wrong.
        StorageUnavailable: Postgres cannot be reached.
    """
    with (
        _stopped_by_signals(),
        open_stack(settings) as urls,
        open_archive(settings, urls.database) as archive,
        closing(build_broker(settings, urls.redis, periodic_middleware())) as broker,
    ):
        recovery = Recovery(archive, broker, Doorbell(broker, archive.database, settings))
        declare_periodic_actors(broker, recovery)
        worker = Worker(broker, queues={QUEUE}, worker_threads=1)
        worker.start()
        Thread(target=_watch, args=(worker, supervisor), name="watch", daemon=True).start()
        try:
            _send_for_ever(broker)
        finally:
            worker.stop(timeout=round(settings.worker_grace_seconds * 1000))


def _send_for_ever(broker: RedisBroker) -> None:
    scheduler = Scheduler(actors=list(broker.actors.values()))
    while True:
        try:
            scheduler.schedule()
            scheduler.loop()
        except (redis.RedisError, BrokerConnectionError) as error:
            logger.warning("Redis is away, the periodic jobs wait: %s", error)
            time.sleep(REDIS_PAUSE)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for known in (signal.SIGTERM, signal.SIGINT):
            signal.signal(known, signal.SIG_IGN)
        raise _ToldToStop

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    try:
        yield
    except _ToldToStop:
        logger.info("the scheduler was told to stop")


def _watch(worker: Worker, supervisor: int | None) -> None:
    """End the process with its supervisor, or when the thread that works died: a new one is started then."""
    while supervisor in {None, os.getppid()} and all(thread.is_alive() for thread in worker.workers):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m actors.scheduler", description=__doc__)
    parser.add_argument("--supervisor", type=int, help="stop when this process is no longer the parent")
    arguments = parser.parse_args()

    def run(settings: Settings) -> int:
        run_scheduler(settings, arguments.supervisor)
        return 0

    return exit_code_of("scheduler", run)


if __name__ == "__main__":
    sys.exit(main())
