"""The stages' way to read documents: typed, done in the sandbox, and checked, as a document may have taken it over."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import EngineCrashed
from pipeline.reading.types import DocumentInfo, EngineSpec, Limits, PageReading, RasterRules, TextLayerRules
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from pipeline.settings import Settings
from pipeline.states import PageStatus

T = TypeVar("T")

TASKS = "pipeline.reading.tasks:tasks"
MEDIA_TYPE = re.compile(r"[a-z]+/[\w.+-]{1,80}")


class DocumentReader:
    """Every method raises `EngineTimedOut`, `EngineCrashed` or `OutOfMemory` when the child hangs, dies or bloats.

    Every method but `close` raises `Interrupted` once the reader is abandoned.
    """

    def __init__(self, sandbox: Sandbox, settings: Settings) -> None:
        self._sandbox = sandbox
        self._limits = Limits(settings.max_pages, settings.max_image_megapixels)
        self._raster = RasterRules(settings.raster_dpi, settings.max_page_megapixels, settings.max_image_megapixels)
        self._rules = TextLayerRules(
            min_characters=settings.text_layer_min_characters,
            margin=settings.text_layer_margin,
            max_garbled=settings.text_layer_max_garbled,
            image_cover=settings.image_cover_for_ocr,
        )
        self._info = TypeAdapter(DocumentInfo)
        self._readings = TypeAdapter(list[PageReading])

    def inspect(self, path: Path, *, seconds: float) -> DocumentInfo:
        """What the document is and how many pages it has.

        Raises:
            UnsupportedType, EmptyFile, CorruptDocument, EncryptedDocument, NoPages, TooLarge: it cannot be read at all.
        """
        info = self._validated(self._info, self._call("inspect", path, {}, seconds=seconds))
        if not (0 < info.page_count <= self._limits.max_pages and MEDIA_TYPE.fullmatch(info.media_type)):
            raise self._nonsense(f"{info.page_count} pages of the type {info.media_type[:80]!r}")
        return info

    def read_pages(self, path: Path, first: int, last: int, *, tables: bool, seconds: float) -> list[PageReading]:
        """Read the text layers of pages `first` to `last`, both included.

        A page is DONE (text or blank), PENDING (it needs OCR) or FAILED (with code and reason).
        """
        arguments = {"first": first, "last": last, "tables": tables, "rules": asdict(self._rules)}
        answer = self._call("read_pages", path, arguments, seconds=seconds, pages=last - first + 1)
        readings = self._validated(self._readings, answer)
        if [reading.number for reading in readings] != list(range(first, last + 1)):
            raise self._nonsense(f"other pages than {first} to {last}")
        return readings

    def recognize_page(
        self, path: Path, number: int, engine: EngineSpec, *, seconds: float, scale: float = 1.0
    ) -> PageReading:
        """Draw one page, at a share `scale` of its usual resolution, and recognise it.

        Raises:
            CorruptPage, TooLarge, LanguageUnavailable: this page cannot be recognised.
            NotInstalled: the engine is not there.
            EngineFailed: the engine gave up.
        """
        raster = replace(self._raster, scale=scale)
        arguments = {"number": number, "raster": asdict(raster), "engine": asdict(engine)}
        answer = self._call("recognize_page", path, arguments, seconds=seconds, pages=1)
        (reading,) = self._validated(self._readings, [answer])
        if (reading.number, reading.status) != (number, PageStatus.DONE):
            raise self._nonsense(f"page {reading.number} {reading.status} instead of page {number} DONE")
        return reading

    def abandon(self) -> None:
        """Kill the child though it works; whoever waits for it gets `Interrupted`."""
        self._sandbox.abandon()

    def close(self) -> None:
        self._sandbox.close()

    def _call(self, task: str, path: Path, more: Mapping[str, object], *, seconds: float, pages: int = 0) -> Any:
        arguments = {"path": str(path), "limits": asdict(self._limits), **more}
        return self._sandbox.call(task, arguments, seconds=seconds, pages=pages)

    def _validated(self, adapter: TypeAdapter[T], answer: object) -> T:
        try:
            return adapter.validate_python(answer)
        except ValidationError as error:
            raise self._nonsense(error.errors(include_input=False)[0]["msg"]) from None

    def _nonsense(self, what: str) -> EngineCrashed:
        """The error for an answer that cannot be; the child that gave it is not asked again."""
        self._sandbox.close()
        return EngineCrashed(f"the process that worked on it answered nonsense: {what}")


def open_reader(settings: Settings) -> DocumentReader:
    limits = SandboxLimits(memory_mb=settings.sandbox_memory_mb, max_pages=settings.sandbox_max_pages)
    return DocumentReader(Sandbox(TASKS, limits), settings)
