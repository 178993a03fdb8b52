"""Takes files in: stores their bytes, then records documents and jobs in batches.

The blob is stored before its row is committed, so a crash can leave a blob without a document but never the opposite,
and the same call again goes on where the last one ended.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import monotonic

from pipeline.blobs.store import BlobStore
from pipeline.database import Database
from pipeline.errors import ArsipError, QueueUnavailable
from pipeline.intake.results import IntakeOutcome, IntakeResult, left_out
from pipeline.intake.taking import storable
from pipeline.intake.threads import TakingThreads
from pipeline.intake.walk import Found, Step, walk
from pipeline.intake.wishes import WishRules
from pipeline.settings import Settings
from pipeline.states import Stage
from pipeline.store import intake as store
from pipeline.store.intake import Arrival, Recorded, Wishes

__all__ = ["Intake", "IntakeOutcome", "IntakeResult"]

logger = logging.getLogger(__name__)

BATCH_FILES = 200
BATCH_SECONDS = 2.0
"""A batch is committed when it has so many files or is so old, whichever comes first."""


class Intake:
    """
    Args:
        ring: called with the names of queues that got jobs, after each commit. If it raises QueueUnavailable nothing
            is lost: the jobs are rows, and workers look for jobs whose message was lost.
    """

    def __init__(
        self, database: Database, blobs: BlobStore, settings: Settings, *, ring: Callable[[Collection[str]], object]
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._settings = settings
        self._ring = ring

    def submit(
        self,
        paths: Iterable[Path],
        *,
        ocr_queue: str | None = None,
        languages: str | None = None,
        tables: bool = False,
        hidden: bool = False,
        rehash: bool = False,
    ) -> Iterator[IntakeResult]:
        """Take in files and folders; one result per file, after it is committed.

        Args:
            ocr_queue, languages: for all of them; what is not given is decided by `folder_rules`, then by the defaults.
                Languages are joined by +.
            rehash: read files again whose size and time are as they were.

        Raises:
            ConfigurationError: an unknown queue, or malformed languages.
            DiskFull, StorageUnavailable: nothing more can be taken in now; all results so far stand.
            KeyboardInterrupt: passed on after the files that were stored are recorded and reported.
        """
        wishes = WishRules(self._settings, ocr_queue, languages, tables=tables)
        return self._submit(walk(paths, hidden=hidden), wishes, rehash)

    def _submit(self, steps: Iterator[Step], wishes: Callable[[str], Wishes], rehash: bool) -> Iterator[IntakeResult]:
        recorder = _Recorder(self._database, self._blobs, self._ring, wishes)
        with TakingThreads(self._blobs, self._settings.max_file_mb) as threads:
            try:
                yield from recorder.run(threads.results(self._asked(steps, rehash)))
            except (ArsipError, KeyboardInterrupt):
                # What is stored is recorded all the same, so that nothing is read twice.
                yield from recorder.run(threads.finished())
                raise

    def _asked(self, steps: Iterator[Step], rehash: bool) -> Iterator["str | IntakeResult"]:
        """Paths of files to read, and results of what need not be read."""
        while batch := list(islice(steps, BATCH_FILES)):
            known = {} if rehash else self._known([step.path for step in batch if isinstance(step, Found)])
            for step in batch:
                if not isinstance(step, Found):
                    yield left_out(step)
                    continue
                path = storable(step.path)
                document_id, *before = known.get(path, (None,))
                if before == [step.size, step.mtime_ns]:
                    yield IntakeResult(path, IntakeOutcome.UNCHANGED, document_id)
                else:
                    yield step.path

    def _known(self, paths: Sequence[str]) -> dict[str, tuple[int, int, int]]:
        with self._database.session() as session:
            return store.known_sources(session, [storable(path) for path in paths])


class _Recorder:
    """Collects what is stored, and records it in batches."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        ring: Callable[[Collection[str]], object],
        wishes: Callable[[str], Wishes],
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._ring = ring
        self._wishes = wishes
        self._arrivals: list[Arrival] = []
        self._since = monotonic()
        self._rings = True
        self._failed = False

    def run(self, taken: Iterable[Arrival | IntakeResult | None]) -> Iterator[IntakeResult]:
        """Results as they come, those of files that are to be recorded after the commit."""
        for item in taken:
            if isinstance(item, IntakeResult):
                yield item
            elif item:
                if not self._arrivals:
                    self._since = monotonic()
                self._arrivals.append(item)
            if len(self._arrivals) >= BATCH_FILES or monotonic() - self._since > BATCH_SECONDS:
                yield from self._record()
        yield from self._record()

    def _record(self) -> Iterator[IntakeResult]:
        if not self._arrivals or self._failed:
            return
        try:
            self._blobs.sync()
            with self._database.session() as session:
                recorded = store.record(session, self._arrivals, self._wishes)
        except ArsipError:
            self._failed = True
            raise
        # Not earlier: after a KeyboardInterrupt the batch is recorded once more.
        arrivals, self._arrivals = self._arrivals, []
        if recorded.new:
            self._ring_for_ingest()
        yield from _results(arrivals, recorded)

    def _ring_for_ingest(self) -> None:
        try:
            self._ring({Stage.INGEST})
        except QueueUnavailable as error:
            level = logging.WARNING if self._rings else logging.DEBUG
            logger.log(level, "the documents are recorded and wait, but nobody could be rung for them: %s", error)
            self._rings = False


def _results(arrivals: Sequence[Arrival], recorded: Recorded) -> Iterator[IntakeResult]:
    new = set(recorded.new)
    sources = dict(recorded.before)
    for arrival in arrivals:
        document_id = recorded.ids[arrival.sha256]
        if arrival.sha256 in new:
            outcome = IntakeOutcome.ACCEPTED
        elif sources.get(arrival.path) == document_id:
            outcome = IntakeOutcome.UNCHANGED
        else:
            outcome = IntakeOutcome.DUPLICATE
        new.discard(arrival.sha256)
        sources[arrival.path] = document_id
        yield IntakeResult(arrival.path, outcome, document_id, size=arrival.size)
