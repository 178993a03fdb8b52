"""Engines by name: entry points of the group `arsip.ocr_engines`, loaded only when one is asked for."""

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from engines.contract import OcrEngine
from engines.errors import EngineUnavailable

GROUP = "arsip.ocr_engines"


def engine_names() -> tuple[str, ...]:
    """The names of all installed engines; none is imported for it."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def engine_class(name: str) -> type[OcrEngine]:
    """Import an engine.

    Raises:
        EngineUnavailable: no engine has this name, two have it, it cannot be imported, or it is no engine.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    distinct = {point.value for point in points}
    if not distinct:
        raise EngineUnavailable(f"there is no OCR engine {name!r}; installed: {', '.join(engine_names()) or 'none'}")
    if len(distinct) > 1:
        raise EngineUnavailable(
            f"two plug-ins name their OCR engine {name!r}: {', '.join(sorted(distinct))}; remove one"
        )
    return _load(points[0])


def build_engine(name: str, options: Mapping[str, Any], languages: Sequence[str]) -> OcrEngine:
    """An engine that is not yet open.

    Raises:
        EngineUnavailable: see `engine_class`; or the engine does not know an option.
    """
    found = engine_class(name)
    try:
        return found(found.Options(**options), languages)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        known = ", ".join(found.Options.model_fields) or "none"
        raise EngineUnavailable(f"option {where!r} of OCR engine {name!r}: {fault['msg']}; known: {known}") from error


def _load(point: EntryPoint) -> type[OcrEngine]:
    try:
        found = point.load()
    except Exception as error:
        raise EngineUnavailable(
            f"OCR engine {point.name!r} ({point.value}) cannot be imported: {error}; is its extra installed?"
        ) from error
    if not (isinstance(found, type) and issubclass(found, OcrEngine)):
        raise EngineUnavailable(f"OCR engine {point.name!r} ({point.value}) is not a subclass of engines.OcrEngine")
    return found
