"""Files that are handed in, and what the archive must look like afterwards."""

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from sqlalchemy import text

from pipeline.archive import Archive
from pipeline.database import Database
from pipeline.intake.intake import BATCH_FILES, Intake, IntakeOutcome, IntakeResult

ACCEPTED, DUPLICATE, UNCHANGED = IntakeOutcome.ACCEPTED, IntakeOutcome.DUPLICATE, IntakeOutcome.UNCHANGED
MANY = 2 * BATCH_FILES + 100


def pdf(path: Path, content: str, *, kilobytes: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"%PDF-1.7\n" + content.encode() + os.urandom(kilobytes << 10))
    return path


def many_files(folder: Path, count: int = MANY, *, kilobytes: int = 0) -> Path:
    for number in range(count):
        pdf(folder / f"{number // 100:03}" / f"{number:05}.pdf", f"document {number}", kilobytes=kilobytes)
    return folder


def intake(archive: Archive, ring: Callable[[Collection[str]], object] = lambda _: None) -> Intake:
    return Intake(archive.database, archive.blobs, archive.settings, ring=ring)


def outcomes(results: Iterable[IntakeResult]) -> dict[str, IntakeOutcome]:
    return {Path(result.path).name: result.outcome for result in results}


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.session() as session:
        return [tuple(row) for row in session.execute(text(query))]


def sound(archive: Archive) -> int:
    """The number of documents; each has its original, a source, and one ingest job."""
    documents = rows(archive.database, "SELECT id, sha256, size_bytes FROM documents")
    for _, sha256, size in documents:
        with archive.blobs.local_copy(str(sha256)) as path:
            assert path.stat().st_size == size
    jobs = rows(
        archive.database, "SELECT document_id FROM jobs WHERE (stage, queue, status) = ('ingest', 'ingest', 'PENDING')"
    )
    assert sorted(jobs) == sorted((id_,) for id_, *_ in documents)
    assert not rows(
        archive.database, "SELECT id FROM documents WHERE id NOT IN (SELECT document_id FROM document_sources)"
    )
    return len(documents)
