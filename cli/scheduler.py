"""`arsip scheduler`: the periodic jobs, for a place where no `arsip worker` runs them."""

import typer

from pipeline.logs import configure_logging
from pipeline.settings import Settings


def scheduler(context: typer.Context) -> None:
    """Run the periodic jobs until told to stop: every minute, find and ring for work that nobody does.

    `arsip worker` does it too; this is for workers under dramatiq's own command line. Several do no harm.

    Example: `arsip scheduler`
    """
    # It loads periodiq, which no other command has a use for.
    from actors.scheduler import run_scheduler

    settings: Settings = context.obj
    configure_logging(settings.log_level)
    run_scheduler(settings)
