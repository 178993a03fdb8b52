"""A worker's threads within the test's process, on real servers."""

from collections.abc import Iterator
from contextlib import contextmanager

from dramatiq import Worker
from dramatiq.middleware import Middleware

from actors.workbench import Workbench, open_workbench
from actors.worker import start_threads
from pipeline.settings import Settings


@contextmanager
def working(settings: Settings, *middleware: Middleware) -> Iterator[Worker]:
    with open_workbench(settings, *middleware) as bench, threads(bench, settings) as worker:
        yield worker


@contextmanager
def threads(bench: Workbench, settings: Settings) -> Iterator[Worker]:
    worker = start_threads(bench, (), settings)
    try:
        yield worker
    finally:
        bench.runner.stop()
        worker.stop(timeout=10_000)
