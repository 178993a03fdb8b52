"""What must hold when everything has come to rest. Each check is a query for what violates it."""

from collections.abc import Collection

from sqlalchemy import text

from pipeline.blobs.store import BlobStore
from pipeline.database import Database
from pipeline.errors import NotFound
from pipeline.states import DOCUMENT_MOVES, JOB_MOVES, DocumentStatus, JobStatus
from tests.chaos import history

CHECKS = {
    "a document is not at its end": """
        SELECT 'document ' || id || ' ' || status FROM documents WHERE status NOT IN ('PROCESSED', 'PARTIAL', 'FAILED')
    """,
    "a document failed without a reason": """
        SELECT 'document ' || id FROM documents
        WHERE status = 'FAILED' AND (failure_code IS NULL OR coalesce(failure_reason, '') = '')
    """,
    "a status does not fit the pages": """
        SELECT 'document ' || d.id || ' ' || d.status || ' of ' || count(*) || ' pages'
        FROM documents d JOIN pages p ON p.document_id = d.id WHERE d.status <> 'FAILED' GROUP BY d.id
        HAVING (d.status = 'PROCESSED') <> (count(*) FILTER (WHERE p.status = 'FAILED') = 0)
    """,
    "a document ended more or less than once": """
        SELECT 'document ' || d.id || ' ended ' || count(m.id) || ' times' FROM documents d LEFT JOIN chaos.moves m
            ON m.what = 'documents' AND m.document_id = d.id AND m.after IN ('PROCESSED', 'PARTIAL', 'FAILED')
        GROUP BY d.id HAVING count(m.id) <> 1
    """,
    "a page was stored more than once": """
        SELECT 'page ' || key || ' of document ' || document_id || ': ' || count(*) || ' times' FROM chaos.moves
        WHERE what = 'pages' AND after <> 'PENDING' GROUP BY document_id, key HAVING count(*) > 1
    """,
    "a job ended more than once": """
        SELECT 'job ' || key || ': ' || string_agg(before || '->' || after, ', ' ORDER BY id) FROM chaos.moves
        WHERE what = 'jobs' AND after IN ('COMPLETED', 'FAILED') GROUP BY key HAVING count(*) > 1
    """,
    "a page has another document's text": """
        SELECT 'page ' || p.number || ' of document ' || d.id || ' (' || d.name || ')'
        FROM pages p JOIN documents d ON d.id = p.document_id
        WHERE p.method = 'text_layer' AND position('Document ' || split_part(d.name, '-', 1)::int IN p.text) = 0
    """,
    "a page is not at its end": """
        SELECT 'page ' || p.number || ' of document ' || p.document_id FROM pages p WHERE p.status = 'PENDING'
    """,
    "a page failed without a reason": """
        SELECT 'page ' || number || ' of document ' || document_id FROM pages
        WHERE status = 'FAILED' AND (failure_code IS NULL OR coalesce(failure_reason, '') = '')
    """,
    "a document has not all its pages": """
        SELECT 'document ' || d.id || ' has ' || count(p.number) || ' of ' || d.page_count || ' pages'
        FROM documents d LEFT JOIN pages p ON p.document_id = d.id WHERE d.page_count IS NOT NULL
        GROUP BY d.id HAVING count(p.number) <> d.page_count
    """,
    "a job is not at its end": """
        SELECT 'job ' || id || ' ' || stage || ' ' || status || ' of document ' || document_id FROM jobs
        WHERE status NOT IN ('COMPLETED', 'FAILED') OR leased_until IS NOT NULL
    """,
    "a document has not one index job": """
        SELECT 'document ' || d.id FROM documents d LEFT JOIN jobs j ON j.document_id = d.id AND j.stage = 'index'
        WHERE d.status IN ('PROCESSED', 'PARTIAL') GROUP BY d.id HAVING count(j.id) <> 1
    """,
    "a failed job has no dead letter": """
        SELECT 'job ' || j.id FROM jobs j WHERE j.status = 'FAILED'
            AND NOT EXISTS (SELECT FROM dead_letters l WHERE l.job_id = j.id AND l.job_token = j.token)
    """,
    "the search index differs": """
        SELECT 'page ' || coalesce(p.number, s.number) || ' of document ' || coalesce(p.document_id, s.document_id)
        FROM (SELECT p.* FROM pages p JOIN documents d ON d.id = p.document_id
              WHERE d.full_text_indexed AND (coalesce(p.text, '') <> '' OR p.number = 1 AND NOT EXISTS (
                  SELECT FROM pages o WHERE o.document_id = d.id AND coalesce(o.text, '') <> ''))) p
        FULL JOIN search_pages s ON s.document_id = p.document_id AND s.number = p.number
        WHERE p.number IS NULL OR s.number IS NULL
    """,
    "a document is not indexed": """
        SELECT 'document ' || id FROM documents WHERE (status <> 'FAILED') <> full_text_indexed
    """,
}


def violations(database: Database, blobs: BlobStore) -> dict[str, list[str]]:
    """By what does not hold: the places."""
    found: dict[str, list[str]] = {}
    with database.session() as session:
        for rule, query in CHECKS.items():
            if places := list(session.scalars(text(query))):
                found[rule] = places
        hashes = session.scalars(text("SELECT sha256 FROM documents")).all()
    if illegal := _illegal_moves(database):
        found["a move is not allowed"] = illegal
    if missing := [sha256 for sha256 in hashes if not _is_there(blobs, sha256)]:
        found["an original is missing"] = missing
    return found


def _illegal_moves(database: Database) -> list[str]:
    tables = {"documents": (DocumentStatus, DOCUMENT_MOVES), "jobs": (JobStatus, JOB_MOVES)}
    illegal = []
    for table, document_id, before, after in history.moves(database):
        status, allowed = tables[table]
        if after not in allowed[status(before)]:
            illegal.append(f"{table} of document {document_id}: {before} to {after}")
    return illegal


def _is_there(blobs: BlobStore, sha256: str) -> bool:
    try:
        with blobs.local_copy(sha256):
            return True
    except NotFound:
        return False


def lost(database: Database, accepted: Collection[str]) -> list[str]:
    """Paths that were accepted and that no document has."""
    with database.session() as session:
        known = set(session.scalars(text("SELECT path FROM document_sources")))
    return sorted(set(accepted) - known)


def duplicated(database: Database) -> list[str]:
    """Contents that are more than one document."""
    with database.session() as session:
        return list(session.scalars(text("SELECT sha256 FROM documents GROUP BY sha256 HAVING count(*) > 1")))
