"""What the reading child is told and what it answers; all of it can be written as JSON."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from pipeline.states import PageStatus

WordRow = tuple[str, float, float, float, float, float]
"""(text, x0, y0, x1, y1, confidence) in page units, the origin at the top left."""

Table = list[list[str | None]]
"""Rows of cells."""


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    media_type: str
    page_count: int


class PageMethod(StrEnum):
    TEXT_LAYER = "text_layer"
    OCR = "ocr"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class PageReading:
    """One page's result: read (DONE), to be recognised (PENDING), or not readable (FAILED)."""

    number: int
    """From 1."""
    status: PageStatus
    method: PageMethod | None = None
    width: float | None = None
    height: float | None = None
    unit: str | None = None
    """Of width, height and all boxes: `pt` (1/72 inch) in a PDF, `px` in an image."""
    text: str | None = None
    words: list[WordRow] = field(default_factory=list)
    tables: list[Table] | None = None
    confidence: float | None = None
    """From 0 to 1, the mean over the characters."""
    engine: str | None = None
    engine_version: str | None = None
    engine_options: dict[str, Any] | None = None
    languages: str | None = None
    dpi: float | None = None
    """Of the raster that was recognised."""
    notes: list[str] = field(default_factory=list)
    duration_ms: int | None = None
    failure_code: str | None = None
    failure_reason: str | None = None

    @classmethod
    def failed(cls, number: int, code: str, reason: str) -> Self:
        return cls(number=number, status=PageStatus.FAILED, failure_code=code, failure_reason=reason)


@dataclass(frozen=True, slots=True)
class Limits:
    max_pages: int
    max_image_megapixels: int


@dataclass(frozen=True, slots=True)
class TextLayerRules:
    """When a page's own text is good enough; `Settings` explains the fields."""

    min_characters: int
    margin: float
    max_garbled: float
    image_cover: float


@dataclass(frozen=True, slots=True)
class RasterRules:
    dpi: int
    max_megapixels: int
    """A larger raster is made at a lower resolution."""
    max_image_megapixels: int
    """A picture that declares more is refused before it is decoded."""
    scale: float = 1.0
    """Share of the usual resolution; a page that killed those who read it is tried at less."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    name: str
    options: dict[str, Any]
    languages: str
    """Joined by +."""
