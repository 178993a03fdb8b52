"""`arsip queue`: what waits and what failed for good, and sending it again. Named after `php artisan queue:*`."""

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.console import JsonOption, complain, out, write_json
from cli.session import Session, open_session
from cli.watch import duration
from pipeline.errors import ConfigurationError, NotFound, PermanentError
from pipeline.queue_status import QueueStatus, queue_status
from pipeline.retry import retry as send_again
from pipeline.store import dead_letters
from pipeline.store.dead_letters import LetterFilter, LetterGroup
from pipeline.tables import DeadLetter

app = typer.Typer(no_args_is_help=True, help="See what waits and what failed for good, send it again, or forget it.")

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

QueueOption = Annotated[str | None, typer.Option("--queue", help="Only of this queue.")]
ErrorOption = Annotated[str | None, typer.Option("--error", help="Only with this error code, such as engine_crashed.")]
AgeOption = Annotated[str | None, typer.Option("--older-than", help="Only older ones; such as 90s, 30m, 2h or 7d.")]
DocumentOption = Annotated[int | None, typer.Option("--document", help="Only of this document.")]


@app.command()
def status(context: typer.Context, json: JsonOption = False) -> None:
    """Show what waits in each queue, and how many workers take it. Exits with 1 if jobs wait that nobody will do.

    Examples: `arsip queue status`, `arsip queue status --json`
    """
    with open_session(context.obj) as session:
        found = queue_status(session.archive.database, context.obj)
    if json:
        for one in found:
            write_json(asdict(one) | {"unserved": one.is_unserved})
    else:
        _print_queues(found)
    if any(one.is_unserved for one in found):
        raise typer.Exit(1)


