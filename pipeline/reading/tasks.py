"""What the sandboxed child does when it is asked: plain functions with keyword arguments, JSON in and JSON out."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.contract import OcrEngine
from engines.quality import quality
from engines.types import Recognition
from pipeline.errors import ArsipError, EngineFailed, PermanentError
from pipeline.numbers import NumberPattern, PageText, find_document_number
from pipeline.reading import layer_test
from pipeline.reading.documents import OpenDocument, Raster, open_document
from pipeline.reading.engines import Engines
from pipeline.reading.rasters import Rasters
from pipeline.reading.types import (
    Drawing,
    EngineSpec,
    LayerTest,
    Limits,
    PageMethod,
    PageReading,
    RasterRules,
    TextLayerRules,
    WordRow,
)
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
        self._opened: _Opened | None = None
        self._engines = Engines()

    @property
    def tasks(self) -> dict[str, Callable[..., Any]]:
        names = "inspect", "read_pages", "check_text_layer", "draw_page", "recognize_pages", "find_number"
        return {name: getattr(self, name) for name in names} | self._engines.tasks

    def inspect(self, *, path: str, limits: dict[str, Any]) -> dict[str, Any]:
        """
        Raises:
            UnsupportedType, EmptyFile, CorruptDocument, EncryptedDocument, NoPages, TooLarge: it cannot be read at all.
        """
        document = self._open(path, limits).document
        return {"media_type": document.media_type, "page_count": document.page_count}

    def read_pages(
        self, *, path: str, limits: dict[str, Any], first: int, last: int, tables: bool, rules: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Read text layers; a page that cannot be read is a FAILED reading, never an exception."""
        document = self._open(path, limits).document
        return [
            _read_page(document, number, TextLayerRules(**rules), tables=tables).as_dict()
            for number in range(first, last + 1)
        ]

    def check_text_layer(
        self, *, path: str, limits: dict[str, Any], number: int, engine: dict[str, Any]
    ) -> dict[str, Any]:
        """Recognise some lines of a page that has a text layer, and look for the layer's words in them.

        Raises:
            CorruptPage: the page cannot be read or drawn.
            LanguageUnavailable, NotInstalled: the engine cannot read this language, or is not there.
            EngineFailed: the engine gave up.
        """
        spec = EngineSpec(**engine)
        lines = self._open(path, limits).document.some_lines(number)
        if lines is None:
            return asdict(LayerTest(0, 0))
        with _engine_errors(spec):
            (found,) = self._engines.opened(spec).recognize([lines.image])
        return asdict(layer_test.compare(lines.text, found.text, spec.languages.split("+")))

    def draw_page(
        self,
        *,
        path: str,
        limits: dict[str, Any],
        number: int,
        batch: list[int],
        raster: dict[str, Any],
        engine: dict[str, Any],
    ) -> dict[str, Any]:
        """Draw a page of a batch and keep its picture until it is recognised, or another batch begins.

        Raises:
            CorruptPage, TooLarge: the page cannot be drawn.
            NotInstalled: the engine is not there.
        """
        rasters, spec = self._open(path, limits).rasters, EngineSpec(**engine)
        rules = self._raster_rules(raster, spec)
        rasters.keep_only(batch)
        drawn = rasters.get(number, rules)
        key = _result_key(drawn, self._engines.built(spec))
        blank = None
        if is_blank(drawn.image.pixels):
            rasters.take(number, rules)
            blank = self._reading(number, drawn, spec, Recognition(), {})
            blank = replace(blank, method=PageMethod.BLANK, result_key=key)
        return asdict(Drawing(number, key, drawn.width, drawn.height, drawn.unit, blank))

    def recognize_pages(
        self,
        *,
        path: str,
        limits: dict[str, Any],
        numbers: list[int],
        ahead: list[int],
        raster: dict[str, Any],
        engine: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Recognise a batch of pages, while the pages `ahead` are drawn.

        Raises:
            CorruptPage, TooLarge: a page cannot be drawn.
            LanguageUnavailable, NotInstalled: the engine cannot read this language, or is not there.
            EngineFailed: the engine gave up.
        """
        rasters, spec = self._open(path, limits).rasters, EngineSpec(**engine)
        rules = self._raster_rules(raster, spec)
        drawn = [rasters.take(number, rules) for number in numbers]
        rasters.draw_ahead(ahead, rules)
        started = time.monotonic()
        ocr = self._engines.opened(spec)
        opened = time.monotonic()
        with _engine_errors(spec):
            found = ocr.recognize([page.image for page in drawn])
        if len(found) != len(drawn):
            raise EngineFailed(f"{spec.name} gave {len(found)} results for {len(drawn)} pages")
        share = len(drawn)
        seconds = {"open": (opened - started) / share, "recognize": (time.monotonic() - opened) / share}
        return [
            self._reading(number, page, spec, one, seconds).as_dict()
            for number, page, one in zip(numbers, drawn, found, strict=True)
        ]

    def find_number(
        self, *, pages: list[dict[str, Any]], patterns: list[dict[str, Any]] | None
    ) -> dict[str, Any] | None:
        """The number of a document, in the texts of its first pages."""
        found = find_document_number(
            [PageText(**page) for page in pages],
            patterns=None if patterns is None else [NumberPattern(**pattern) for pattern in patterns],
        )
        return asdict(found) if found else None

    def _raster_rules(self, raster: dict[str, Any], spec: EngineSpec) -> RasterRules:
        return replace(RasterRules(**raster), enlarge_below_dpi=self._engines.built(spec).enlarge_below_dpi)

    def _reading(
        self, number: int, drawn: Raster, spec: EngineSpec, found: Recognition, seconds: dict[str, float]
    ) -> PageReading:
        seconds = {"draw": drawn.seconds, **seconds}
        steps = seconds | dict(found.seconds)
        return PageReading(
            number=number,
            status=PageStatus.DONE,
            method=PageMethod.OCR,
            width=drawn.width,
            height=drawn.height,
            unit=drawn.unit,
            text=found.text,
            words=_in_page_units(found, drawn),
            confidence=found.confidence,
            quality=round(quality((word.text, word.confidence) for word in found.words), 1),
            engine=spec.name,
            engine_version=self._engines.built(spec).version,
            engine_options=spec.options,
            languages=spec.languages,
            dpi=round(drawn.image.dpi, 1),
            orientation=found.orientation,
            notes=drawn.notes,
            duration_ms=round(sum(seconds.values()) * 1000),
            timings={step: round(took, 4) for step, took in steps.items()},
        )

    def _open(self, path: str, limits: dict[str, Any]) -> "_Opened":
        wanted = Path(path)
        if self._opened and self._opened.path == wanted:
            return self._opened
        if self._opened:
            self._opened.close()
            self._opened = None
        self._opened = _Opened(wanted, open_document(wanted, Limits(**limits)))
        return self._opened


@contextmanager
def _engine_errors(spec: EngineSpec) -> Iterator[None]:
    """An engine is somebody's plug-in on somebody's device: what it raises says nothing about the document."""
    try:
        yield
    except (MemoryError, ArsipError):
        raise
    except Exception as error:
        raise EngineFailed(f"{spec.name} gave up: {type(error).__name__}: {error}") from error


class _Opened:
    def __init__(self, path: Path, document: OpenDocument) -> None:
        self.path = path
        self.document = document
        self.rasters = Rasters(document)

    def close(self) -> None:
        self.rasters.close()
        self.document.close()


def _result_key(drawn: Raster, engine: OcrEngine) -> str:
    """Equal for pages that look alike and are read in the same way."""
    options, picture = engine.options.model_dump(mode="json"), drawn.image
    way = [engine.name, engine.version, engine.revision, options, engine.languages, picture.pixels.shape, picture.dpi]
    digest = hashlib.sha256(json.dumps(way, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(picture.pixels).data)
    return digest.hexdigest()


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
