"""Compares a folder with the archive: which files are in it, and why the others are not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from pathlib import Path
from threading import Event

from pipeline.archive import Archive
from pipeline.blobs.store import CHUNK, Source, StoredBlob
from pipeline.errors import PermanentError
from pipeline.intake.results import left_out
from pipeline.intake.taking import storable, take
from pipeline.intake.walk import Found, Step, walk
from pipeline.states import DocumentStatus
from pipeline.store import check
from pipeline.store import intake as store
from pipeline.store.check import Checked

BATCH = 200


class Verdict(StrEnum):
    ARCHIVED = "archived"
    SKIPPED = "skipped"
    """Hidden, or a link to a folder that is walked anyway: nobody expects it in the archive."""
    NOT_SUBMITTED = "not_submitted"
    CHANGED = "changed"
    """The path was taken in with other content."""
    REJECTED = "rejected"
    UNFINISHED = "unfinished"
    PARTIAL = "partial"
    FAILED = "failed"
    ORIGINAL_MISSING = "original_missing"
    INDEX_DIFFERS = "index_differs"

    @property
    def is_well(self) -> bool:
        return self in {Verdict.ARCHIVED, Verdict.SKIPPED}


@dataclass(frozen=True, slots=True)
class Finding:
    path: str
    verdict: Verdict
    document_id: int | None = None
    code: str | None = None
    reason: str | None = None
    """What is missing, and what to do."""


def reconcile(
    archive: Archive, paths: Iterable[Path], *, hidden: bool = False, rehash: bool = False
) -> Iterator[Finding]:
    """One finding for each file, in the order of the walk.

    Args:
        hidden: whether hidden files are expected in the archive.
        rehash: read files too whose size and time are as recorded.

    Raises:
        StorageUnavailable, IndexUnavailable: a part of the archive is away.
    """
    steps = walk(paths, hidden=hidden)
    while batch := list(islice(steps, BATCH)):
        yield from _Batch(archive, rehash=rehash).findings(batch)


class _Batch:
    def __init__(self, archive: Archive, *, rehash: bool) -> None:
        self._archive = archive
        self._rehash = rehash

    def findings(self, steps: Sequence[Step]) -> Iterator[Finding]:
        files = [step for step in steps if isinstance(step, Found)]
        with self._archive.database.session() as session:
            sources = store.known_sources(session, [storable(file.path) for file in files])
        hashes: dict[str, str | PermanentError] = {
            file.path: self._hash(file.path) for file in files if self._rehash or not _is_as_recorded(file, sources)
        }
        with self._archive.database.session() as session:
            by_id = check.by_id(session, {document_id for document_id, *_ in sources.values()})
            by_hash = check.by_hash(session, {value for value in hashes.values() if isinstance(value, str)})
        indexed = self._archive.index.pages({document.id for document in (*by_id.values(), *by_hash.values())})
        for step in steps:
            if not isinstance(step, Found):
                yield _left_out(step)
                continue
            path, content = storable(step.path), hashes.get(step.path)
            if isinstance(content, PermanentError):
                yield Finding(path, Verdict.REJECTED, code=content.code, reason=str(content))
            elif document := by_hash.get(content) if content else by_id.get(sources[path][0]):
                yield self._of_document(path, document, indexed.get(document.id, frozenset()))
            elif path in sources:
                yield Finding(path, Verdict.CHANGED, sources[path][0], reason="it has changed since; ingest it again")
            else:
                yield Finding(path, Verdict.NOT_SUBMITTED, reason="nobody has ingested it")

    def _hash(self, path: str) -> str | PermanentError:
        """The file's SHA-256, or why intake would refuse it."""
        try:
            return take(path, _HashOnly(), max_mb=self._archive.settings.max_file_mb, stopping=Event()).sha256
        except PermanentError as error:
            return error

    def _of_document(self, path: str, document: Checked, indexed: frozenset[int]) -> Finding:
        def finding(verdict: Verdict, code: str | None, reason: str | None) -> Finding:
            return Finding(path, verdict, document.id, code, reason)

        if not self._archive.blobs.has(document.sha256):
            return finding(
                Verdict.ORIGINAL_MISSING, None, "its original is gone; `arsip ingest --rehash` stores it again"
            )
        if not document.status.final:
            return finding(Verdict.UNFINISHED, None, f"it is {document.status}; `arsip worker` goes on with it")
        if document.status == DocumentStatus.FAILED:
            return finding(Verdict.FAILED, document.failure_code, document.failure_reason)
        if not document.is_indexed_as(indexed):
            return finding(Verdict.INDEX_DIFFERS, None, "the search index differs; recovery makes it anew")
        if document.status == DocumentStatus.PARTIAL:
            return finding(Verdict.PARTIAL, document.failure_code, document.failure_reason)
        return finding(Verdict.ARCHIVED, None, None)


class _HashOnly:
    """Takes the place of a blob store, and keeps nothing."""

    def put(self, source: Source) -> StoredBlob:
        digest, size = sha256(), 0
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
        return StoredBlob(digest.hexdigest(), size)


def _is_as_recorded(file: Found, sources: Mapping[str, tuple[int, int, int]]) -> bool:
    return sources.get(storable(file.path), (0, -1, -1))[1:] == (file.size, file.mtime_ns)


def _left_out(step: Step) -> Finding:
    assert not isinstance(step, Found)
    result = left_out(step)
    assert result.error
    verdict = Verdict.REJECTED if result.error.code == "unreadable_file" else Verdict.SKIPPED
    return Finding(result.path, verdict, code=result.error.code, reason=result.error.message)