@app.command()
def failed(
    context: typer.Context,
    queue: QueueOption = None,
    error: ErrorOption = None,
    older_than: AgeOption = None,
    document: DocumentOption = None,
    settled: Annotated[bool, typer.Option("--all", help="Also those that were sent again.")] = False,
    groups: Annotated[bool, typer.Option("--groups", help="How many of each error, instead of each one.")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    json: JsonOption = False,
) -> None:
    """List dead letters, the newest first.

    Examples: `arsip queue failed --groups`, `arsip queue failed --error encrypted_document --older-than 7d --json`
    """
    wanted = LetterFilter(queue, error, _age(older_than), document, settled)
    with open_session(context.obj) as session, session.archive.database.session() as transaction:
        counted = dead_letters.grouped(transaction, wanted)
        found = [] if groups else dead_letters.listed(transaction, wanted, limit=limit)
    if groups:
        _print_groups(counted, json=json)
    else:
        _print_letters(found, sum(group.count for group in counted), json=json)


@app.command()
def show(context: typer.Context, letter_id: int, json: JsonOption = False) -> None:
    """Show one dead letter in full, and the earlier ones of its job.

    Example: `arsip queue show 7`
    """
    with open_session(context.obj) as session, session.archive.database.session() as transaction:
        letter = dead_letters.load(transaction, letter_id)
        related = dead_letters.of_job(transaction, letter.job_id) if letter.job_id is not None else []
    if json:
        write_json(_row(letter) | {"history": [other.id for other in related if other.id != letter.id]})
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _row(letter).items():
        if value not in (None, {}) and name != "traceback":
            table.add_row(f"[dim]{name}[/dim]", escape(str(value)))
    out().print(table)
    if letter.traceback:
        out().print(escape(letter.traceback.rstrip()), style="dim")
    for other in related:
        if other.id != letter.id:
            again = f", sent again {other.retried_at:%Y-%m-%d %H:%M}" if other.retried_at else ""
            out().print(f"[dim]also[/dim] {other.id}  {other.created_at:%Y-%m-%d %H:%M}  {other.error_code}{again}")


@app.command()
def retry(
    context: typer.Context,
    letter_ids: Annotated[list[int] | None, typer.Argument(help="Ids of dead letters.")] = None,
    queue: QueueOption = None,
    error: ErrorOption = None,
    older_than: AgeOption = None,
    document: DocumentOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    json: JsonOption = False,
) -> None:
    """Send dead letters again. What was sent again before, or goes on anyway, is left alone.

    Examples: `arsip queue retry 7 8`, `arsip queue retry --error worker_died`, `arsip queue retry --all`
    """
    wanted = LetterFilter(queue, error, _age(older_than), document)
    with open_session(context.obj) as session:
        ids = _chosen(session, letter_ids, wanted, everything=everything)
        well = [_retry(session, letter_id, json=json) for letter_id in ids]
        session.doorbell.ring_all()
    if not json and not ids:
        out().print("no dead letter matches")
    if not all(well):
        raise typer.Exit(1)


@app.command()
def forget(
    context: typer.Context,
    letter_ids: Annotated[list[int], typer.Argument(help="Ids of dead letters.")],
    json: JsonOption = False,
) -> None:
    """Delete dead letters. Their documents stay as they are.

    Example: `arsip queue forget 7 8`
    """
    with open_session(context.obj) as session, session.archive.database.session() as transaction:
        gone = dead_letters.forget(transaction, letter_ids)
    _say([{"id": letter_id, "outcome": "forgotten"} for letter_id in gone], f"forgot {len(gone)}", json=json)
    if unknown := sorted(set(letter_ids) - set(gone)):
        raise NotFound(f"there is no dead letter {', '.join(map(str, unknown))}")


@app.command()
def flush(
    context: typer.Context,
    queue: QueueOption = None,
    error: ErrorOption = None,
    older_than: AgeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete all dead letters that match, those that were sent again included.

    Examples: `arsip queue flush`, `arsip queue flush --older-than 30d --yes`
    """
    wanted = LetterFilter(queue, error, _age(older_than), settled=True)
    with open_session(context.obj) as session, session.archive.database.session() as transaction:
        count = sum(group.count for group in dead_letters.grouped(transaction, wanted))
        if not yes:
            if not sys.stdin.isatty():
                raise ConfigurationError(f"{count} dead letters would be deleted; say --yes if they are to be")
            typer.confirm(f"Delete {count} dead letters?", abort=True, err=True)
        count = dead_letters.flush(transaction, wanted)
    _say([{"outcome": "forgotten", "count": count}], f"forgot {count}", json=json)


def _chosen(session: Session, ids: Sequence[int] | None, wanted: LetterFilter, *, everything: bool) -> Sequence[int]:
    if ids:
        return ids
    if not everything and wanted == LetterFilter():
        raise ConfigurationError("say which: ids, --error, --queue, --document, --older-than, or --all")
    with session.archive.database.session() as transaction:
        # The oldest first, as they came.
        return [letter.id for letter in reversed(dead_letters.listed(transaction, wanted))]


def _retry(session: Session, letter_id: int, *, json: bool) -> bool:
    """Whether it is sent or needs not be."""
    try:
        with session.archive.database.session() as transaction:
            queue = send_again(transaction, letter_id)
    except (NotFound, PermanentError) as error:
        if json:
            write_json({"id": letter_id, "outcome": "refused", "error": {"code": error.code, "message": str(error)}})
        else:
            complain(f"{error} [{error.code}]")
        return False
    outcome = "sent" if queue else "settled"
    text = f"{letter_id} is in the queue {queue} again" if queue else f"{letter_id} was sent before, or goes on anyway"
    _say([{"id": letter_id, "outcome": outcome, "queue": queue}], text, json=json)
    return True


def _age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if not (match := re.fullmatch(r"(\d+)([smhd])", text)):
        raise ConfigurationError(f"{text!r} is no age; such as 90s, 30m, 2h or 7d")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def _print_queues(found: Sequence[QueueStatus]) -> None:
    columns = ("queue", "engine", "waiting", "oldest", "running", "failed", "workers", "")
    table = Table(*columns, box=None, pad_edge=False)
    for one in found:
        oldest = duration(one.oldest_seconds) if one.oldest_seconds is not None else ""
        unserved = "[red]nobody takes this queue[/red]" if one.is_unserved else ""
        remark = unserved if one.configured else f"{unserved} [yellow]no setting names it[/yellow]"
        counts = f"{one.waiting:,}", oldest, f"{one.running:,}", f"{one.failed:,}", str(one.workers)
        table.add_row(one.queue, one.engine or "", *counts, remark)
    out().print(table)


def _print_letters(found: Sequence[DeadLetter], total: int, *, json: bool) -> None:
    if json:
        for letter in found:
            write_json(_row(letter))
        return
    table = Table("id", "when", "queue", "document", "tries", "error", "message", box=None, pad_edge=False)
    for letter in found:
        when = f"{letter.created_at:%Y-%m-%d %H:%M}" + (" [dim]sent[/dim]" if letter.retried_at else "")
        message = escape(letter.error_message.splitlines()[0][:120]) if letter.error_message else ""
        document = str(letter.document_id or "")
        table.add_row(str(letter.id), when, letter.queue, document, str(letter.attempts), letter.error_code, message)
    out().print(table)
    out().print(f"[dim]{len(found)} of {total} dead letters[/dim]")


def _print_groups(groups: Sequence[LetterGroup], *, json: bool) -> None:
    if json:
        for group in groups:
            write_json({name: getattr(group, name) for name in LetterGroup.__slots__})
        return
    table = Table("count", "error", "class", "queue", "oldest", "newest", box=None, pad_edge=False)
    for group in groups:
        oldest, newest = f"{group.oldest:%Y-%m-%d %H:%M}", f"{group.newest:%Y-%m-%d %H:%M}"
        table.add_row(str(group.count), group.error_code, group.error_class, group.queue, oldest, newest)
    out().print(table)


def _row(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter with the table's column names as keys."""
    return {column.name: getattr(letter, column.name) for column in DeadLetter.__table__.columns}


def _say(rows: Sequence[dict[str, Any]], text: str, *, json: bool) -> None:
    if json:
        for row in rows:
            write_json(row)
    else:
        out().print(text)
