"""For dramatiq's own command line: `dramatiq actors.app:setup --threads 1`.

The settings come from the environment as for every other command.
"""

from contextlib import ExitStack

import dramatiq
from dramatiq.middleware import Middleware
from dramatiq.worker import Worker

from actors.workbench import open_workbench
from pipeline.logs import configure_logging
from pipeline.settings import read_settings


class _CloseAfterShutdown(Middleware):
    """dramatiq ends its processes without `atexit`; this hook is the last that it calls."""

    def __init__(self, resources: ExitStack) -> None:
        self._resources = resources

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: Worker) -> None:  # noqa: ARG002
        self._resources.close()


def setup() -> None:
    """Build the broker with all actors and make it dramatiq's own; called by dramatiq once in each process."""
    settings = read_settings()
    configure_logging(settings.log_level)
    resources = ExitStack()
    bench = resources.enter_context(open_workbench(settings, _CloseAfterShutdown(resources)))
    dramatiq.set_broker(bench.broker)
