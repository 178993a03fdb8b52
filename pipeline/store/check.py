"""What checks of the archive's parts ask the database for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from pipeline.states import DocumentStatus
from pipeline.tables import Document, Page


@dataclass(frozen=True, slots=True)
class Checked:
    """A document as far as other parts must agree with it."""

    id: int
    sha256: str
    status: DocumentStatus
    page_count: int | None
    full_text_indexed: bool
    failure_code: str | None
    failure_reason: str | None
    text_pages: frozenset[int]
    """Numbers of the pages that have text."""

    def is_indexed_as(self, found: frozenset[int]) -> bool:
        """Whether a search index that holds these of its pages is right; without any text there is a page 1."""
        if not self.full_text_indexed:
            return not found
        return found == (self.text_pages or {1})


def by_id(session: Session, document_ids: Collection[int]) -> Mapping[int, Checked]:
    return {document.id: document for document in _checked(session, Document.id.in_(document_ids))}


def by_hash(session: Session, hashes: Collection[str]) -> Mapping[str, Checked]:
    return {document.sha256: document for document in _checked(session, Document.sha256.in_(hashes))}


def after(session: Session, document_id: int, limit: int) -> Sequence[Checked]:
    """The next documents in the order of their ids."""
    ids = session.scalars(select(Document.id).where(Document.id > document_id).order_by(Document.id).limit(limit)).all()
    return sorted(_checked(session, Document.id.in_(ids)), key=lambda document: document.id)


def unknown_hashes(session: Session, hashes: Collection[str]) -> frozenset[str]:
    """Those that are of no document."""
    known = session.scalars(select(Document.sha256).where(Document.sha256.in_(hashes)))
    return frozenset(hashes) - frozenset(known)


def _checked(session: Session, condition: ColumnElement[bool]) -> list[Checked]:
    rows = session.execute(
        select(Document, func.array_agg(Page.number).filter(Page.text != ""))
        .outerjoin(Page, Page.document_id == Document.id)
        .where(condition)
        .group_by(Document.id)
    )
    return [
        Checked(
            id=document.id,
            sha256=document.sha256,
            status=DocumentStatus(document.status),
            page_count=document.page_count,
            full_text_indexed=document.full_text_indexed,
            failure_code=document.failure_code,
            failure_reason=document.failure_reason,
            text_pages=frozenset(numbers or ()),
        )
        for document, numbers in rows
    ]
