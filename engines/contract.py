"""The contract of an OCR engine: subclass `OcrEngine`, declare it under the entry-point group `arsip.ocr_engines`.

An engine lives in a child process of its own, without credentials, with a memory limit and a deadline.
It is opened once there, recognises many pages, and may be killed at any time.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from engines.types import PageImage, Recognition


class EngineOptions(BaseModel):
    """What a queue may set for its engine; an unknown name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OcrEngine(ABC):
    """Reads words from page images.

    Args:
        options: an instance of the class's `Options`.
        languages: ISO 639-2 codes in order of preference, such as `("eng", "ind")`; never empty.
    """

    name: ClassVar[str]
    revision: ClassVar[int] = 1
    """Raised when the class itself reads otherwise than before, at the same `version`: kept results are not reused."""
    memory_mb: ClassVar[int | None] = None
    """Address space that its process may use, in megabytes: None is what arsip gives every process that opens
    documents, 0 is no limit, for libraries that map far more than they use. A queue's setting goes before it."""
    enlarge_below_dpi: ClassVar[float] = 0.0
    """A picture of less is enlarged, at most twofold, before the engine gets it: its models want letters of a size."""
    Options: ClassVar[type[EngineOptions]] = EngineOptions

    def __init__(self, options: EngineOptions, languages: Sequence[str]) -> None:
        self.options = options
        self.languages = tuple(languages)

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the engine and, where it matters, of its model. Needs no `open()`."""

    @property
    def device(self) -> str:
        """Where the open engine computes, such as `cpu` or `cuda`."""
        return "cpu"

    def installed_languages(self) -> Sequence[str] | None:
        """Codes of the languages that can be read here; None if the engine does not care. Needs no `open()`."""
        return None

    @abstractmethod
    def open(self) -> None:
        """Load the models; called once per process, before the first `recognize`.

        Raises:
            EngineUnavailable: the engine or its device is not there.
            LanguageMissing: there is no model for one of `languages`.
        """

    @abstractmethod
    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        """Recognise a batch: one result per image, in the same order. A blank page is an empty result.

        Raises:
            RecognitionFailed: the engine gave up; the caller tries the images one by one.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the memory back; safe to call twice, or without `open()`."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
