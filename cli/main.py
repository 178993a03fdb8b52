"""The `arsip` command: its sub-commands, and what becomes of an error."""

import signal
import sys
from typing import Annotated

import typer

from cli import database, documents, engines, ingest, queue, reconcile, scheduler, search, stats, worker
from cli.console import complain
from pipeline.errors import ArsipError, ConfigurationError, TransientError
from pipeline.logs import configure_logging
from pipeline.settings import read_settings

EXIT_FAILED = 1
EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h."""
EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h."""
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="arsip",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Turns folders of scans and PDFs into a searchable archive.\n\n"
    "Without configuration it runs on an embedded PostgreSQL and Valkey under ARSIP_HOME.",
    epilog="Start with: `arsip ingest FOLDER`, then `arsip search WORDS`.",
    pretty_exceptions_enable=False,
)


@app.callback()
def _settings(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to standard error.")] = False,
) -> None:
    settings = read_settings()
    configure_logging("DEBUG" if verbose else "WARNING")
    context.obj = settings


app.command("ingest")(ingest.ingest)
app.command("search")(search.search)
app.add_typer(documents.app, name="documents")
app.add_typer(queue.app, name="queue")
app.add_typer(engines.app, name="engines")
app.command("stats")(stats.stats)
app.command("reconcile")(reconcile.reconcile)
app.command("worker")(worker.worker)
app.command("scheduler")(scheduler.scheduler)
app.add_typer(database.app, name="db")


def run() -> None:
    """The console script: every error that arsip raises on purpose ends as one clear line and an exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does, so that workers and embedded servers are stopped in order.
        signal.signal(number, signal.default_int_handler)
    try:
        app()
    except KeyboardInterrupt:
        complain("stopped")
        sys.exit(EXIT_INTERRUPTED)
    except ArsipError as error:
        complain(f"{error} [{error.code}]")
        sys.exit(_exit_code(error))


def _exit_code(error: ArsipError) -> int:
    if isinstance(error, ConfigurationError):
        return EXIT_CONFIGURATION
    if isinstance(error, TransientError):
        return EXIT_UNAVAILABLE
    return EXIT_FAILED
