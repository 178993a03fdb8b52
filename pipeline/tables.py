"""The tables as SQLAlchemy models. Migrations in `alembic/` produce the same database; a test compares them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pipeline.states import DocumentStatus, Escalation, JobStatus, PageStatus, Stage

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it)
        str: Text,
        datetime: DateTime(timezone=True),
        float: Double,
        dict[str, Any]: JSONB(none_as_null=True),
    }


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    names = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({names})", name=column)


class Document(Base):
    """One file content; however often and under whatever names it was found."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("sha256"),
        _one_of("status", DocumentStatus),
        Index("ix_documents_status", "status"),
        Index("ix_documents_extracted_doc_number", "extracted_doc_number"),
        Index("ix_documents_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    sha256: Mapped[str]
    name: Mapped[str]
    """The file name under which it was first found."""
    media_type: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(server_default=DocumentStatus.PENDING)
    page_count: Mapped[int | None]
    languages: Mapped[str]
    """Joined by +, such as `eng+ind`."""
    ocr_queue: Mapped[str]
    extract_tables: Mapped[bool] = mapped_column(server_default=text("false"))
    extracted_doc_number: Mapped[str | None]
    ocr_metadata: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """Pages by method, engines, mean confidence, the document number's page, box, confidence and pattern, or why it
    could not be searched for."""
    full_text_indexed: Mapped[bool] = mapped_column(server_default=text("false"))
    failure_code: Mapped[str | None]
    failure_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    finished_at: Mapped[datetime | None]


class DocumentSource(Base):
    """A path where a document's bytes were found. `mtime_ns` and `size_bytes` let a second run skip the file unread."""

    __tablename__ = "document_sources"
    __table_args__ = (UniqueConstraint("path"), Index("ix_document_sources_document_id", "document_id"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    path: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Reading:
    """The columns of what one engine, or a text layer, read on a page. Sizes and boxes are in page units with the

    origin at the top left: points (1/72 inch) for a PDF, pixels of the picture for an image; `unit` tells which
    (`pt`, `px`).
    """

    width: Mapped[float | None]
    height: Mapped[float | None]
    unit: Mapped[str | None]
    text: Mapped[str | None]
    words: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True, deferred=True)
    """A list of `[text, x0, y0, x1, y1, confidence]` in reading order."""
    engine: Mapped[str | None]
    engine_version: Mapped[str | None]
    engine_options: Mapped[dict[str, Any] | None]
    languages: Mapped[str | None]
    result_key: Mapped[str | None]
    """A digest of the raster, engine, version, languages and options: equal keys, equal results."""
    dpi: Mapped[float | None]
    """Of the raster that was recognised."""
    orientation: Mapped[int | None]
    """Degrees by which the page has to be turned clockwise for its text to stand upright."""
    notes: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    """What a person should know, such as a lowered resolution."""
    confidence: Mapped[float | None]
    quality: Mapped[float | None]
    """Characters that are probably right, for comparing engines: see `engines.quality`."""
    duration_ms: Mapped[int | None]
    timings: Mapped[dict[str, Any] | None]
    """Seconds of each step."""


class Page(Reading, Base):
    """One page and the reading that stands for it."""

    __tablename__ = "pages"
    __table_args__ = (
        _one_of("status", PageStatus),
        _one_of("escalation", Escalation),
        Index("ix_pages_pending", "document_id", "number", postgresql_where=text("status = 'PENDING'")),
        Index("ix_pages_result_key", "result_key", postgresql_where=text("result_key IS NOT NULL")),
        Index("ix_pages_escalated_at", "escalated_at", postgresql_where=text("escalated_at IS NOT NULL")),
    )

    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """From 1."""
    status: Mapped[str] = mapped_column(server_default=PageStatus.PENDING)
    """A pending page may have a reading all the same: of the engine before, until the new one has read it."""
    method: Mapped[str | None]
    """`text_layer`, `ocr` or `blank`."""
    tables: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True, deferred=True)
    """A list of tables; a table is a list of rows; a row is a list of cells (text or null)."""
    reused: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the reading was taken from an equal page, and nothing was recognised."""
    escalation: Mapped[str | None]
    """What became of sending the page to a stronger engine."""
    escalated_at: Mapped[datetime | None]
    failure_code: Mapped[str | None]
    failure_reason: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class OtherReading(Reading, Base):
    """A reading that does not stand for its page: a weaker engine's, or one from before the page was read anew."""

    __tablename__ = "other_readings"
    __table_args__ = (
        UniqueConstraint("document_id", "number", "result_key"),
        Index("ix_other_readings_result_key", "result_key"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    number: Mapped[int]
    """Of the page."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Job(Base):
    """One stage of one document or page range; `token` fences the results of a worker that lost its lease."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("document_id", "stage", "first_page", postgresql_nulls_not_distinct=True),
        _one_of("status", JobStatus),
        _one_of("stage", Stage),
        Index("ix_jobs_pending", "queue", "id", postgresql_where=text("status = 'PENDING'")),
        Index("ix_jobs_running", "leased_until", postgresql_where=text("status = 'RUNNING'")),
        Index("ix_jobs_failed", "id", postgresql_where=text("status = 'FAILED'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    stage: Mapped[str]
    queue: Mapped[str]
    first_page: Mapped[int | None]
    last_page: Mapped[int | None]
    status: Mapped[str] = mapped_column(server_default=JobStatus.PENDING)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """Counted before the work starts, so that a worker's death counts too."""
    token: Mapped[int] = mapped_column(server_default=text("0"))
    worker: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    rung_at: Mapped[datetime | None]
    """When its message was last sent; null: never."""
    deaths: Mapped[int] = mapped_column(server_default=text("0"))
    """Tries that ended with the death of their worker: nobody was left to say what went wrong."""
    death_facts: Mapped[dict[str, Any] | None]
    """How the last worker died, as far as its supervisor knows: `signal` or `exit_code`, `peak_memory_mb`."""
    quarantined: Mapped[bool] = mapped_column(server_default=text("false"))
    """A single page that is suspected of killing its workers or their children."""
    not_before: Mapped[datetime | None]
    """A retry waits until then; nobody rings for it earlier."""
    failure_code: Mapped[str | None]
    failure_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class DeadLetter(Base):
    """A message that nobody will try again unless a person sends it. One try of a job leaves at most one."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        UniqueConstraint("message_id"),
        UniqueConstraint("job_id", "job_token"),
        Index("ix_dead_letters_error_code_created_at", "error_code", "created_at"),
        Index("ix_dead_letters_document_id", "document_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    message_id: Mapped[str]
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    job_token: Mapped[int | None]
    """The try of the job that failed for good."""
    document_id: Mapped[int | None] = mapped_column(BigInteger)
    queue: Mapped[str]
    actor: Mapped[str]
    arguments: Mapped[dict[str, Any]]
    """`args` and `kwargs` of the message, or `raw` for one that cannot be decoded."""
    options: Mapped[dict[str, Any]]
    error_class: Mapped[str]
    error_code: Mapped[str]
    error_message: Mapped[str]
    traceback: Mapped[str | None]
    facts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    """How a process died, as far as it is known: `signal`, `exit_code`, `peak_memory_mb`."""
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    worker: Mapped[str | None]
    host: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    retried_at: Mapped[datetime | None]
    """When a person sent it again, or when it was written if its job went on by itself."""


class SearchPage(Base):
    """The Postgres search index: one row per page, owned by `pipeline.search.postgres` alone."""

    __tablename__ = "search_pages"
    __table_args__ = (
        Index("ix_search_pages_lexemes", "lexemes", postgresql_using="gin"),
        Index("ix_search_pages_configuration", "configuration"),
    )

    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    configuration: Mapped[str]
    """The stemmers used beside the words as they are, such as `indonesian` or `indonesian+english`."""
    lexemes: Mapped[Any] = mapped_column(TSVECTOR)


class Worker(Base):
    """A worker process that says from time to time that it is alive, and which queues it takes."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    queues: Mapped[list[str]] = mapped_column(ARRAY(Text))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
