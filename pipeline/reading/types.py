"""What the reading child is told and what it answers; all of it can be written as JSON."""

from dataclasses import dataclass, field, fields
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
    result_key: str | None = None
    """A digest of the raster, engine, version, languages and options: equal keys, equal results."""
    dpi: float | None = None
    """Of the raster that was recognised."""
    orientation: int | None = None
    """Degrees by which the page has to be turned clockwise for its text to stand upright."""
    notes: list[str] = field(default_factory=list)
    quality: float | None = None
    """Characters that are probably right: see `engines.quality`."""
    duration_ms: int | None = None
    timings: dict[str, float] | None = None
    """Seconds of each step."""
    reused: bool = False
    """Whether it was taken from an equal page."""
    failure_code: str | None = None
    failure_reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Its fields; `dataclasses.asdict` copies every word, which took more time than finding the words."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def pending(cls, number: int) -> Self:
        return cls(number=number, status=PageStatus.PENDING)

    @classmethod
    def failed(cls, number: int, code: str, reason: str) -> Self:
        return cls(number=number, status=PageStatus.FAILED, failure_code=code, failure_reason=reason)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A page's picture, which waits in the child to be recognised; sizes in page units."""

    number: int
    result_key: str
    width: float
    height: float
    unit: str
    blank: PageReading | None
    """The result, if there is nothing on the page."""


@dataclass(frozen=True, slots=True)
class LayerTest:
    """Some lines of a text layer against their picture."""

    words: int
    """Of the text layer, that were looked for."""
    found: int
    """Of them, by the engine."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says of itself before it is opened."""

    name: str
    version: str
    languages: list[str] | None
    """Codes of those that it can read here; None if it does not care."""
    memory_mb: int | None
    """Address space that its child needs; None is what every child has, 0 is no limit."""


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
    enlarge_below_dpi: float = 0.0
    """A picture of a lower resolution is enlarged, up to twofold: the engine says so."""
    scale: float = 1.0
    """Share of the usual resolution; a page that killed those who read it is tried at less."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    name: str
    options: dict[str, Any]
    languages: str
    """Joined by +."""
    memory_mb: int | None = None
    """Address space of the child that holds the engine open; None: what the engine says, 0: no limit."""
