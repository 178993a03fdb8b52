"""Everything a worker process works with, opened together: servers, archive, sandboxed reader, broker, actors."""

import logging
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware

from actors.broker import build_broker
from actors.dead_letters import DeadLetters
from actors.doorbell import Doorbell
from actors.presence import Presence
from actors.recovery import Recovery
from actors.stages import declare_actors
from pipeline.archive import open_archive
from pipeline.errors import NotInstalled
from pipeline.sandbox.reader import DESCRIBE_SECONDS, DocumentReader, open_reader
from pipeline.settings import Settings
from pipeline.stack import open_stack
from pipeline.stages.runner import JobRunner

logger = logging.getLogger(__name__)


def worker_name(pid: int, nonce: str = "") -> str:
    """What the rows of jobs call a worker process of this host.

    Args:
        nonce: tells it from a process of the same number on another machine that has the same host name.
    """
    return ":".join(filter(None, [socket.gethostname(), str(pid), nonce]))


@dataclass(frozen=True, slots=True)
class Workbench:
    broker: RedisBroker
    runner: JobRunner


@contextmanager
def open_workbench(
    settings: Settings, *middleware: Middleware, queues: Collection[str] = (), nonce: str = ""
) -> Iterator[Workbench]:
    """Open what a worker needs; it rings for waiting jobs at once and from then on regularly.

    Args:
        queues: those that the worker takes; empty: all. The engines of the OCR queues among them have to be there.

    Raises:
        ConfigurationError: a setting, a plug-in or an installation is wrong.
        StorageUnavailable: Postgres cannot be reached.
    """
    with (
        open_stack(settings) as urls,
        open_archive(settings, urls.database) as archive,
        closing(open_reader(settings)) as reader,
    ):
        taken = queues or settings.queues.keys()
        _check_engines(settings, reader, taken)
        name = worker_name(os.getpid(), nonce)
        broker = build_broker(settings, urls.redis, DeadLetters(archive.database, name), *middleware)
        doorbell = Doorbell(broker, archive.database, settings)
        runner = JobRunner(archive, reader, ring=doorbell.ring, worker=name)
        declare_actors(broker, settings, runner.run)
        recovery = Recovery(archive, broker, doorbell)
        presence = Presence(archive.database, name, taken)
        with closing(broker), presence, _ringing(presence, recovery, doorbell, settings.ring_every_seconds):
            yield Workbench(broker=broker, runner=runner)


def _check_engines(settings: Settings, reader: DocumentReader, queues: Collection[str]) -> None:
    """
    Raises:
        NotInstalled: the engine of an OCR queue among them is not there, broken, or does not know its options.
    """
    for name in queues:
        if queue := settings.named_ocr_queues.get(name):
            try:
                reader.describe_engine(queue.spec(settings.languages), seconds=DESCRIBE_SECONDS)
            except NotInstalled as error:
                raise error.about(f"queue {name}") from error


@contextmanager
def _ringing(presence: Presence, recovery: Recovery, doorbell: Doorbell, every: float) -> Iterator[None]:
    """Ring for all queues now and every so many seconds, telling that the worker lives; and recover once."""
    done = Event()

    def ring() -> None:
        doorbell.ring_all()
        recovery.run()
        while not done.wait(every):
            presence.tell()
            doorbell.ring_all()

    thread = Thread(target=ring, name="doorbell", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
