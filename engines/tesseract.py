"""Tesseract 5 in this process, by tesserocr, held open.

It runs in one thread where OMP_THREAD_LIMIT=1 is set before the process starts, as the sandbox does: several workers
with OpenMP's threads each are slower than with one by an order of magnitude (tesseract#3109).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from engines.contract import EngineOptions, OcrEngine
from engines.errors import EngineUnavailable, RecognitionFailed
from engines.tessdata import Tessdata
from engines.types import Box, Line, PageImage, Recognition, Word

if TYPE_CHECKING:
    from tesserocr import PyResultIterator, PyTessBaseAPI

ORIENTATION_MODES = {1, 12}
"""Page segmentation modes that turn a page upright first, which needs data of its own."""
MAX_SIDE = 32767
"""Pixels; Tesseract keeps coordinates in 16 bits and refuses more."""


class TesseractOptions(EngineOptions):
    page_segmentation: Literal[1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13] = 3
    """Tesseract's mode: 3 finds the blocks of an upright page, 1 turns the page upright first; 0 and 2 read nothing."""


class TesseractEngine(OcrEngine):
    """LSTM models only: the older recogniser is in none of the fast models."""

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
            raise EngineUnavailable(
                f"Tesseract cannot be loaded ({error}): `pip install 'arsip[tesseract]'`"
            ) from error
        return str(tesserocr.tesseract_version()).split()[1]

    def open(self) -> None:
        version = self.version
        import tesserocr

        mode = self.options.page_segmentation
        self._tessdata = Tessdata([*self.languages, *(["osd"] if mode in ORIENTATION_MODES else [])])
        folder = self._tessdata.folder
        try:
            self._api = tesserocr.PyTessBaseAPI(
                path=f"{folder}/", lang="+".join(self.languages), psm=mode, oem=tesserocr.OEM.LSTM_ONLY
            )
            # Tesseract goes on without a language that it cannot load, as long as one is left.
            broken = set(self.languages) - set(self._api.GetLoadedLanguages())
        except RuntimeError:
            broken = set(self.languages)
        if broken:
            files = ", ".join(str((folder / f"{language}.traineddata").resolve()) for language in sorted(broken))
            self.close()
            raise EngineUnavailable(
                f"Tesseract {version} cannot load {files}: damaged, or without an LSTM model; install the data again"
            )

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [self._recognize(image) for image in images]

    def _recognize(self, image: PageImage) -> Recognition:
        if self._api is None:
            raise EngineUnavailable("the Tesseract engine is not open")
        size = f"a picture of {image.width} x {image.height} pixels"
        if max(image.width, image.height) > MAX_SIDE:
            raise RecognitionFailed(f"Tesseract takes sides of up to {MAX_SIDE} pixels, not {size}; lower the dpi")
        try:
            self._api.SetImageBytes(image.pixels.tobytes(), image.width, image.height, 1, image.width)
            self._api.SetSourceResolution(round(image.dpi))
            if not self._api.Recognize():
                raise RecognitionFailed(f"Tesseract could not recognise {size}")
            return Recognition(tuple(_lines(self._api.GetIterator())))
        except RuntimeError as error:
            raise RecognitionFailed(f"Tesseract could not recognise {size}: {error}") from error
        finally:
            self._api.Clear()

    def close(self) -> None:
        if self._api:
            self._api.End()
            self._api = None
        if self._tessdata:
            self._tessdata.close()
            self._tessdata = None


def _lines(result: "PyResultIterator") -> Iterator[Line]:
    # On pages of 500 words the iterator took half the time of Tesseract's TSV output and a third of hOCR's.
    from tesserocr import RIL, iterate_level

    words: list[Word] = []
    paragraph = -1
    for place in iterate_level(result, RIL.WORD):
        if place.Empty(RIL.WORD):
            continue
        if place.IsAtBeginningOf(RIL.TEXTLINE):
            if words:
                yield Line(tuple(words), paragraph)
                words = []
            paragraph += place.IsAtBeginningOf(RIL.PARA)
        if text := place.GetUTF8Text(RIL.WORD).strip():
            confidence = min(max(place.Confidence(RIL.WORD) / 100, 0.0), 1.0)
            words.append(Word(text, Box(*map(float, place.BoundingBox(RIL.WORD))), confidence))
    if words:
        yield Line(tuple(words), paragraph)
