"""Documents and pages as the Postgres index needs them: it reads names, filters and snippets from these tables."""

from sqlalchemy import text

from pipeline.database import Database
from pipeline.search.contract import IndexedDocument

_DOCUMENT = text("""
    INSERT INTO documents (id, sha256, name, media_type, size_bytes, status, languages, ocr_queue,
        extracted_doc_number, created_at)
    VALUES (:id, CAST(:id AS text), :name, 'application/pdf', 1, :status, 'eng', 'ocr.null', :number, :created)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status,
        extracted_doc_number = excluded.extracted_doc_number, created_at = excluded.created_at
""")
_PAGE = text("INSERT INTO pages (document_id, number, status, text) VALUES (:id, :number, 'DONE', :text)")


def store_document(database: Database, document: IndexedDocument) -> None:
    with database.session() as session:
        row = {"id": document.id, "name": document.name, "status": document.status, "created": document.created_on}
        session.execute(_DOCUMENT, row | {"number": document.extracted_doc_number})
        session.execute(text("DELETE FROM pages WHERE document_id = :id"), {"id": document.id})
        pages = [(page.number, page.text) for page in document.pages] or [(1, None)]
        session.execute(_PAGE, [{"id": document.id, "number": n, "text": _storable(page)} for n, page in pages])


def _storable(page: str | None) -> str | None:
    return page and page.replace("\0", "").encode(errors="replace").decode()
