"""`arsip worker`: worker processes, kept running until Ctrl-C or SIGTERM."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from actors.supervisor import Supervisor
from cli.console import err
from pipeline.database import Database
from pipeline.errors import ConfigurationError
from pipeline.logs import configure_logging
from pipeline.settings import Settings
from pipeline.stack import ensure_running, open_stack


def worker(
    context: typer.Context,
    queues: Annotated[str, typer.Option(help="Names of the queues to take, joined by commas; all if not given.")] = "",
    processes: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; each does one job at a time. Default: one per CPU.")
    ] = None,
    scheduler: Annotated[
        bool, typer.Option("--scheduler/--no-scheduler", help="Run the periodic jobs too, as `arsip scheduler` does.")
    ] = True,
) -> None:
    """Work on waiting documents until told to stop.

    A worker that exits is started again. Ctrl-C or SIGTERM stops: pages in hand are finished, the rest is handed back;
    once more stops at once, and the pages in hand are read again later.

    Examples: `arsip worker`, `arsip worker --queues ingest,index --processes 1`, `arsip worker --queues ocr.tesseract`
    """
    settings: Settings = context.obj
    configure_logging(settings.log_level)
    names = tuple(filter(None, queues.split(","))) or settings.worker_queues
    if unknown := set(names) - set(settings.queues):
        raise ConfigurationError(f"unknown queue {', '.join(sorted(unknown))}; known: {', '.join(settings.queues)}")
    count = processes or available_cpus()
    stop, grace = Event(), settings.worker_grace_seconds
    with (
        open_stack(settings) as urls,
        closing(Database(urls.database)) as database,
        _stopping_in_order(Supervisor(database, count, names, scheduler=scheduler, grace=grace), stop) as supervisor,
    ):
        err().print(f"{count} workers take {', '.join(names or settings.queues)}; Ctrl-C stops them")
        while not stop.wait(1):
            supervisor.tend()
            ensure_running(settings)
        err().print("stopping: the pages in hand are finished; once more stops at once")


@contextmanager
def _stopping_in_order(supervisor: Supervisor, stop: Event) -> Iterator[Supervisor]:
    """The first signal lets pages in hand be finished, the second one does not."""

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if stop.is_set():
            supervisor.kill()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    with supervisor:
        yield supervisor


def available_cpus() -> int:
    """CPUs that this process may use; a container's or taskset's limit counts."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
