"""Takes files in: stores their bytes, then records documents and jobs in batches.

The blob is stored before its row is committed, so a crash can leave a blob without a document but never the opposite,
and the same call again goes on where the last one ended.
"""

import logging
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from pipeline.blobs.store import BlobStore
from pipeline.database import Database
from pipeline.errors import ArsipError, ConfigurationError, PermanentError, TooLarge, UnreadableFile
from pipeline.intake.walk import Found, Hidden, Unreadable, walk
from pipeline.reading import sniff
from pipeline.settings import Settings
from pipeline.store import intake as store
from pipeline.store.intake import Arrival, Wishes

logger = logging.getLogger(__name__)

BATCH_FILES = 200
BATCH_SECONDS = 2.0
"""A batch is committed when it has so many files or is so old, whichever comes first."""

_LANGUAGES = re.compile(r"[A-Za-z][A-Za-z_]{1,30}(?:\+[A-Za-z][A-Za-z_]{1,30}){0,7}")


class IntakeOutcome(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The same bytes are known under another path, which is recorded as another source."""
    UNCHANGED = "unchanged"
    """This path was taken in before, and its size and time are as they were."""
    SKIPPED = "skipped"
    """Hidden."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class IntakeError:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class IntakeResult:
    path: str
    outcome: IntakeOutcome
    document_id: int | None = None
    error: IntakeError | None = None


class Intake:
    """
    Args:
        ring: called with the names of queues that got jobs, after each commit; must not raise.
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
            languages: joined by +; those of the settings if not given.
            rehash: read files again whose size and time are as they were.

        Raises:
            ConfigurationError: an unknown queue, or malformed languages.
            DiskFull, StorageUnavailable: nothing more can be taken in now; all results so far stand.
        """
        wishes = self._wishes(ocr_queue, languages, tables)
        return self._submit(walk(paths, hidden=hidden), wishes, rehash)

    def _wishes(self, ocr_queue: str | None, languages: str | None, tables: bool) -> Wishes:
        queue = ocr_queue or self._settings.default_ocr_queue
        if queue not in self._settings.ocr_queue_names:
            known = ", ".join(self._settings.ocr_queue_names)
            raise ConfigurationError(f"there is no OCR queue {queue!r}; known: {known}")
        wanted = languages or self._settings.languages
        if not _LANGUAGES.fullmatch(wanted):
            raise ConfigurationError(f"{wanted!r} are no languages; they look like eng or eng+ind")
        return Wishes(languages=wanted, ocr_queue=queue, extract_tables=tables)

    def _submit(
        self, found: Iterator[Found | Hidden | Unreadable], wishes: Wishes, rehash: bool
    ) -> Iterator[IntakeResult]:
        while batch := list(islice(found, BATCH_FILES)):
            yield from (_not_taken(item) for item in batch if not isinstance(item, Found))
            files = [item.path for item in batch if isinstance(item, Found)]
            yield from self._take(files, self._known(files), wishes, rehash)

    def _known(self, files: Sequence[Path]) -> dict[str, tuple[int, int, int]]:
        with self._database.session() as session:
            return store.known_sources(session, [storable(path) for path in files])

    def _take(
        self, files: Sequence[Path], known: dict[str, tuple[int, int, int]], wishes: Wishes, rehash: bool
    ) -> Iterator[IntakeResult]:
        arrivals: list[Arrival] = []
        started = monotonic()
        try:
            for path in files:
                taken = self._store(path, None if rehash else known.get(storable(path)))
                if isinstance(taken, IntakeResult):
                    yield taken
                    continue
                arrivals.append(taken)
                if monotonic() - started > BATCH_SECONDS:
                    batch, arrivals, started = arrivals, [], monotonic()
                    yield from self._record(batch, known, wishes)
        except (ArsipError, KeyboardInterrupt):
            # What is stored is recorded all the same, so that nothing is read twice.
            yield from self._record(arrivals, known, wishes)
            raise
        yield from self._record(arrivals, known, wishes)

    def _store(self, path: Path, known: tuple[int, int, int] | None) -> Arrival | IntakeResult:
        """Store a file's bytes, unless it is as it was, or cannot be taken."""
        try:
            with _opened(path) as file:
                status = os.fstat(file.fileno())
                if known and known[1:] == (status.st_size, status.st_mtime_ns):
                    return IntakeResult(storable(path), IntakeOutcome.UNCHANGED, known[0])
                head = file.read(sniff.HEAD)
                media_type = sniff.media_type(head)
                limit = self._settings.max_file_mb
                if status.st_size > limit << 20:
                    size = status.st_size >> 20
                    raise TooLarge(f"{size} MB are more than ARSIP_MAX_FILE_MB={limit}; raise it or split the file")
                file.seek(0)
                blob = self._blobs.put(file)
        except PermanentError as error:
            return _failed(path, error)
        except OSError as error:
            return _failed(path, UnreadableFile(f"the file cannot be read: {error.strerror or error}"))
        return Arrival(
            storable(path), storable(Path(path.name)), status.st_mtime_ns, blob.sha256, blob.size, media_type
        )

    def _record(
        self, arrivals: Sequence[Arrival], known: dict[str, tuple[int, int, int]], wishes: Wishes
    ) -> Iterator[IntakeResult]:
        if not arrivals:
            return
        with self._database.session() as session:
            recorded = store.record(session, arrivals, wishes)
        if any(new for _, new in recorded.values()):
            self._ring({"ingest"})
        seen: set[str] = set()
        for arrival in arrivals:
            document_id, new = recorded[arrival.sha256]
            outcome = IntakeOutcome.DUPLICATE
            if new and arrival.sha256 not in seen:
                outcome = IntakeOutcome.ACCEPTED
            elif arrival.path in known and known[arrival.path][0] == document_id:
                outcome = IntakeOutcome.UNCHANGED
            seen.add(arrival.sha256)
            yield IntakeResult(arrival.path, outcome, document_id)


def storable(path: Path) -> str:
    """The path as Postgres can store it: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _opened(path: Path) -> BinaryIO:
    # Without blocking: the path may have become a pipe that nobody writes to since it was found.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb")


def _not_taken(item: Found | Hidden | Unreadable) -> IntakeResult:
    if isinstance(item, Unreadable):
        return _failed(item.path, UnreadableFile(item.reason))
    note = IntakeError("hidden", "its name begins with a dot; --hidden takes it too")
    return IntakeResult(storable(item.path), IntakeOutcome.SKIPPED, error=note)


def _failed(path: Path, error: PermanentError) -> IntakeResult:
    return IntakeResult(storable(path), IntakeOutcome.FAILED, error=IntakeError(error.code, str(error)))
