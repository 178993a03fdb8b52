"""Opening PDFs, their limits, and their rasters."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import CorruptDocument, CorruptPage, EncryptedDocument, NoPages, PermanentError, TooLarge
from pipeline.reading.documents import OpenDocument, open_document
from pipeline.reading.pdf import MAX_SIDE
from pipeline.reading.types import Limits, RasterRules, TextLayerRules
from pipeline.states import PageStatus
from tests.unit.pipeline.reading.documents import SENTENCE, assembled, line, pdf

LIMITS = Limits(max_pages=5, max_image_megapixels=100)
RULES = TextLayerRules(min_characters=50, margin=0.125, max_garbled=0.1, image_cover=0.7)
RASTER = RasterRules(dpi=300, max_megapixels=100, max_image_megapixels=100)


def opened(folder: Path, content: bytes) -> OpenDocument:
    file = folder / "document"
    file.write_bytes(content)
    return open_document(file, LIMITS)


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"%PDF-1.7\n" + b"nothing of use " * 100, CorruptDocument, "repair it"),
        (pdf("")[:200], CorruptDocument, "repair it"),
        (assembled(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>"]), NoPages, "no pages"),
        (pdf(*[""] * 6), TooLarge, "6 pages, more than ARSIP_MAX_PAGES=5"),
    ],
)
def test_documents_that_cannot_be_read(tmp_path: Path, content: bytes, error: type[PermanentError], says: str) -> None:
    with pytest.raises(error, match=says):
        opened(tmp_path, content)


@pytest.mark.parametrize("handler", ["/Standard /V 1 /R 2", "/Unheard.Of /V 1"])
def test_encrypted_documents(tmp_path: Path, handler: str) -> None:
    key = "<" + "5a" * 32 + ">"
    encryption = f"/Encrypt << /Filter {handler} /Length 40 /O {key} /U {key} /P -4 >> /ID [<00> <00>]"
    with pytest.raises(EncryptedDocument, match=r"save a (plain )?copy"):
        opened(tmp_path, pdf(line(100, 600, "secret"), trailer=encryption))


def test_a_page_that_is_missing_fails_alone(tmp_path: Path) -> None:
    content = pdf(line(100, 600, "first"), line(100, 600, "second"))
    content = content.replace(b"/Kids [4 0 R 6 0 R]", b"/Kids [9 0 R 6 0 R]")
    with opened(tmp_path, content) as document:
        assert document.page_count == 2
        with pytest.raises(CorruptPage):
            document.read_page(1, RULES, tables=False)
        with pytest.raises(CorruptPage):
            document.raster(1, RASTER)
        assert document.read_page(2, RULES, tables=False).text == "second"


def test_a_raster_is_the_page_as_displayed_in_grey(tmp_path: Path) -> None:
    keys = "/Rotate 90 /CropBox [72 72 360 216]"
    content = "1 0 0 rg 72 72 72 72 re f"
    with opened(tmp_path, pdf(content, keys=keys)) as document:
        raster = document.raster(1, RASTER)
    assert (raster.width, raster.height, raster.unit) == (144, 288, "pt")
    assert raster.image.pixels.shape == (1200, 600)
    assert raster.image.pixels.dtype == np.uint8
    assert raster.image.dpi == 300
    # The lower left corner of the paper is the upper left one of the page that is turned clockwise.
    assert 30 < raster.image.pixels[150, 150] < 150
    assert raster.image.pixels[150, 450] == raster.image.pixels[900, 150] == 255
    assert raster.notes == []


def test_a_scan_is_drawn_pixel_on_pixel(tmp_path: Path) -> None:
    checkers = np.indices((3300, 16)).sum(axis=0) % 2
    scan = Image.fromarray(checkers.astype(bool))
    scan.save(tmp_path / "document", "PDF", resolution=300)

    with open_document(tmp_path / "document", LIMITS) as document:
        pixels = document.raster(1, RASTER).image.pixels

    assert np.array_equal(pixels, checkers * 255)


@pytest.mark.parametrize(("width", "height"), [(7200, 7200), (14400, 100)])
def test_a_large_page_is_drawn_at_a_lower_resolution_and_says_so(tmp_path: Path, width: int, height: int) -> None:
    with opened(tmp_path, pdf("", box=f"0 0 {width} {height}")) as document:
        raster = document.raster(1, RASTER)
    assert raster.image.width * raster.image.height <= 100_500_000
    assert raster.image.width <= MAX_SIDE
    assert raster.image.dpi < 300
    assert raster.image.dpi == pytest.approx(raster.image.width / width * 72, rel=0.01)
    assert raster.notes == [
        f"raster lowered from 300 to {raster.image.dpi:.0f} dpi: limit of 100 megapixels and 32,767 pixels a side"
    ]


def test_a_page_that_no_resolution_fits_is_too_large(tmp_path: Path) -> None:
    with opened(tmp_path, pdf("", box="0 0 14400000 1")) as document, pytest.raises(TooLarge):
        document.raster(1, RASTER)


def test_a_filled_field_is_drawn_after_its_text_was_read(tmp_path: Path) -> None:
    from tests.unit.pipeline.reading.test_text_layer import APPEARANCE, annotation

    content = pdf(line(100, 700, SENTENCE), keys="/Annots [4 0 R]", objects=[annotation("Stamp"), APPEARANCE])
    with opened(tmp_path, content) as document:
        before = document.raster(1, RASTER).image.pixels
        assert document.read_page(1, RULES, tables=False).status == PageStatus.DONE
        after = document.raster(1, RASTER).image.pixels
    field = np.s_[1925:2050, 416:1250]
    assert before[field].min() < 100
    assert np.abs(before.astype(int) - after).mean() < 0.1
