"""The child's OCR engines: each is built once, opened when a page needs it, and stays open."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from engines.contract import OcrEngine
from engines.errors import EngineUnavailable, LanguageMissing, RecognitionFailed
from engines.registry import build_engine
from engines.specimen import self_test
from pipeline.errors import EngineFailed, LanguageUnavailable, NotInstalled
from pipeline.reading.types import EngineInfo, EngineSpec


class Engines:
    def __init__(self) -> None:
        self._built: dict[str, OcrEngine] = {}
        self._opened: dict[str, OcrEngine] = {}

    @property
    def tasks(self) -> dict[str, Callable[..., Any]]:
        return {"describe_engine": self.describe_engine, "try_engine": self.try_engine}

    def built(self, spec: EngineSpec) -> OcrEngine:
        """The engine, which may not be open yet.

        Raises:
            NotInstalled: it cannot be imported, or does not know its options.
        """
        key = repr(spec)
        if key not in self._built:
            self._built[key] = _build(spec)
        return self._built[key]

    def opened(self, spec: EngineSpec) -> OcrEngine:
        """
        Raises:
            LanguageUnavailable, NotInstalled: the engine cannot read this language, or is not there.
        """
        key = repr(spec)
        if key not in self._opened:
            engine = self.built(spec)
            with _translated(spec):
                engine.open()
            self._opened[key] = engine
        return self._opened[key]

    def describe_engine(self, *, engine: dict[str, Any]) -> dict[str, Any]:
        """What an engine says of itself; it is not opened.

        Raises:
            NotInstalled: it cannot be imported, or does not know its options.
        """
        spec = EngineSpec(**engine)
        built = self.built(spec)
        with _translated(spec):
            return asdict(_info(built))

    def try_engine(self, *, engine: dict[str, Any]) -> dict[str, Any]:
        """Have an engine read a small page of English text.

        Raises:
            LanguageUnavailable, NotInstalled: it cannot be opened.
            EngineFailed: it gave up.
        """
        spec = EngineSpec(**engine)
        fresh = _build(spec)
        with _translated(spec):
            return asdict(self_test(fresh))


def _build(spec: EngineSpec) -> OcrEngine:
    with _translated(spec):
        return build_engine(spec.name, spec.options, spec.languages.split("+"))


def _info(engine: OcrEngine) -> EngineInfo:
    languages = engine.installed_languages()
    return EngineInfo(engine.name, engine.version, None if languages is None else list(languages), engine.memory_mb)


@contextmanager
def _translated(spec: EngineSpec) -> Iterator[None]:
    """Errors of an engine, which is somebody's plug-in, as arsip's own."""
    try:
        yield
    except MemoryError:
        raise
    except LanguageMissing as error:
        raise LanguageUnavailable(str(error)) from error
    except EngineUnavailable as error:
        raise NotInstalled(str(error)) from error
    except RecognitionFailed as error:
        raise EngineFailed(str(error)) from error
    except Exception as error:
        raise NotInstalled(f"OCR engine {spec.name!r} is broken ({type(error).__name__}: {error})") from error
