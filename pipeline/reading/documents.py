"""What the tasks ask of an opened document, whatever its type."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engines.types import PageImage
from pipeline.errors import CorruptDocument
from pipeline.reading import sniff
from pipeline.reading.types import Limits, PageReading, RasterRules, TextLayerRules


class OpenDocument(ABC):
    """A document of one type, opened for reading; page numbers start at 1."""

    media_type: str

    @property
    @abstractmethod
    def page_count(self) -> int: ...

    @abstractmethod
    def read_page(self, number: int, rules: TextLayerRules, *, tables: bool) -> PageReading:
        """The page's text layer, or that it is blank, or that it needs OCR.

        Raises:
            CorruptPage, TooLarge: this page cannot be read.
        """

    def some_lines(self, number: int) -> "SomeLines | None":  # noqa: ARG002
        """A few lines of the page's text layer with their picture; None if it has none that could be compared.

        Raises:
            CorruptPage: this page cannot be read or drawn.
        """
        return None

    @abstractmethod
    def raster(self, number: int, rules: RasterRules) -> "Raster":
        """The page as an upright grey picture.

        Raises:
            CorruptPage, TooLarge: this page cannot be drawn.
        """

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class SomeLines:
    text: str
    """As the text layer has it."""
    image: PageImage


@dataclass(slots=True, kw_only=True)
class Raster:
    """A page's picture, and the size of the page in page units that its words are mapped to."""

    image: PageImage
    width: float
    height: float
    unit: str
    notes: list[str]
    seconds: float = 0.0
    """What drawing it took."""


def open_document(path: Path, limits: Limits) -> OpenDocument:
    """Open a document by what its bytes are.

    Raises:
        EmptyFile, UnsupportedType, CorruptDocument, EncryptedDocument, NoPages, TooLarge: it cannot be read at all.
    """
    from pipeline.reading.images import ImageDocument
    from pipeline.reading.pdf import PdfDocument

    try:
        with path.open("rb") as file:
            head = file.read(sniff.HEAD)
    except OSError as error:
        raise CorruptDocument(f"the original cannot be read: {error.strerror}") from error
    found = sniff.media_type(head)
    if found == "application/pdf":
        return PdfDocument(path, limits)
    return ImageDocument(path, found, limits)
