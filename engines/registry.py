"""Engines by name: entry points of the group `arsip.ocr_engines`, loaded only when one is asked for."""

import inspect
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
        EngineUnavailable: no engine has this name, two have it, it cannot be imported, or it breaks the contract.
    """
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise EngineUnavailable(f"there is no OCR engine {name!r}; {_known()}")
    if len(points) > 1:
        claims = ", ".join(sorted(_origin(point) for point in points.values()))
        raise EngineUnavailable(f"several plug-ins name their OCR engine {name!r}: {claims}; keep one; {_known()}")
    return _load(*points.values())


def build_engine(name: str, options: Mapping[str, Any], languages: Sequence[str]) -> OcrEngine:
    """An engine that is not yet open.

    Args:
        languages: in order of preference; never empty.

    Raises:
        EngineUnavailable: see `engine_class`; or the engine does not know an option or its value.
    """
    found = engine_class(name)
    try:
        checked = found.Options.model_validate(dict(options))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        known = ", ".join(found.Options.model_fields) or "none"
        raise EngineUnavailable(f"options of OCR engine {name!r}: {faults} (its options: {known})") from error
    return found(checked, languages)


def _load(point: EntryPoint) -> type[OcrEngine]:
    what = f"OCR engine {point.name!r}, {_origin(point)}"
    try:
        found = point.load()
    except Exception as error:
        raise EngineUnavailable(
            f"{what}, cannot be imported ({type(error).__name__}: {error}); is all that it needs installed? {_known()}"
        ) from error
    if not (isinstance(found, type) and issubclass(found, OcrEngine)):
        raise EngineUnavailable(f"{what}, is not a subclass of engines.OcrEngine; {_known()}")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise EngineUnavailable(f"{what}, is incomplete: it lacks {missing}; {_known()}")
    return found


def _origin(point: EntryPoint) -> str:
    package = f" of package {point.dist.name}" if point.dist else ""
    return f"{point.value}{package}"


def _known() -> str:
    return f"installed engines: {', '.join(engine_names()) or 'none'}"
