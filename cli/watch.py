"""Waits for documents to end, with a progress display, while workers of this machine do the work."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from actors.doorbell import Doorbell
from actors.supervisor import Supervisor
from pipeline.archive import Archive
from pipeline.errors import QueueUnavailable, StorageUnavailable
from pipeline.queue_status import queue_status
from pipeline.stack import ensure_running
from pipeline.store import documents
from pipeline.tables import Document

POLL_SECONDS = 0.5
BATCH = 2000
"""Documents asked about in one query; the oldest are the next to end."""
RING_EVERY = 5.0
PATIENCE = 30.0
"""Seconds for which a server may be away before the command gives up."""
HINT_AFTER = 10.0
"""Seconds that workers have to tell of themselves."""
HINT_EVERY = 60.0
PLAIN_EVERY = 10.0
"""Seconds between two lines of progress where there is no terminal."""


class Watch:
    """Follows documents to their final state.

    Args:
        on_finished: called once per document when it has ended.
    """

    def __init__(
        self,
        archive: Archive,
        doorbell: Doorbell,
        supervisor: Supervisor,
        on_finished: Callable[[Document], None],
        display: "ProgressDisplay",
    ) -> None:
        self._database = archive.database
        self._settings = archive.settings
        self._doorbell = doorbell
        self._supervisor = supervisor
        self._on_finished = on_finished
        self._display = display
        self._open: dict[int, None] = {}
        self._ended: set[int] = set()
        self._pages_done = 0
        self._next_poll = self._next_ring = 0.0
        self._well_at = time.monotonic()
        self._hint_at = self._well_at + HINT_AFTER

    def add(self, document_id: int) -> None:
        if document_id not in self._ended:
            self._open[document_id] = None

    def tick(self) -> None:
        """Look for progress if it is time to; cheap enough to be called for every file.

        Raises:
            StorageUnavailable, QueueUnavailable: Postgres or Redis has been away for longer than `PATIENCE`.
        """
        now = time.monotonic()
        if now < self._next_poll:
            return
        self._supervisor.tend()
        try:
            if now >= self._next_ring:
                self._next_ring = now + RING_EVERY
                self._doorbell.check()
                self._doorbell.ring_all()
            self._poll()
            if now >= self._hint_at:
                self._hint_at = math.inf if self._hint() else now + HINT_EVERY
            self._well_at = time.monotonic()
        except (StorageUnavailable, QueueUnavailable):
            # A server that restarts is back soon; the workers wait for it too.
            if time.monotonic() - self._well_at > PATIENCE:
                raise
            self._next_ring = 0.0
            with suppress(StorageUnavailable):
                ensure_running(self._settings)
        self._next_poll = time.monotonic() + POLL_SECONDS

    def wait(self) -> None:
        """Return when every document that was added has ended."""
        while self._open:
            self.tick()
            if self._open:
                time.sleep(POLL_SECONDS / 5)

    def _poll(self) -> None:
        oldest = [document_id for document_id, _ in zip(self._open, range(BATCH), strict=False)]
        with self._database.session() as session:
            progress = documents.progress(session, oldest)
        for document in progress.finished:
            del self._open[document.id]
            self._ended.add(document.id)
            self._pages_done += document.page_count or 0
            self._on_finished(document)
        done = self._pages_done + progress.pages_done
        waiting = progress.uncounted + max(0, len(self._open) - len(oldest))
        self._display.show(
            documents_done=len(self._ended),
            documents=len(self._ended) + len(self._open),
            pages_done=done,
            pages=self._pages_done + progress.pages_known + self._expected_pages(waiting),
        )

    def _hint(self) -> bool:
        """Say so if nobody takes some of the jobs that wait; whether it was said."""
        unserved = [one.queue for one in queue_status(self._database, self._settings) if one.is_unserved]
        if unserved:
            self._display.say(
                f"no worker takes {', '.join(unserved)}: documents wait until `arsip worker` runs somewhere"
            )
        return bool(unserved)

    def _expected_pages(self, uncounted: int) -> int:
        """Pages of documents that nobody has looked into: as many as those that ended had on average."""
        mean = self._pages_done / len(self._ended) if self._ended else 1.0
        return round(uncounted * max(1.0, mean))


class ProgressDisplay:
    """Documents, pages, pages per second and time left: a live display on a terminal, else a line now and then."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live: Progress | None = None
        self._started = time.monotonic()
        self._next_line = self._started + PLAIN_EVERY

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._live.add_task("documents", total=None, note="")
            self._live.add_task("pages", total=None, note="")
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def show(self, *, documents_done: int, documents: int, pages_done: int, pages: int) -> None:
        elapsed = time.monotonic() - self._started
        rate = pages_done / elapsed if elapsed > 0 else 0.0
        left = f", {duration((pages - pages_done) / rate)} left" if rate and pages > pages_done else ""
        note = f"{rate:.1f} pages/s{left}"
        if self._live:
            self._live.update(TaskID(0), completed=documents_done, total=documents)
            self._live.update(TaskID(1), completed=pages_done, total=pages, note=note)
        elif not self._quiet and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PLAIN_EVERY
            self._console.print(f"{documents_done} of {documents} documents, {pages_done} of {pages} pages, {note}")

    def say(self, text: str) -> None:
        self._console.print(f"[yellow]{escape(text)}[/yellow]", soft_wrap=True)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started


def duration(seconds: float) -> str:
    """Such as `45 s`, `3 min 05 s` or `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def as_row(document: Document) -> dict[str, object]:
    """A document with the tables' column names as keys."""
    return {
        "id": document.id,
        "sha256": document.sha256,
        "name": document.name,
        "status": document.status,
        "page_count": document.page_count,
        "extracted_doc_number": document.extracted_doc_number,
        "failure_code": document.failure_code,
        "failure_reason": document.failure_reason,
    }
