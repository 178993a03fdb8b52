"""`arsip stats`: figures over the whole archive."""

from dataclasses import asdict

import typer
from rich.table import Table

from cli.console import JsonOption, out, status_text, write_json
from cli.session import open_session
from pipeline.store import stats as store


def stats(context: typer.Context, json: JsonOption = False) -> None:
    """Show how much there is, how it was read, and what second readings by a stronger engine gained.

    Examples: `arsip stats`, `arsip stats --json`
    """
    with open_session(context.obj) as session, session.archive.database.session() as transaction:
        statuses = store.documents_by_status(transaction)
        read = store.read_pages(transaction)
        escalated = store.escalated(transaction)
    if json:
        write_json({"documents": statuses})
        for row in read:
            write_json(asdict(row))
        for one in escalated:
            write_json(asdict(one))
        return
    counts = ", ".join(f"{count:,} {status_text(status)}" for status, count in statuses.items())
    out().print(f"documents: {counts or 'none'}")
    table = Table("pages", "read by", "taken over", "confidence", "seconds a page", box=None, pad_edge=False)
    for row in read:
        by = f"{row.engine}, {row.method}" if row.engine else row.method
        confidence = f"{row.confidence:.0%}" if row.confidence is not None else ""
        recognized = row.pages - row.reused
        each = f"{row.seconds / recognized:.2f}" if row.seconds and recognized else ""
        table.add_row(f"{row.pages:,}", by, f"{row.reused:,}", confidence, each)
    out().print(table)
    for one in escalated:
        gain = f", {one.characters_gained:,.0f} characters gained" if one.characters_gained else ""
        out().print(f"sent to a stronger engine, {one.outcome.lower()}: {one.pages:,} pages{gain}")
