"""PDFs by pdfium: pages, their text layer, and their picture."""

import math
import re
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from engines.types import PageImage
from pipeline.errors import CorruptDocument, CorruptPage, EncryptedDocument, NoPages, TooLarge
from pipeline.reading import text_layer
from pipeline.reading.documents import OpenDocument, Raster
from pipeline.reading.tables import page_tables
from pipeline.reading.types import Limits, PageMethod, PageReading, RasterRules, TextLayerRules
from pipeline.states import PageStatus

POINTS_PER_INCH = 72.0
MAX_SIDE = 32_767
"""Pixels: the longest side that Tesseract takes."""


class PdfDocument(OpenDocument):
    media_type = "application/pdf"

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        try:
            self._pdf = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            raise _why_not_opened(path, error) from error
        if self.page_count > limits.max_pages:
            count = self.page_count
            self.close()
            raise TooLarge(
                f"the PDF has {count} pages, more than ARSIP_MAX_PAGES={limits.max_pages}; split it or raise it"
            )
        self._pdf.init_forms()

    @property
    def page_count(self) -> int:
        return len(self._pdf)

    def close(self) -> None:
        self._pdf.close()

    def read_page(self, number: int, rules: TextLayerRules, *, tables: bool) -> PageReading:
        with _opened(self._pdf, number) as page:
            width, height = page.get_size()
            layer = text_layer.read(page)
            needs_ocr, blank = text_layer.judge(page, layer, rules)
        size = {"width": width, "height": height, "unit": "pt"}
        if needs_ocr:
            return PageReading(number=number, status=PageStatus.PENDING, **size)
        if blank:
            return PageReading(number=number, status=PageStatus.DONE, method=PageMethod.BLANK, text="", **size)
        found, notes = page_tables(self._path, number) if tables else (None, [])
        return PageReading(
            number=number,
            status=PageStatus.DONE,
            method=PageMethod.TEXT_LAYER,
            text=layer.text,
            words=layer.words,
            confidence=1.0,
            tables=found,
            notes=notes,
            **size,
        )

    def raster(self, number: int, rules: RasterRules) -> Raster:
        with _opened(self._pdf, number) as page:
            width, height = page.get_size()
            dpi = fitting_dpi(width, height, rules)
            bitmap = page.render(scale=dpi / POINTS_PER_INCH, grayscale=True, limit_image_cache=True)
            try:
                pixels = np.array(bitmap.to_numpy(), dtype=np.uint8).reshape(bitmap.height, bitmap.width)
            finally:
                bitmap.close()
        notes = []
        if dpi < rules.dpi:
            notes = [f"raster lowered from {rules.dpi} to {dpi:.0f} dpi: {rules.max_megapixels} megapixel limit"]
        return Raster(PageImage(pixels, dpi), width=width, height=height, unit="pt", notes=notes)


def fitting_dpi(width: float, height: float, rules: RasterRules) -> float:
    """The wished resolution, or the largest at which a page of so many points stays within the limits of a raster.

    Raises:
        TooLarge: the page would be unreadable at it.
    """
    inches = width / POINTS_PER_INCH, height / POINTS_PER_INCH
    by_area = math.sqrt(rules.max_megapixels * 1e6 / (inches[0] * inches[1]))
    by_side = (MAX_SIDE - 1) / max(inches)
    dpi = min(rules.dpi, by_area, by_side)
    if min(inches) * dpi < 1:
        raise TooLarge(
            f"a page of {width:.0f} x {height:.0f} points cannot be drawn within {rules.max_megapixels} megapixels"
        )
    return dpi


class _opened:  # noqa: N801
    """A page, closed at the end of the `with` block."""

    def __init__(self, pdf: pypdfium2.PdfDocument, number: int) -> None:
        self._pdf, self._number = pdf, number

    def __enter__(self) -> pypdfium2.PdfPage:
        try:
            self._page = self._pdf[self._number - 1]
        except pypdfium2.PdfiumError as error:
            raise CorruptPage(f"pdfium cannot load it ({error})") from error
        width, height = self._page.get_size()
        if not (0 < width < math.inf and 0 < height < math.inf):
            self._page.close()
            raise CorruptPage(f"its size is {width:g} x {height:g} points")
        return self._page

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        self._page.close()
        if isinstance(error, pypdfium2.PdfiumError):
            raise CorruptPage(f"pdfium cannot read it ({error})") from error


def _why_not_opened(path: Path, error: pypdfium2.PdfiumError) -> Exception:
    if error.err_code == pdfium.FPDF_ERR_PASSWORD:
        return EncryptedDocument("the PDF needs a password; save a copy without one and ingest that")
    if error.err_code == pdfium.FPDF_ERR_SECURITY:
        return EncryptedDocument(
            "the PDF is encrypted in a way that pdfium does not know; save a plain copy and ingest that"
        )
    if error.err_code == pdfium.FPDF_ERR_SUCCESS or _states_no_pages(path):
        return NoPages("the PDF has no pages")
    return CorruptDocument(
        f"the PDF is damaged ({error}); repair it, such as with `qpdf in.pdf out.pdf`, and ingest it again"
    )


def _states_no_pages(path: Path) -> bool:
    with path.open("rb") as file:
        return re.search(rb"/Type\s*/Pages\b[^>]{0,200}/Count\s+0\b", file.read(1 << 20)) is not None
