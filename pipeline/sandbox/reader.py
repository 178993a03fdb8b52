"""The stages' way to read documents: typed, done in the sandbox, and checked, as a document may have taken it over."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from engines.types import SelfTest
from pipeline.errors import EngineCrashed
from pipeline.number_lines import LONGEST_LINE
from pipeline.numbers import DocumentNumber, NumberPattern, PageText
from pipeline.reading.types import (
    DocumentInfo,
    Drawing,
    EngineInfo,
    EngineSpec,
    LayerTest,
    Limits,
    PageReading,
    RasterRules,
    TextLayerRules,
)
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from pipeline.settings import Settings
from pipeline.states import PageStatus

T = TypeVar("T")

TASKS = "pipeline.reading.tasks:tasks"
DESCRIBE_SECONDS = 60.0
"""For importing an engine's module; its models are not loaded by that."""
MEDIA_TYPE = re.compile(r"[a-z]+/[\w.+-]{1,80}")


class DocumentReader:
    """Every method raises `EngineTimedOut`, `EngineCrashed` or `OutOfMemory` when the child hangs, dies or bloats.

    Every method but `close` raises `Interrupted` once the reader is abandoned.

    Args:
        make_sandbox: given the megabytes of address space that its child may use; 0 is no limit.
    """

    def __init__(self, make_sandbox: Callable[[int], Sandbox], settings: Settings) -> None:
        self._make_sandbox = make_sandbox
        self._memory_mb = settings.sandbox_memory_mb
        self._sandboxes: dict[int, Sandbox] = {}
        self._needs: dict[str, int | None] = {}
        self._abandoned = False
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
        self._drawing = TypeAdapter(Drawing)
        self._number: TypeAdapter[DocumentNumber | None] = TypeAdapter(DocumentNumber | None)

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

    def check_text_layer(self, path: Path, number: int, engine: EngineSpec, *, seconds: float) -> LayerTest:
        """Compare some lines of a page's text layer with what an engine reads in their picture.

        Raises:
            CorruptPage, LanguageUnavailable: it cannot be done.
            NotInstalled: the engine is not there.
            EngineFailed: the engine gave up.
        """
        arguments = {"number": number, "engine": asdict(engine)}
        answer = self._call("check_text_layer", path, arguments, engine, seconds=seconds)
        return self._validated(TypeAdapter(LayerTest), answer)

    def draw_page(
        self, path: Path, number: int, engine: EngineSpec, *, batch: Sequence[int], seconds: float, scale: float = 1.0
    ) -> Drawing:
        """Draw one page, at a share `scale` of its usual resolution; the child keeps the picture.

        Args:
            batch: numbers of the pages that are to be recognised together; the child forgets all other pictures.

        Raises:
            CorruptPage, TooLarge: this page cannot be drawn.
            NotInstalled: the engine is not there.
        """
        arguments = {"number": number, "batch": list(batch), **self._way(engine, scale)}
        answer = self._call("draw_page", path, arguments, engine, seconds=seconds, pages=1)
        drawing = self._validated(self._drawing, answer)
        if drawing.number != number or (drawing.blank and drawing.blank.number != number):
            raise self._nonsense(f"page {drawing.number} instead of page {number}")
        return drawing

    def recognize_pages(
        self,
        path: Path,
        drawings: Sequence[Drawing],
        engine: EngineSpec,
        *,
        seconds: float,
        ahead: Sequence[int] = (),
        scale: float = 1.0,
    ) -> list[PageReading]:
        """Recognise pages that were drawn, as one batch; the pages `ahead` are drawn meanwhile.

        Raises:
            LanguageUnavailable: the engine cannot read this language.
            NotInstalled: the engine is not there.
            EngineFailed: the engine gave up.
        """
        numbers = [drawing.number for drawing in drawings]
        arguments = {"numbers": numbers, "ahead": list(ahead), **self._way(engine, scale)}
        readings = self._validated(
            self._readings, self._call("recognize_pages", path, arguments, engine, seconds=seconds)
        )
        if [(reading.number, reading.status) for reading in readings] != [(one, PageStatus.DONE) for one in numbers]:
            raise self._nonsense(f"other pages than {numbers}")
        return [
            replace(reading, result_key=drawing.result_key) for reading, drawing in zip(readings, drawings, strict=True)
        ]

    def find_number(
        self, pages: Sequence[PageText], patterns: Sequence[NumberPattern] | None, *, seconds: float
    ) -> DocumentNumber | None:
        """The number of a document, from the first of its pages that states one.

        Args:
            patterns: None are the built-in ones.
        """
        texts = [{"number": page.number, "text": page.text, "words": page.words} for page in pages]
        told = None if patterns is None else [pattern.model_dump() for pattern in patterns]
        answer = self._sandbox(None).call("find_number", {"pages": texts, "patterns": told}, seconds=seconds)
        found = self._validated(self._number, answer)
        if found and not (len(found.value) <= LONGEST_LINE and found.value.isprintable()):
            raise self._nonsense(f"the document number {found.value[:80]!r}")
        return found

    def describe_engine(self, engine: EngineSpec, *, seconds: float) -> EngineInfo:
        """What an engine says of itself; it is not opened.

        Raises:
            NotInstalled: it cannot be imported, or does not know its options.
        """
        answer = self._sandbox(None).call("describe_engine", {"engine": asdict(engine)}, seconds=seconds)
        info = self._validated(TypeAdapter(EngineInfo), answer)
        self._needs[engine.name] = info.memory_mb
        return info

    def try_engine(self, engine: EngineSpec, *, seconds: float) -> SelfTest:
        """Have an engine read a small page of English text.

        Raises:
            LanguageUnavailable, NotInstalled: it cannot be opened.
            EngineFailed: it gave up.
        """
        answer = self._sandbox(engine).call("try_engine", {"engine": asdict(engine)}, seconds=seconds)
        return self._validated(TypeAdapter(SelfTest), answer)

    def abandon(self) -> None:
        """Kill the children though they work; whoever waits for one gets `Interrupted`."""
        self._abandoned = True
        for sandbox in list(self._sandboxes.values()):
            sandbox.abandon()

    def close(self) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.close()

    def _sandbox(self, engine: EngineSpec | None) -> Sandbox:
        """The child for an engine: those that may use equal memory share one, with each other and with all else."""
        memory = self._memory_of(engine) if engine else self._memory_mb
        if memory not in self._sandboxes:
            self._sandboxes[memory] = self._make_sandbox(memory)
            if self._abandoned:
                self._sandboxes[memory].abandon()
        return self._sandboxes[memory]

    def _memory_of(self, engine: EngineSpec) -> int:
        """What the queue says, else what the engine says, else what every child has."""
        if engine.memory_mb is not None:
            return engine.memory_mb
        if engine.name not in self._needs:
            self.describe_engine(engine, seconds=DESCRIBE_SECONDS)
        needed = self._needs[engine.name]
        return self._memory_mb if needed is None else needed

    def _way(self, engine: EngineSpec, scale: float) -> dict[str, object]:
        return {"raster": asdict(replace(self._raster, scale=scale)), "engine": asdict(engine)}

    def _call(
        self,
        task: str,
        path: Path,
        more: Mapping[str, object],
        engine: EngineSpec | None = None,
        *,
        seconds: float,
        pages: int = 0,
    ) -> Any:
        arguments = {"path": str(path), "limits": asdict(self._limits), **more}
        return self._sandbox(engine).call(task, arguments, seconds=seconds, pages=pages)

    def _validated(self, adapter: TypeAdapter[T], answer: object) -> T:
        try:
            return adapter.validate_python(answer)
        except ValidationError as error:
            raise self._nonsense(error.errors(include_input=False)[0]["msg"]) from None

    def _nonsense(self, what: str) -> EngineCrashed:
        """The error for an answer that cannot be; the child that gave it is not asked again."""
        self.close()
        return EngineCrashed(f"the process that worked on it answered nonsense: {what}")


def open_reader(settings: Settings) -> DocumentReader:
    return DocumentReader(
        lambda memory_mb: Sandbox(TASKS, SandboxLimits(memory_mb=memory_mb, max_pages=settings.sandbox_max_pages)),
        settings,
    )
