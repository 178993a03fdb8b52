"""`arsip ingest`: hand files and folders to the archive, and wait until they are in it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from actors.supervisor import Supervisor
from cli.console import JsonOption, complain, counted, err, out, status_text, write_json
from cli.session import Session, open_session
from cli.watch import ProgressDisplay, Watch, as_row, duration
from cli.worker import available_cpus
from pipeline.intake.intake import Intake, IntakeOutcome, IntakeResult
from pipeline.settings import Settings
from pipeline.states import DocumentStatus
from pipeline.tables import Document

EXIT_INTERRUPTED = 130


def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files and folders; folders are searched recursively.")],
    queue: Annotated[str | None, typer.Option(help="OCR queue for pages without text.")] = None,
    lang: Annotated[str | None, typer.Option(help="Languages of the documents, such as eng+ind.")] = None,
    tables: Annotated[bool, typer.Option("--tables", help="Store tables of text pages as rows of cells.")] = False,
    hidden: Annotated[bool, typer.Option("--hidden", help="Take hidden files and folders too.")] = False,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read files again whose size and time are as before.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the documents are in the archive.")] = True,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, help="Worker processes while waiting. Default: one per CPU on the embedded servers, else 0."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Put documents into the archive. The same command again resumes, and skips what is there.

    Exits with 0 only if every file was accepted or is a duplicate and, with --wait, ended well.

    Examples: `arsip ingest ~/scans`, `arsip ingest --lang eng+ind --tables letters/ invoice.pdf`,
    `arsip ingest /mnt/share --no-wait --json`
    """
    settings: Settings = context.obj
    with open_session(settings) as session:
        report = Report(json=json)
        intake = Intake(session.archive.database, session.archive.blobs, settings, ring=session.doorbell.ring)
        results = intake.submit(paths, ocr_queue=queue, languages=lang, tables=tables, hidden=hidden, rehash=rehash)
        try:
            with waiting(session, workers, report) if wait else nullcontext() as watch:
                for result in results:
                    report.file(result)
                    if watch and result.document_id:
                        watch.add(result.document_id)
                        watch.tick()
                if watch:
                    watch.wait()
        except KeyboardInterrupt:
            report.summary(waited=False)
            complain("stopped; nothing is lost, the same command goes on from here")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        report.summary(waited=wait)
    if not report.all_well:
        raise typer.Exit(1)


@contextmanager
def waiting(session: Session, workers: int | None, report: "Report") -> Iterator[Watch]:
    """A watch over documents, with workers of this machine while it lasts."""
    settings = session.archive.settings
    count = workers if workers is not None else available_cpus() if settings.database_url is None else 0
    log = settings.home / "logs" / "worker.log"
    console = report.console if report.console.is_terminal and not report.json else err()
    with (
        Supervisor(session.archive.database, count, log=log, grace=settings.worker_grace_seconds) as supervisor,
        ProgressDisplay(console, quiet=report.json) as display,
    ):
        report.display = display
        yield Watch(session.archive, session.doorbell, supervisor, report.document, display)


class Report:
    """Says what became of each file and document, and sums it up."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.console = out()
        """On a terminal it is the progress display's too, which keeps out of the way of what is printed on it."""
        self.display: ProgressDisplay | None = None
        self._files: Counter[IntakeOutcome] = Counter()
        self._documents: Counter[DocumentStatus] = Counter()
        self._pages = 0

    @property
    def all_well(self) -> bool:
        bad = self._documents[DocumentStatus.FAILED] + self._documents[DocumentStatus.PARTIAL]
        return self._files[IntakeOutcome.FAILED] == 0 and bad == 0

    def file(self, result: IntakeResult) -> None:
        self._files[result.outcome] += 1
        if self.json:
            error = result.error and {"code": result.error.code, "message": result.error.message}
            write_json(
                {"path": result.path, "outcome": result.outcome, "document_id": result.document_id, "error": error}
            )
        elif result.outcome == IntakeOutcome.DUPLICATE:
            self.console.print(f"duplicate  {escape(result.path)} is a duplicate of document {result.document_id}")
        elif result.error:
            style = "red" if result.outcome == IntakeOutcome.FAILED else "dim"
            text = escape(f"{result.path}: {result.error.message} [{result.error.code}]")
            self.console.print(f"[{style}]{result.outcome:<9}[/{style}]  {text}")

    def document(self, document: Document) -> None:
        """A document ended."""
        self._documents[DocumentStatus(document.status)] += 1
        self._pages += document.page_count or 0
        if self.json:
            write_json({"document": as_row(document)})
            return
        number = f"  [cyan]{escape(document.extracted_doc_number)}[/cyan]" if document.extracted_doc_number else ""
        pages = counted(document.page_count, "page") if document.page_count else ""
        reason = f"  {escape(document.failure_reason)}" if document.failure_reason else ""
        self.console.print(
            f"{status_text(document.status)}  document {document.id}  {escape(document.name)}  {pages}{number}{reason}"
        )

    def summary(self, *, waited: bool) -> None:
        files = {outcome.value: self._files[outcome] for outcome in IntakeOutcome}
        ended = {status.value: count for status, count in self._documents.items()}
        elapsed = self.display.elapsed if self.display else None
        if self.json:
            summary: dict[str, object] = {"files": self._files.total(), **files}
            if waited:
                summary |= {"documents": ended, "pages": self._pages, "seconds": elapsed and round(elapsed, 2)}
            write_json({"summary": summary})
            return
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in files.items() if count)
        self.console.print(f"[bold]{counted(self._files.total(), 'file')}[/bold]: {outcomes or 'nothing found'}")
        if waited and elapsed:
            states = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
            rate = f"{self._pages / elapsed:.1f} pages/s"
            documents = counted(self._documents.total(), "document")
            self.console.print(f"[bold]{documents}[/bold]: {states or 'nothing to do'}")
            self.console.print(f"[bold]{counted(self._pages, 'page')}[/bold] in {duration(elapsed)} ({rate})")
        elif self._files[IntakeOutcome.ACCEPTED]:
            self.console.print("The documents wait for workers: `arsip worker` starts some on this machine.")
