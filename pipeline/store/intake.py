"""What intake writes: documents with their sources and first jobs, many at once and idempotently."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pipeline.states import Stage
from pipeline.tables import Document, DocumentSource

LONGEST_PATH = 2600
"""Bytes of UTF-8: an entry of a B-tree index ends at 2,704."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file whose bytes are in the blob store."""

    path: str
    name: str
    mtime_ns: int
    sha256: str
    size: int
    """In bytes."""
    media_type: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """How new documents are to be read."""

    languages: str
    ocr_queue: str
    extract_tables: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    ids: dict[str, int]
    """The document of each SHA-256."""
    new: frozenset[str]
    """SHA-256s that were not known before."""
    before: dict[str, int]
    """The document that a path belonged to until now."""


# Columns as arrays: one statement whatever their length. SQLAlchemy's VALUES of 200 rows took longer to compile than
# PostgreSQL took to run. Rows go in one order everywhere, so that two batches that share documents or paths wait for
# each other instead of deadlocking.
_INSERT_DOCUMENTS = text(
    """
    INSERT INTO documents (sha256, name, media_type, size_bytes, languages, ocr_queue, extract_tables)
    SELECT sha256, name, media_type, size_bytes, languages, ocr_queue, extract_tables
    FROM unnest(CAST(:sha256 AS text[]), CAST(:name AS text[]), CAST(:media_type AS text[]), CAST(:size AS bigint[]),
                CAST(:languages AS text[]), CAST(:ocr_queue AS text[]), CAST(:extract_tables AS boolean[]))
         AS arrival (sha256, name, media_type, size_bytes, languages, ocr_queue, extract_tables)
    ORDER BY sha256
    ON CONFLICT (sha256) DO NOTHING
    RETURNING sha256, id
    """
)
_INSERT_JOBS = text(
    "INSERT INTO jobs (document_id, stage, queue) SELECT id, :stage, :stage FROM unnest(CAST(:ids AS bigint[])) AS id"
)
_UPSERT_SOURCES = text(
    """
    INSERT INTO document_sources AS source (document_id, path, size_bytes, mtime_ns)
    SELECT document_id, path, size_bytes, mtime_ns
    FROM unnest(CAST(:ids AS bigint[]), CAST(:path AS text[]), CAST(:size AS bigint[]), CAST(:mtime_ns AS bigint[]))
         AS arrival (document_id, path, size_bytes, mtime_ns)
    ORDER BY path
    ON CONFLICT (path) DO UPDATE
        SET document_id = excluded.document_id, size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns
        WHERE (source.document_id, source.size_bytes, source.mtime_ns)
              IS DISTINCT FROM (excluded.document_id, excluded.size_bytes, excluded.mtime_ns)
    """
)


def known_sources(session: Session, paths: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """(document id, size in bytes, mtime in nanoseconds) of the paths that were recorded before."""
    rows = session.execute(
        select(
            DocumentSource.path, DocumentSource.document_id, DocumentSource.size_bytes, DocumentSource.mtime_ns
        ).where(DocumentSource.path.in_(paths))
    )
    return {path: (document_id, size, mtime_ns) for path, document_id, size, mtime_ns in rows}


def record(session: Session, arrivals: Sequence[Arrival], wishes: Callable[[str], Wishes]) -> Recorded:
    """Write documents that are new with their ingest jobs, and the path of every arrival as a source.

    Args:
        wishes: for a document that is found on a path.

    Of two processes that bring the same bytes at the same moment, one makes the document.
    """
    first = {arrival.sha256: arrival for arrival in reversed(arrivals)}
    documents = _columns(first.values(), "sha256", "name", "media_type", "size")
    documents |= _columns([wishes(arrival.path) for arrival in first.values()], *Wishes.__slots__)
    # Waits for whoever inserts the same documents; what is read below is what they committed.
    new: dict[str, int] = dict(session.execute(_INSERT_DOCUMENTS, documents).all())
    if new:
        session.execute(_INSERT_JOBS, {"ids": list(new.values()), "stage": Stage.INGEST})
    others = select(Document.sha256, Document.id).where(Document.sha256.in_(first.keys() - new.keys()))
    ids = new | dict(session.execute(others).all())
    # Of two arrivals on one path the last is the file; a path whose content has changed moves to its new document.
    last = {arrival.path: arrival for arrival in arrivals}
    before = {path: document_id for path, (document_id, *_) in known_sources(session, list(last)).items()}
    sources = _columns(last.values(), "path", "size", "mtime_ns")
    session.execute(_UPSERT_SOURCES, sources | {"ids": [ids[arrival.sha256] for arrival in last.values()]})
    return Recorded(ids=ids, new=frozenset(new), before=before)


def _columns(things: Collection[Arrival | Wishes], *names: str) -> dict[str, object]:
    return {name: [getattr(thing, name) for thing in things] for name in names}
