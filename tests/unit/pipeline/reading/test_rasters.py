"""Pictures of pages that are drawn ahead."""

from pathlib import Path

import pytest

from pipeline.errors import CorruptPage
from pipeline.reading.documents import Raster, open_document
from pipeline.reading.pdf import PdfDocument
from pipeline.reading.rasters import Rasters
from pipeline.reading.types import Limits, RasterRules
from tests.factories import letter_pictures, save_pdf

RULES = RasterRules(dpi=72, max_megapixels=100, max_image_megapixels=100)


class _CountingDocument(PdfDocument):
    def __init__(self, path: Path) -> None:
        super().__init__(path, Limits(max_pages=10, max_image_megapixels=10))
        self.drawn: list[int] = []

    def raster(self, number: int, rules: RasterRules) -> Raster:
        self.drawn.append(number)
        if number == 3:
            raise CorruptPage("the third page is damaged")
        return super().raster(number, rules)


def test_each_page_is_drawn_once_and_a_damaged_one_fails_when_it_is_asked_for(tmp_path: Path) -> None:
    document = _CountingDocument(save_pdf(tmp_path / "scan.pdf", *letter_pictures(4)))
    rasters = Rasters(document)
    first = rasters.get(1, RULES)
    assert rasters.take(1, RULES) is first
    rasters.draw_ahead([2, 3], RULES)
    assert rasters.take(2, RULES).width == 595
    with pytest.raises(CorruptPage):
        rasters.get(3, RULES)
    assert document.drawn == [1, 2, 3]
    assert rasters.take(1, RULES) is not first, "a picture that was taken is kept"
    rasters.close()
    document.close()


def test_pictures_of_pages_outside_the_batch_are_forgotten(tmp_path: Path) -> None:
    document = _CountingDocument(save_pdf(tmp_path / "scan.pdf", *letter_pictures(4)))
    rasters = Rasters(document)
    for number in (1, 2, 4):
        rasters.keep_only([number])
        rasters.get(number, RULES)
        assert {kept for kept, _ in rasters._drawn} == {number}
    rasters.close()
    document.close()


def test_a_page_that_could_not_be_drawn_is_tried_anew(tmp_path: Path) -> None:
    document = _CountingDocument(save_pdf(tmp_path / "scan.pdf", *letter_pictures(4)))
    rasters = Rasters(document)
    for _ in range(2):
        with pytest.raises(CorruptPage):
            rasters.get(3, RULES)
    assert document.drawn == [3, 3]
    rasters.close()
    document.close()


def test_what_nobody_takes_is_forgotten(tmp_path: Path) -> None:
    with open_document(save_pdf(tmp_path / "scan.pdf", *letter_pictures(4)), Limits(10, 10)) as document:
        rasters = Rasters(document)
        rasters.draw_ahead([1, 2, 3, 4], RULES)
        rasters.forget()
        assert not rasters._drawn
        rasters.close()
