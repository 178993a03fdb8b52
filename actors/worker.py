"""One worker process: `python -m actors.worker [--queues a,b]`. It takes one job at a time and exits when it is told.

`arsip worker` starts as many of them as there are slots and starts again those that exit.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Collection
from threading import Event
from types import FrameType

from dramatiq import Worker

from actors.process import EXIT_RECYCLED, EXIT_UNAVAILABLE, exit_code_of
from actors.recycling import Recycling
from actors.workbench import Workbench, open_workbench
from pipeline.settings import Settings

logger = logging.getLogger(__name__)

EXIT_KILLED = 130

PREFETCH = 2
"""Messages of a queue in hand, the running one included. With 1 the worker idles for a poll after every job."""


def run_worker(settings: Settings, queues: Collection[str], *, supervisor: int | None = None, nonce: str = "") -> int:
    """Work until SIGTERM or SIGINT; a second signal stops at once.

    Args:
        queues: names of the queues to take; empty: all.
        supervisor: the process that looks after this one; without it, this one ends too.
        nonce: a part of the worker's name.

    Returns:
        The exit code.
    """
    stop = Event()
    _stop_on_signals(stop)
    recycling = Recycling(settings)
    with open_workbench(settings, recycling, queues=queues, nonce=nonce) as bench:
        worker = start_threads(bench, queues, settings)
        while not stop.wait(0.5) and supervisor in {None, os.getppid()}:
            if all(thread.is_alive() for thread in worker.workers):
                continue
            if recycling.is_due:
                break
            logger.error("a worker thread died; the process exits so that it can be started anew")
            return EXIT_UNAVAILABLE
        _shut_down(bench, worker, settings.worker_grace_seconds)
    return EXIT_RECYCLED if recycling.is_due and not stop.is_set() else 0


def start_threads(bench: Workbench, queues: Collection[str], settings: Settings) -> Worker:
    """dramatiq's threads: one that works, and those that fetch messages."""
    sleep = max(1, round(settings.worker_sleep * 1000))
    worker = Worker(bench.broker, queues=set(queues) or None, worker_timeout=sleep, worker_threads=1)
    worker.queue_prefetch = PREFETCH
    bench.broker.emit_after("process_boot")
    worker.start()
    return worker


def _shut_down(bench: Workbench, worker: Worker, grace: float) -> None:
    bench.runner.stop()
    worker.stop(timeout=round(grace * 1000))
    if any(thread.is_alive() for thread in worker.workers):
        logger.warning("a page is not done after %g s of grace; it is given up and its job handed back", grace)
        bench.runner.abandon()
        for thread in worker.workers:
            thread.join(timeout=5)


def _stop_on_signals(stop: Event) -> None:
    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if stop.is_set():
            os._exit(EXIT_KILLED)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m actors.worker", description=__doc__)
    parser.add_argument("--queues", default="", help="names of queues, joined by commas; default: all")
    parser.add_argument("--supervisor", type=int, help="stop when this process is no longer the parent")
    parser.add_argument("--nonce", default="", help="a part of the worker's name")
    arguments = parser.parse_args()

    def run(settings: Settings) -> int:
        queues = tuple(filter(None, arguments.queues.split(","))) or settings.worker_queues
        return run_worker(settings, queues, supervisor=arguments.supervisor, nonce=arguments.nonce)

    return exit_code_of("worker", run)


if __name__ == "__main__":
    sys.exit(main())
