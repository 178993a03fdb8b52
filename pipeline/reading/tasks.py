"""What the sandboxed child does when it is asked: plain functions with keyword arguments, JSON in and JSON out."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.contract import OcrEngine
from engines.errors import EngineUnavailable, LanguageMissing
from engines.registry import build_engine
from engines.types import Recognition
from pipeline.errors import EngineFailed, LanguageUnavailable, NotInstalled, PermanentError
from pipeline.reading.documents import OpenDocument, Raster, open_document
from pipeline.reading.types import EngineSpec, Limits, PageMethod, PageReading, RasterRules, TextLayerRules, WordRow
from pipeline.states import PageStatus

INK_CONTRAST = 16
"""Grey levels between paper and the faintest ink: noise above it costs a recognition, ink below it would be lost."""
INK_PIXELS = 12
"""Pixels of ink below which a page is blank; a full stop at 150 dpi has more."""
TILE = 64
"""Pixels: the paper's shade is taken anew for each square, as light falls unevenly on a photographed page."""


class Reader:
    """The child's state: the document that was asked for last stays open, and so does every engine."""

    def __init__(self) -> None:
        self._opened: tuple[Path, OpenDocument] | None = None
        self._engines: dict[str, OcrEngine] = {}

    @property
    def tasks(self) -> dict[str, Callable[..., Any]]:
        return {"inspect": self.inspect, "read_pages": self.read_pages, "recognize_page": self.recognize_page}

    def inspect(self, *, path: str, limits: dict[str, Any]) -> dict[str, Any]:
        """
        Raises:
            UnsupportedType, EmptyFile, CorruptDocument, EncryptedDocument, NoPages, TooLarge: it cannot be read at all.
        """
        document = self._open(path, limits)
        return {"media_type": document.media_type, "page_count": document.page_count}

    def read_pages(
        self, *, path: str, limits: dict[str, Any], first: int, last: int, tables: bool, rules: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Read text layers; a page that cannot be read is a FAILED reading, never an exception."""
        document = self._open(path, limits)
        return [
            asdict(_read_page(document, number, TextLayerRules(**rules), tables=tables))
            for number in range(first, last + 1)
        ]

    def recognize_page(
        self, *, path: str, limits: dict[str, Any], number: int, raster: dict[str, Any], engine: dict[str, Any]
    ) -> dict[str, Any]:
        """Draw a page and recognise it.

        Raises:
            CorruptPage, TooLarge: the page cannot be drawn.
            LanguageUnavailable, NotInstalled: the engine cannot read this language, or is not there.
            EngineFailed: the engine gave up.
        """
        spec = EngineSpec(**engine)
        started = time.monotonic()
        drawn = self._open(path, limits).raster(number, RasterRules(**raster))
        ocr = self._engine(spec)
        blank = is_blank(drawn.image.pixels)
        try:
            found = Recognition() if blank else ocr.recognize([drawn.image])[0]
        except MemoryError:
            raise
        except Exception as error:
            # An engine is somebody's plug-in on somebody's device: what it raises says nothing about the document.
            raise EngineFailed(f"{spec.name} gave up: {type(error).__name__}: {error}") from error
        return asdict(
            PageReading(
                number=number,
                status=PageStatus.DONE,
                method=PageMethod.BLANK if blank else PageMethod.OCR,
                width=drawn.width,
                height=drawn.height,
                unit=drawn.unit,
                text=found.text,
                words=_in_page_units(found, drawn),
                confidence=found.confidence,
                engine=spec.name,
                engine_version=ocr.version,
                engine_options=spec.options,
                languages=spec.languages,
                dpi=round(drawn.image.dpi, 1),
                notes=drawn.notes,
                duration_ms=round((time.monotonic() - started) * 1000),
            )
        )

    def _open(self, path: str, limits: dict[str, Any]) -> OpenDocument:
        wanted = Path(path)
        if self._opened and self._opened[0] == wanted:
            return self._opened[1]
        if self._opened:
            self._opened[1].close()
            self._opened = None
        document = open_document(wanted, Limits(**limits))
        self._opened = wanted, document
        return document

    def _engine(self, spec: EngineSpec) -> OcrEngine:
        key = repr(spec)
        if key not in self._engines:
            try:
                engine = build_engine(spec.name, spec.options, spec.languages.split("+"))
                engine.open()
            except LanguageMissing as error:
                raise LanguageUnavailable(str(error)) from error
            except EngineUnavailable as error:
                raise NotInstalled(str(error)) from error
            self._engines[key] = engine
        return self._engines[key]


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """Whether a page has no ink: hardly a pixel differs from the paper's shade around it.

    Args:
        pixels: the page in grey, shape (height, width).
    """
    for top in range(0, pixels.shape[0], TILE):
        band = np.pad(pixels[top : top + TILE], ((0, 0), (0, -pixels.shape[1] % TILE)), mode="edge").astype(np.int16)
        tiles = band.reshape(band.shape[0], -1, TILE)
        paper = np.median(tiles, axis=(0, 2), keepdims=True)
        if int((np.abs(tiles - paper) > INK_CONTRAST).sum()) >= INK_PIXELS:
            return False
    return True


def _read_page(document: OpenDocument, number: int, rules: TextLayerRules, *, tables: bool) -> PageReading:
    try:
        return document.read_page(number, rules, tables=tables)
    except PermanentError as error:
        return PageReading.failed(number, error.code, f"page {number}: {error}")


def _in_page_units(found: Recognition, drawn: Raster) -> list[WordRow]:
    x, y = drawn.width / drawn.image.width, drawn.height / drawn.image.height
    rows: list[WordRow] = []
    for word in found.words:
        box = word.box.scaled(x, y)
        corners = round(box.x0, 2), round(box.y0, 2), round(box.x1, 2), round(box.y1, 2)
        rows.append((word.text, *corners, round(word.confidence, 4)))
    return rows


def tasks() -> dict[str, Callable[..., Any]]:
    """A child's tasks, with a state of their own."""
    return Reader().tasks
