"""Index: find the document number, hand the text to the search index, and give the document its final state."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.errors import AllPagesFailed, ArsipError, EngineTimedOut, from_code
from pipeline.numbers import DocumentNumber, PageText
from pipeline.search.contract import IndexedDocument, IndexedPage
from pipeline.stages.recognition import CHILD_DIED
from pipeline.stages.work import Work
from pipeline.states import DocumentStatus, PageStatus
from pipeline.store import documents, jobs, pages
from pipeline.tables import Document, Page

logger = logging.getLogger(__name__)

NUMBER_PAGES = 5
"""A document states its own number on its first pages; what stands further back is mostly somebody else's."""
NUMBER_SECONDS = 10.0
"""For a search that takes milliseconds."""
NAMED = 10
"""Failed pages that a document's reason names."""


def index(work: Work) -> frozenset[str]:
    """Work on an index job; it is the last, so no queue gets a job.

    Raises:
        IndexUnavailable: the search index is away.
        LeaseLost: another worker has the job.
    """
    with work.archive.database.session() as session:
        document = documents.load(session, work.lease.document_id)
        read = pages.listed(session, document.id)
        first = [pages.one(session, document.id, page.number) for page in read[:NUMBER_PAGES] if page.text]
    number, number_error = _number(work, first)
    failed = [page for page in read if page.status == PageStatus.FAILED]
    status = _final_status(read, failed)
    if status != DocumentStatus.FAILED:
        work.archive.index.upsert(_indexed(document, status, number, read))
    with work.document_locked() as (session, document):
        documents.finish(
            document,
            status,
            error=_what_failed(read, failed),
            indexed=status != DocumentStatus.FAILED,
            number=number.value if number else None,
            metadata=_metadata(read, number) | {"number_error": number_error},
        )
        jobs.complete(session, work.lease)
    return frozenset()


def _number(work: Work, first: Sequence[Page]) -> tuple[DocumentNumber | None, str | None]:
    """The document's number, or why it could not be searched for, which keeps no document out of the index."""
    if not first:
        return None, None
    texts = [PageText(number=page.number, text=page.text or "", words=page.words or []) for page in first]
    try:
        # In the sandbox, as a pattern of the settings may backtrack without end.
        return work.reader.find_number(
            texts, work.archive.settings.number_patterns, seconds=work.seconds(NUMBER_SECONDS)
        ), None
    except CHILD_DIED as error:
        if not (work.last_try or isinstance(error, EngineTimedOut)):
            raise
        logger.warning("document %d has no number, as the search for it failed: %s", work.lease.document_id, error)
        return None, str(error)


def _final_status(read: Sequence[Page], failed: Sequence[Page]) -> DocumentStatus:
    if not failed:
        return DocumentStatus.PROCESSED
    # A page that was read before, and cannot be read anew, keeps its text.
    nothing = len(failed) == len(read) and not any(page.text for page in read)
    return DocumentStatus.FAILED if nothing else DocumentStatus.PARTIAL


def _what_failed(read: Sequence[Page], failed: Sequence[Page]) -> ArsipError | None:
    """All pages, or some: then with the code of the first of them."""
    if not failed:
        return None
    first = failed[0]
    if len(failed) == len(read):
        return AllPagesFailed(f"none of the {len(read)} pages could be read; {first.failure_reason}")
    numbers = ", ".join(str(page.number) for page in failed[:NAMED]) + (", ..." if len(failed) > NAMED else "")
    word = "page" if len(failed) == 1 else "pages"
    message = f"{word} {numbers} of {len(read)} could not be read; {first.failure_reason}"
    return from_code(first.failure_code or ArsipError.code, message)


def _indexed(
    document: Document, status: DocumentStatus, number: DocumentNumber | None, read: Sequence[Page]
) -> IndexedDocument:
    return IndexedDocument(
        id=document.id,
        name=document.name,
        status=status,
        languages=tuple(document.languages.split("+")),
        extracted_doc_number=number.value if number else None,
        created_on=document.created_at.date(),
        pages=[IndexedPage(number=page.number, text=page.text) for page in read if page.text],
    )


def _metadata(read: Sequence[Page], number: DocumentNumber | None) -> dict[str, Any]:
    weighted = [(page.confidence, len(page.text or "")) for page in read if page.confidence is not None]
    characters = sum(length for _, length in weighted)
    return {
        "pages": Counter(str(page.method or page.status).lower() for page in read),
        "engines": sorted({f"{page.engine} {page.engine_version}" for page in read if page.engine}),
        "confidence": sum(value * length for value, length in weighted) / characters if characters else None,
        "number": number
        and {
            "value": number.value,
            "page": number.page,
            "box": number.box,
            "confidence": number.confidence,
            "pattern": number.pattern,
        },
    }
