"""PDFs by pdfium: pages, their text layer, and their picture."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from engines.types import PageImage
from pipeline.errors import CorruptDocument, CorruptPage, EncryptedDocument, NoPages, TooLarge
from pipeline.reading import layer_test, text_layer
from pipeline.reading.documents import OpenDocument, Raster, SomeLines
from pipeline.reading.tables import TableReader
from pipeline.reading.types import Limits, PageMethod, PageReading, RasterRules, TextLayerRules
from pipeline.states import PageStatus

POINTS_PER_INCH = 72.0
A_HAIR_LESS = 1 - 1e-6
"""pypdfium2 rounds sizes up: this way a scan of 3300.0000001 pixels is drawn pixel on pixel, not blurred on 3301."""
MAX_SIDE = 32_767
"""Pixels: the longest side that Tesseract takes."""
DRAWN_ANNOTATIONS = {pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP}
"""Annotations whose picture carries text that a reader sees: filled form fields, typed notes, stamps, signatures."""


class PdfDocument(OpenDocument):
    media_type = "application/pdf"

    def __init__(self, path: Path, limits: Limits) -> None:
        try:
            self._pdf = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            raise _why_not_opened(path, error) from error
        if (count := len(self._pdf)) > limits.max_pages:
            self._pdf.close()
            raise TooLarge(
                f"the PDF has {count} pages, more than ARSIP_MAX_PAGES={limits.max_pages}; split it or raise it"
            )
        self._pdf.init_forms()
        self._tables = TableReader(path, self.page_count)

    @property
    def page_count(self) -> int:
        return len(self._pdf)

    def close(self) -> None:
        self._tables.close()
        self._pdf.close()

    def read_page(self, number: int, rules: TextLayerRules, *, tables: bool) -> PageReading:
        with self._flat_page(number) as page:
            width, height = page.get_size()
            layer = text_layer.read(page)
            method = text_layer.judge(page, layer, rules)
        size = {"width": width, "height": height, "unit": "pt"}
        if method == PageMethod.OCR:
            return PageReading(number=number, status=PageStatus.PENDING, **size)
        if method == PageMethod.BLANK:
            return PageReading(number=number, status=PageStatus.DONE, method=method, text="", **size)
        found, notes = self._tables.read(number) if tables else (None, [])
        return PageReading(
            number=number,
            status=PageStatus.DONE,
            method=method,
            text=layer.text,
            words=layer.words,
            confidence=1.0,
            tables=found,
            notes=notes,
            **size,
        )

    def some_lines(self, number: int) -> SomeLines | None:
        with self._flat_page(number) as page:
            width, height = page.get_size()
            chosen = layer_test.choose_lines(text_layer.read(page).words, width, height)
            if chosen is None:
                return None
            text, (left, top, right, bottom) = chosen
            margins = left, height - bottom, width - right, top
            bitmap = page.render(scale=layer_test.DPI / POINTS_PER_INCH, grayscale=True, crop=margins)
            try:
                return SomeLines(text, PageImage(_pixels(bitmap), layer_test.DPI))
            finally:
                bitmap.close()

    def raster(self, number: int, rules: RasterRules) -> Raster:
        with _opened(self._pdf, number) as page:
            width, height = page.get_size()
            dpi = fitting_dpi(width, height, rules)
            drawn_at = dpi * rules.scale
            bitmap = page.render(scale=drawn_at / POINTS_PER_INCH * A_HAIR_LESS, grayscale=True, limit_image_cache=True)
            try:
                pixels = _pixels(bitmap)
            finally:
                bitmap.close()
        notes = []
        if dpi < rules.dpi:
            limits = f"limit of {rules.max_megapixels} megapixels and {MAX_SIDE:,} pixels a side"
            notes = [f"raster lowered from {rules.dpi} to {dpi:.0f} dpi: {limits}"]
        return Raster(image=PageImage(pixels, drawn_at), width=width, height=height, unit="pt", notes=notes)

    @contextmanager
    def _flat_page(self, number: int) -> Iterator[pypdfium2.PdfPage]:
        """A page of which form fields and stamps are a part, in memory, so that their text is read with the rest."""
        with _opened(self._pdf, number) as page:
            if DRAWN_ANNOTATIONS.isdisjoint(_annotations(page)):
                yield page
                return
            pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        with _opened(self._pdf, number) as page:
            yield page


def _pixels(bitmap: pypdfium2.PdfBitmap) -> NDArray[np.uint8]:
    return np.array(bitmap.to_numpy(), dtype=np.uint8).reshape(bitmap.height, bitmap.width)


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


@contextmanager
def _opened(pdf: pypdfium2.PdfDocument, number: int) -> Iterator[pypdfium2.PdfPage]:
    try:
        page = pdf[number - 1]
    except pypdfium2.PdfiumError as error:
        raise CorruptPage(f"pdfium cannot load it ({error})") from error
    try:
        width, height = page.get_size()
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise CorruptPage(f"its size is {width:g} x {height:g} points")
        yield page
    except pypdfium2.PdfiumError as error:
        raise CorruptPage(f"pdfium cannot read it ({error})") from error
    finally:
        page.close()


def _annotations(page: pypdfium2.PdfPage) -> Iterator[int]:
    """The kinds of the annotations on a page."""
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        if annotation := pdfium.FPDFPage_GetAnnot(page, index):
            yield pdfium.FPDFAnnot_GetSubtype(annotation)
            pdfium.FPDFPage_CloseAnnot(annotation)


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
