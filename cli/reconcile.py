"""`arsip reconcile`: is everything of a folder in the archive?"""

import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.console import JsonOption, err, out, write_json
from cli.session import open_session
from pipeline.reconcile import Finding, Verdict
from pipeline.reconcile import reconcile as findings

PROGRESS_EVERY = 5.0
"""Seconds."""


def reconcile(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders; folders are searched recursively.")],
    hidden: Annotated[bool, typer.Option("--hidden", help="Expect hidden files in the archive too.")] = False,
    rehash: Annotated[bool, typer.Option("--rehash", help="Read files whose size and time are as recorded.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List the files too with which all is well.")] = False,
    json: JsonOption = False,
) -> None:
    """Compare folders with the archive: files, database, originals, search index.

    Tells a reason for each file that is not in the archive as it should be. Exits with 0 only if there is none.

    Examples: `arsip reconcile ~/scans`, `arsip reconcile /mnt/share --all --json`
    """
    counts: Counter[Verdict] = Counter()
    next_word = time.monotonic() + PROGRESS_EVERY
    with open_session(context.obj) as session:
        for finding in findings(session.archive, paths, hidden=hidden, rehash=rehash):
            counts[finding.verdict] += 1
            if everything or not finding.verdict.is_well:
                _print(finding, json=json)
            if not json and time.monotonic() > next_word:
                next_word = time.monotonic() + PROGRESS_EVERY
                err().print(f"[dim]{counts.total()} files[/dim]")
    wrong = sum(count for verdict, count in counts.items() if not verdict.is_well)
    if json:
        write_json({"summary": {"files": counts.total(), **{verdict.value: counts[verdict] for verdict in Verdict}}})
    else:
        told = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in counts.items())
        out().print(f"[bold]{counts.total()} files[/bold]: {told or 'nothing found'}")
    if wrong:
        raise typer.Exit(1)


def _print(finding: Finding, *, json: bool) -> None:
    if json:
        write_json(asdict(finding))
        return
    style = "green" if finding.verdict.is_well else "red"
    document = f"  document {finding.document_id}" if finding.document_id is not None else ""
    reason = escape(finding.reason.splitlines()[0]) if finding.reason else ""
    code = escape(f" [{finding.code}]") if finding.code else ""
    word = finding.verdict.replace("_", " ")
    out().print(f"[{style}]{word:<16}[/{style}]  {escape(finding.path)}{document}  {reason}{code}")
