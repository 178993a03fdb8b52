"""`arsip documents`: list, show, print and redo what is in the archive."""

from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.console import JsonOption, err, out, status_text, write_json
from cli.ingest import Report, waiting
from cli.session import open_session
from cli.watch import as_row
from pipeline.intake.wishes import check_languages, check_queue
from pipeline.settings import Settings
from pipeline.states import DocumentStatus
from pipeline.store import documents, pages, readings
from pipeline.store.documents import DocumentFilter
from pipeline.tables import Document, OtherReading, Page

app = typer.Typer(no_args_is_help=True, help="List, show, print and redo documents.")

DATE = ["%Y-%m-%d"]


@app.command("list")
def list_documents(
    context: typer.Context,
    status: Annotated[DocumentStatus | None, typer.Option(case_sensitive=False)] = None,
    name: Annotated[str | None, typer.Option(help="File-name pattern, such as 'invoice*'.")] = None,
    number: Annotated[str | None, typer.Option(help="Document numbers that start like this.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=DATE, help="Arrived on this day or later.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=DATE, help="Arrived on this day or earlier.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    json: JsonOption = False,
) -> None:
    """List documents, the newest first.

    Examples: `arsip documents list`, `arsip documents list --status FAILED --json`
    """
    settings: Settings = context.obj
    wanted = DocumentFilter(status, name, number, since and since.date(), until and until.date())
    with open_session(settings) as session, session.archive.database.session() as transaction:
        found, total = documents.listed(transaction, wanted, limit=limit, offset=offset)
    if json:
        for document in found:
            write_json(as_row(document))
        return
    table = Table("id", "status", "pages", "number", "name", "reason", box=None, pad_edge=False)
    for document in found:
        table.add_row(
            str(document.id),
            status_text(document.status),
            str(document.page_count or ""),
            escape(document.extracted_doc_number or ""),
            escape(document.name),
            escape(document.failure_reason or ""),
        )
    out().print(table)
    out().print(f"[dim]{len(found)} of {total} documents[/dim]")


@app.command()
def show(
    context: typer.Context,
    document_id: int,
    words: Annotated[bool, typer.Option("--words", help="With words, boxes and tables (JSON only).")] = False,
    other: Annotated[
        bool, typer.Option("--readings", help="Also what other engines read, and what was read before (JSON only).")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show one document, where it was found, and its pages.

    Examples: `arsip documents show 12`, `arsip documents show 12 --json --words`
    """
    settings: Settings = context.obj
    with open_session(settings) as session, session.archive.database.session() as transaction:
        document = documents.load(transaction, document_id)
        found = pages.listed(transaction, document_id, with_words=words)
        paths = documents.paths(transaction, document_id)
        others = readings.of_document(transaction, document_id) if other else []
    if json:
        details = {"languages": document.languages, "ocr_queue": document.ocr_queue, "media_type": document.media_type}
        moments = {"created_at": document.created_at, "finished_at": document.finished_at}
        write_json(as_row(document) | details | moments | {"ocr_metadata": document.ocr_metadata, "paths": list(paths)})
        for page in found:
            write_json(page_row(page) | ({"words": page.words, "tables": page.tables} if words else {}))
        for reading in others:
            write_json({"document_id": document_id, "number": reading.number, "stands": False, **_read_by(reading)})
        return
    _print_document(document, list(paths))
    _print_pages(list(found))


@app.command()
def text(
    context: typer.Context,
    document_id: int,
    page: Annotated[int | None, typer.Option(min=1, help="Only this page.")] = None,
    json: JsonOption = False,
) -> None:
    """Print the plain text, pages apart by a form feed.

    Examples: `arsip documents text 12`, `arsip documents text 12 --page 3`
    """
    settings: Settings = context.obj
    with open_session(settings) as session, session.archive.database.session() as transaction:
        documents.load(transaction, document_id)
        found = [pages.one(transaction, document_id, page)] if page else pages.listed(transaction, document_id)
    if json:
        for one in found:
            write_json(page_row(one))
        return
    typer.echo("\f".join((one.text or "") + "\n" for one in found), nl=False)


@app.command()
def reprocess(
    context: typer.Context,
    document_ids: Annotated[list[int] | None, typer.Argument()] = None,
    status: Annotated[
        DocumentStatus | None, typer.Option(case_sensitive=False, help="All documents in this state.")
    ] = None,
    queue: Annotated[str | None, typer.Option(help="OCR queue to use from now on.")] = None,
    lang: Annotated[str | None, typer.Option(help="Languages to use from now on, such as eng+ind.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until they are done.")] = True,
    workers: Annotated[int | None, typer.Option(min=0, help="Worker processes while waiting.")] = None,
    json: JsonOption = False,
) -> None:
    """Read documents again from their originals, such as after a language was installed.

    What was read before stands, and is found, until each page is read anew. Pages whose engine, options and languages
    are as before take over their results.

    Examples: `arsip documents reprocess 12 13`, `arsip documents reprocess --status FAILED --lang eng+ind`,
    `arsip documents reprocess 12 --queue ocr.rapidocr`
    """
    settings: Settings = context.obj
    if not document_ids and not status:
        raise typer.BadParameter("give document ids, or --status")
    if queue:
        check_queue(settings, queue)
    if lang:
        check_languages(lang)
    report = Report(json=json)
    with open_session(settings) as session:
        with session.archive.database.session() as transaction:
            chosen = list(document_ids or ()) or documents.in_status(transaction, status)
            for document_id in chosen:
                documents.reset(transaction, document_id, ocr_queue=queue, languages=lang)
        session.doorbell.ring({"ingest"})
        if not json:
            err().print(f"{len(chosen)} documents are read again")
        if wait:
            with waiting(session, workers, report) as watch:
                for document_id in chosen:
                    watch.add(document_id)
                watch.wait()
    if not report.all_well:
        raise typer.Exit(1)


def page_row(page: Page) -> dict[str, object]:
    """A page with the table's column names as keys."""
    return {
        "document_id": page.document_id,
        "number": page.number,
        "status": page.status,
        "method": page.method,
        **_read_by(page),
        "reused": page.reused,
        "escalation": page.escalation,
        "failure_code": page.failure_code,
        "failure_reason": page.failure_reason,
    }


def _read_by(reading: Page | OtherReading) -> dict[str, object]:
    names = ("text", "engine", "engine_version", "confidence", "dpi", "orientation", "notes", "timings")
    return {name: getattr(reading, name) for name in names}


def _remarks(page: Page) -> str:
    turned = f"text stands turned by {-page.orientation % 360} degrees" if page.orientation else None
    again = f"read by a stronger engine too: {page.escalation.lower()}" if page.escalation else None
    reused = "result of an equal page" if page.reused else None
    return "; ".join(filter(None, [*(page.notes or ()), turned, again, reused, page.failure_reason]))


def _print_document(document: Document, paths: list[str]) -> None:
    console = out()
    console.print(f"[bold]{escape(document.name)}[/bold]  document {document.id}  {status_text(document.status)}")
    number = document.ocr_metadata.get("number") or {}
    where = f"{document.extracted_doc_number} (page {number.get('page')}, {number.get('pattern')})"
    confidence = document.ocr_metadata.get("confidence")
    facts = {
        "number": where if document.extracted_doc_number else None,
        "type": f"{document.media_type}, {document.size_bytes:,} bytes",
        "pages": document.page_count,
        "languages": document.languages,
        "confidence": f"{confidence:.0%}" if confidence else None,
        "failure": document.failure_reason and f"{document.failure_reason} [{document.failure_code}]",
        "arrived": f"{document.created_at:%Y-%m-%d %H:%M:%S}",
        "sha256": document.sha256,
        "found at": "\n".join(paths),
    }
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            table.add_row(f"[dim]{name}[/dim]", escape(str(value)))
    console.print(table)


def _print_pages(found: list[Page]) -> None:
    table = Table("page", "status", "method", "words", "confidence", "engine", "remarks", box=None, pad_edge=False)
    for page in found:
        table.add_row(
            str(page.number),
            status_text(page.status),
            page.method or "",
            str(len((page.text or "").split())),
            f"{page.confidence:.0%}" if page.confidence is not None else "",
            f"{page.engine} {page.engine_version}" if page.engine else "",
            escape(_remarks(page)),
        )
    out().print(table)
