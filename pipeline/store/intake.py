"""What intake writes: documents with their sources and first jobs, many at once and idempotently."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pipeline.states import Stage
from pipeline.tables import Document, DocumentSource, Job


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


def known_sources(session: Session, paths: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """(document id, size in bytes, mtime in nanoseconds) of the paths that were recorded before."""
    rows = session.execute(
        select(
            DocumentSource.path, DocumentSource.document_id, DocumentSource.size_bytes, DocumentSource.mtime_ns
        ).where(DocumentSource.path.in_(paths))
    )
    return {path: (document_id, size, mtime_ns) for path, document_id, size, mtime_ns in rows}


def record(session: Session, arrivals: Sequence[Arrival], wishes: Wishes) -> dict[str, tuple[int, bool]]:
    """Write documents that are new with their ingest jobs, and the path of every arrival as a source.

    Returns:
        By SHA-256: the document's id, and whether it is new. Of two processes that bring the same bytes at the same
        moment, one makes the document.
    """
    first = {arrival.sha256: arrival for arrival in reversed(arrivals)}
    # In one order everywhere, so that two batches that share documents wait for each other instead of deadlocking.
    rows = [_document(first[sha256], wishes) for sha256 in sorted(first)]
    new = dict(
        session.execute(
            insert(Document).values(rows).on_conflict_do_nothing().returning(Document.sha256, Document.id)
        ).all()
    )
    known = dict(
        session.execute(
            select(Document.sha256, Document.id).where(Document.sha256.in_(first.keys() - new.keys()))
        ).all()
    )
    if new:
        jobs = [{"document_id": document_id, "stage": Stage.INGEST, "queue": "ingest"} for document_id in new.values()]
        session.execute(insert(Job).values(jobs))
    ids = new | known
    _record_sources(session, arrivals, ids)
    return {sha256: (document_id, sha256 in new) for sha256, document_id in ids.items()}


def _record_sources(session: Session, arrivals: Sequence[Arrival], ids: dict[str, int]) -> None:
    """A path whose content has changed moves to its new document."""
    by_path = {arrival.path: arrival for arrival in arrivals}
    statement = insert(DocumentSource).values(
        [
            {
                "document_id": ids[arrival.sha256],
                "path": path,
                "size_bytes": arrival.size,
                "mtime_ns": arrival.mtime_ns,
            }
            for path, arrival in sorted(by_path.items())
        ]
    )
    new = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[DocumentSource.path],
            set_={"document_id": new.document_id, "size_bytes": new.size_bytes, "mtime_ns": new.mtime_ns},
            where=and_(
                (DocumentSource.document_id != new.document_id)
                | (DocumentSource.size_bytes != new.size_bytes)
                | (DocumentSource.mtime_ns != new.mtime_ns)
            ),
        )
    )


def _document(arrival: Arrival, wishes: Wishes) -> dict[str, object]:
    return {
        "sha256": arrival.sha256,
        "name": arrival.name,
        "media_type": arrival.media_type,
        "size_bytes": arrival.size,
        "languages": wishes.languages,
        "ocr_queue": wishes.ocr_queue,
        "extract_tables": wishes.extract_tables,
    }
