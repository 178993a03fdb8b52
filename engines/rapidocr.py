"""RapidOCR: PP-OCR's models by ONNX Runtime, strong on forms, receipts and photographs, and usable without a GPU."""

from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engines import layout
from engines.contract import EngineOptions, OcrEngine
from engines.errors import EngineUnavailable, LanguageMissing, RecognitionFailed
from engines.types import PageImage, Recognition, Word

if TYPE_CHECKING:
    from rapidocr import RapidOCR

LATIN = frozenset(
    """
    afr aze bos bre cat ceb ces cos cym dan deu eng epo est eus fao fil fin fra fry gla gle glg hat hrv hun ind
    isl ita jav lat lav lit ltz mlt mri msa nld nor oci pol por que ron slk slv spa sqi srp_latn sun swa swe ton
    tur uzb yor
    """.split()  # noqa: SIM905 (a list of them fills a screen)
)
LANGUAGES = LATIN | {"chi_sim", "chi_tra", "jpn"}
"""Languages whose letters are in the models that come with RapidOCR; one model reads them all."""

NARROWEST = 4
"""A longer picture is widened with white to this ratio of its sides: the models enlarge the shorter side to 736 pixels,
and a strip of 3 x 2000 took 22 GB."""


class RapidOptions(EngineOptions):
    max_side: int = Field(default=2000, ge=320, le=8000)
    """Pixels; a larger page is scaled down to it before text is looked for and read."""
    threads: int = Field(default=1, ge=1)
    """Of ONNX Runtime; several worker processes with one thread each do more than one with several."""
    min_score: float = Field(default=0.5, ge=0, le=1)
    """Text that the model is less sure of is left out."""


class RapidOcrEngine(OcrEngine):
    name = "rapidocr"
    Options = RapidOptions
    options: RapidOptions

    _reader: "RapidOCR | None" = None

    @property
    def version(self) -> str:
        try:
            return metadata.version("rapidocr")
        except metadata.PackageNotFoundError as error:
            raise EngineUnavailable("RapidOCR is not installed: `pip install 'arsip[rapidocr]'`") from error

    def installed_languages(self) -> Sequence[str]:
        return sorted(LANGUAGES)

    def open(self) -> None:
        version = self.version
        if missing := [language for language in self.languages if language not in LANGUAGES]:
            raise LanguageMissing(
                f"RapidOCR {version} has no model for language {', '.join(missing)}; it reads languages with Latin "
                "letters, Chinese and Japanese; use another queue for this document"
            )
        try:
            from rapidocr import RapidOCR

            self._reader = RapidOCR(
                params={
                    "Global.log_level": "error",
                    "Global.max_side_len": self.options.max_side,
                    "Global.text_score": self.options.min_score,
                    "Global.return_word_box": True,
                    "EngineConfig.onnxruntime.intra_op_num_threads": self.options.threads,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                    # A batch is padded to its widest piece of text: one by one saved a sixth of the time.
                    "Rec.rec_batch_num": 1,
                }
            )
        except ImportError as error:
            raise EngineUnavailable(
                f"RapidOCR {version} cannot be loaded ({error}): `pip install 'arsip[rapidocr]'`"
            ) from error

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [self._recognize(image) for image in images]

    def _recognize(self, image: PageImage) -> Recognition:
        if self._reader is None:
            raise EngineUnavailable("the RapidOCR engine is not open")
        try:
            found = self._reader(_widened(image.pixels))
        except Exception as error:
            raise RecognitionFailed(
                f"RapidOCR could not recognise a picture of {image.width} x {image.height} pixels "
                f"({type(error).__name__}: {error})"
            ) from error
        return Recognition(layout.lines(list(layout.within(_pieces(found), image.width, image.height))))

    def close(self) -> None:
        self._reader = None


def _widened(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    least = max(pixels.shape) // NARROWEST
    lacking = [(0, max(0, least - side)) for side in pixels.shape]
    return np.pad(pixels, lacking, constant_values=255) if max(lacking) > (0, 0) else pixels


def _pieces(found: Any) -> Iterator[layout.Piece]:
    if found.boxes is None:
        return
    for corners, words in zip(found.boxes, found.word_results, strict=True):
        kept = tuple(_word(*word) for word in words if word[0].strip())
        if kept:
            yield layout.Piece(kept, layout.around(corners))


def _word(text: str, confidence: float, corners: Any) -> Word:
    return Word(text.strip(), layout.around(corners), min(max(float(confidence), 0.0), 1.0))
