"""`arsip search`: find pages."""

from datetime import datetime
from itertools import groupby
from typing import Annotated

import typer
from rich.markup import escape

from cli.console import JsonOption, out, write_json
from cli.session import open_session
from pipeline.search.contract import SearchHit, SearchQuery, SearchResults, Snippet
from pipeline.settings import Settings
from pipeline.states import DocumentStatus

DATE = ["%Y-%m-%d"]


def search(
    context: typer.Context,
    query: Annotated[list[str], typer.Argument(help='Words, "a phrase", a OR b, -without, pref*')],
    number: Annotated[str | None, typer.Option(help="Document numbers that start like this.")] = None,
    status: Annotated[DocumentStatus | None, typer.Option(case_sensitive=False)] = None,
    name: Annotated[str | None, typer.Option(help="File-name pattern, such as 'invoice*'.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=DATE, help="Arrived on this day or later.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=DATE, help="Arrived on this day or earlier.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Documents to show.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="Documents to skip.")] = 0,
    json: JsonOption = False,
) -> None:
    """Find pages by their text, the best first. Exits with 1 if nothing matches.

    Examples: `arsip search kontrak pemeliharaan`, `arsip search '"rapat bulanan" -anggaran'`,
    `arsip search 'invoic*' --since 2026-01-01 --status PROCESSED`
    """
    settings: Settings = context.obj
    wanted = SearchQuery(
        text=" ".join(query),
        number=number,
        status=status,
        name=name,
        since=since and since.date(),
        until=until and until.date(),
        limit=limit,
        offset=offset,
    )
    with open_session(settings) as session:
        results = session.archive.index.search(wanted)
    for hit in results.hits if json else ():
        write_json(as_row(hit))
    if not json:
        _print(results)
    if not results.hits:
        raise typer.Exit(1)


def as_row(hit: SearchHit) -> dict[str, object]:
    return {
        "document_id": hit.document_id,
        "name": hit.name,
        "page": hit.page,
        "score": round(hit.score, 4),
        "snippet": hit.snippet.text,
        "extracted_doc_number": hit.extracted_doc_number,
    }


def _print(results: SearchResults) -> None:
    console = out()
    shown = 0
    for document_id, hits in groupby(results.hits, key=lambda hit: hit.document_id):
        shown += 1
        for position, hit in enumerate(hits):
            if position == 0:
                number = f"  [cyan]{escape(hit.extracted_doc_number)}[/cyan]" if hit.extracted_doc_number else ""
                console.print(f"[bold]{escape(hit.name)}[/bold]  [dim]document {document_id}[/dim]{number}")
            console.print(f"  [dim]page {hit.page}:[/dim] {marked(hit.snippet)}", soft_wrap=True)
    console.print(f"[dim]{shown} of {results.documents} documents[/dim]" if shown else "nothing found")


def marked(snippet: Snippet) -> str:
    """The snippet as rich markup, with the words that matched in bold."""
    parts, end = [], 0
    for start, stop in snippet.marks:
        parts += [escape(snippet.text[end:start]), f"[bold yellow]{escape(snippet.text[start:stop])}[/bold yellow]"]
        end = stop
    return "".join(parts) + escape(snippet.text[end:])
