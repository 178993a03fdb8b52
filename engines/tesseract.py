"""Tesseract 5 in this process, by tesserocr, held open.

It runs in one thread where OMP_THREAD_LIMIT=1 is set before the process starts, as the sandbox does: several workers
with OpenMP's threads each are slower than with one by an order of magnitude (tesseract#3109).
"""

import csv
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from engines.contract import EngineOptions, OcrEngine
from engines.errors import EngineUnavailable, RecognitionFailed
from engines.tessdata import Tessdata
from engines.types import Box, Line, PageImage, Recognition, Word

if TYPE_CHECKING:
    from tesserocr import PyTessBaseAPI

WORD_LEVEL = "5"
LSTM_ONLY = 1


class TesseractOptions(EngineOptions):
    page_segmentation: Annotated[int, Field(ge=1, le=13)] = 3
    """Tesseract's page segmentation mode; 3 is fully automatic."""


class TesseractEngine(OcrEngine):
    name = "tesseract"
    Options = TesseractOptions
    options: TesseractOptions

    _api: "PyTessBaseAPI | None" = None
    _tessdata: Tessdata | None = None

    @property
    def version(self) -> str:
        try:
            import tesserocr
        except ImportError as error:
            raise EngineUnavailable("Tesseract is not installed: `pip install 'arsip[tesseract]'`") from error
        return str(tesserocr.tesseract_version()).split()[1]

    def open(self) -> None:
        version = self.version
        import tesserocr

        self._tessdata = Tessdata(self.languages)
        try:
            self._api = tesserocr.PyTessBaseAPI(
                path=f"{self._tessdata.folder}/",
                lang="+".join(self.languages),
                psm=self.options.page_segmentation,
                oem=LSTM_ONLY,
            )
        except RuntimeError as error:
            self.close()
            raise EngineUnavailable(f"Tesseract {version} cannot load its language data: {error}") from error

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [self._recognize(image) for image in images]

    def _recognize(self, image: PageImage) -> Recognition:
        if self._api is None:
            raise EngineUnavailable("the Tesseract engine is not open")
        pixels = image.pixels if image.pixels.flags.c_contiguous else image.pixels.copy()
        try:
            self._api.SetImageBytes(pixels.tobytes(), image.width, image.height, 1, image.width)
            self._api.SetSourceResolution(round(image.dpi))
            if not self._api.Recognize():
                raise RecognitionFailed(f"Tesseract could not recognise a picture of {image.width} x {image.height}")
            return Recognition(tuple(_lines(self._api.GetTSVText(0))))
        except RuntimeError as error:
            raise RecognitionFailed(str(error)) from error
        finally:
            self._api.Clear()

    def close(self) -> None:
        if self._api:
            self._api.End()
            self._api = None
        if self._tessdata:
            self._tessdata.close()
            self._tessdata = None


def _lines(tsv: str) -> Iterator[Line]:
    """Lines from Tesseract's TSV.

    Its columns: level, page, block, paragraph, line, word, left, top, width, height, confidence (0 to 100), text.
    """
    words: list[Word] = []
    place: tuple[str, str, str] | None = None
    paragraphs: dict[tuple[str, str], int] = {}

    def line() -> Line:
        assert place
        return Line(tuple(words), paragraphs.setdefault(place[:2], len(paragraphs)))

    for row in csv.reader(tsv.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        if len(row) < 12 or row[0] != WORD_LEVEL or not row[11].strip():
            continue
        here = (row[2], row[3], row[4])
        if words and here != place:
            yield line()
            words = []
        place = here
        left, top, width, height = map(float, row[6:10])
        confidence = min(max(float(row[10]) / 100, 0.0), 1.0)
        words.append(Word(row[11].strip(), Box(left, top, left + width, top + height), confidence))
    if words:
        yield line()
