"""How a page's own text is read and judged, on whole documents."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.reading.documents import open_document
from pipeline.reading.types import Limits, PageMethod, PageReading, RasterRules, TextLayerRules
from pipeline.states import PageStatus
from tests.unit.pipeline.reading.documents import SENTENCE, drawn, image, line, pdf, stream, to_unicode

LIMITS = Limits(max_pages=100, max_image_megapixels=100)
RULES = TextLayerRules(min_characters=50, margin=0.125, max_garbled=0.1, image_cover=0.7)
THIN = line(100, 400, SENTENCE) + line(100, 380, "and more of it")
"""53 characters inside the margins: enough for a page of text, not for a scan."""
RICH = "".join(line(100, 600 - 20 * row, SENTENCE) for row in range(5))
IMAGE = {"resources": "/XObject << /I 4 0 R >>", "objects": [image()]}

MAPPED = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >>"

Read = Callable[[bytes], PageReading]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: bytes) -> PageReading:
        file = tmp_path / "page.pdf"
        file.write_bytes(content)
        with open_document(file, LIMITS) as document:
            return document.read_page(1, RULES, tables=False)

    return read


def words(page: PageReading) -> list[str]:
    return [word[0] for word in page.words]


def test_words_lines_and_size(read: Read) -> None:
    page = read(pdf(line(100, 700, "Invoice 2024/17") + line(100, 680, "Total: 12.50 EUR")))
    assert (page.status, page.method) == (PageStatus.DONE, PageMethod.TEXT_LAYER)
    assert page.text == "Invoice 2024/17\nTotal: 12.50 EUR"
    assert words(page) == ["Invoice", "2024/17", "Total:", "12.50", "EUR"]
    assert (page.width, page.height, page.unit) == (612, 792, "pt")
    assert page.confidence == 1


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", ["", "/CropBox [40 60 540 740]"])
@pytest.mark.parametrize("box", ["0 0 612 792", "-30 -20 600 780"])
def test_boxes_lie_on_the_ink(tmp_path: Path, rotate: int, crop: str, box: str) -> None:
    file = tmp_path / "page.pdf"
    file.write_bytes(pdf(line(100, 600, "Hxg", size=40), box=box, keys=f"/Rotate {rotate} {crop}"))
    with open_document(file, LIMITS) as document:
        page = document.read_page(1, RULES, tables=False)
        raster = document.raster(1, RasterRules(dpi=144, max_megapixels=100, max_image_megapixels=100))
    rows, columns = np.nonzero(raster.image.pixels < 128)
    ink = columns.min() / 2, rows.min() / 2, (columns.max() + 1) / 2, (rows.max() + 1) / 2
    [(text, *corners, _)] = page.words
    assert text == "Hxg"
    assert corners == pytest.approx(ink, abs=1.5)
    assert (page.width, page.height) == (raster.width, raster.height)


def test_a_hyphen_ends_its_line(read: Read) -> None:
    page = read(pdf("BT /F 12 Tf 14 TL 100 600 Td (a good exam-) Tj T* (ple of it) Tj ET"))
    assert page.text == "a good exam-\nple of it"
    first, second = (word for word in page.words if word[0] in {"exam-", "ple"})
    assert first[4] < second[2] + 5, "a box must not span two lines"


def test_ligatures_and_characters_beyond_16_bits(read: Read) -> None:
    mapped = to_unicode(A="00660069", B="D83DDE00", n="006E", d="0064", e="0065")
    page = read(pdf(line(100, 600, "And eBe"), font=4, objects=[MAPPED, mapped]))
    assert page.text == "find e\N{GRINNING FACE}e"
    assert words(page) == ["find", "e\N{GRINNING FACE}e"]


def test_control_characters_stay_out_of_the_text(read: Read) -> None:
    page = read(pdf(line(100, 600, f"{SENTENCE} Ax"), font=4, objects=[MAPPED, to_unicode(A="0007")]))
    assert page.text is not None
    assert page.text.endswith("x")
    assert page.text.isprintable()


def test_a_title_page_keeps_its_few_words(read: Read) -> None:
    page = read(pdf(line(200, 500, "Chapter 1", size=30)))
    assert page.method == PageMethod.TEXT_LAYER
    assert page.text == "Chapter 1"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(line(280, 20, "Page 7") + drawn("I", 0, 0, 612, 792), PageStatus.PENDING, id="stamped scan"),
        pytest.param(THIN + drawn("I", 0, 0, 612, 792), PageStatus.PENDING, id="thin text on a scan"),
        pytest.param(RICH + drawn("I", 0, 0, 612, 792), PageStatus.DONE, id="rich text on a scan"),
        pytest.param(THIN + drawn("I", 0, 0, 300, 300), PageStatus.DONE, id="text with a figure"),
        pytest.param(line(200, 500, "Chapter 1") + drawn("I", 0, 0, 300, 300), PageStatus.PENDING,
                     id="few words with a picture"),
        pytest.param(line(200, 500, "Chapter 1") + drawn("I", 300, 50, 40, 40), PageStatus.DONE, id="small logo"),
        pytest.param("".join(drawn("I", 0, 8 * row, 612, 8) for row in range(99)), PageStatus.PENDING,
                     id="scan in strips"),
        pytest.param(drawn("I", 300, 50, 40, 40), PageStatus.PENDING, id="small picture alone"),
    ],
)  # fmt: skip
def test_images_decide_where_text_is_thin(read: Read, content: str, status: PageStatus) -> None:
    assert read(pdf(content, **IMAGE)).status == status


@pytest.mark.parametrize(("scale", "status"), [(1, PageStatus.DONE), (10, PageStatus.PENDING)])
def test_an_image_in_a_form_counts_with_the_size_it_is_drawn_at(read: Read, scale: int, status: PageStatus) -> None:
    keys = "/Type /XObject /Subtype /Form /BBox [0 0 100 100] /Resources << /XObject << /I 4 0 R >> >>"
    form = stream(drawn("I", 0, 0, 60, 78), keys)
    content = line(200, 500, "Chapter 1") + f"q {scale} 0 0 {scale} 0 0 cm /X Do Q"
    page = read(pdf(content, resources="/XObject << /X 5 0 R >>", objects=[image(255), form]))
    assert page.status == status


def test_letters_drawn_as_outlines_need_ocr(read: Read) -> None:
    outlines = "".join(f"{100 + 5 * step} 500 m {103 + 5 * step} 510 l S\n" for step in range(60))
    assert read(pdf(line(280, 20, "7") + outlines)).status == PageStatus.PENDING


@pytest.mark.parametrize("units", ["E012", "FFFD", "DBC0DC00", "D83D", "0001"])
def test_text_that_nobody_can_read_needs_ocr(read: Read, units: str) -> None:
    mapped = to_unicode(e=units, i=units, s=units, t=units)
    page = read(pdf(RICH, font=4, objects=[MAPPED, mapped]))
    assert page.status == PageStatus.PENDING


def test_glyph_numbers_in_place_of_text_need_ocr(read: Read) -> None:
    codes = "".join(line(100, 600 - 20 * row, r"\(cid:12\)\(cid:7\)\(cid:130\) \(cid:3\)") for row in range(10))
    assert read(pdf(codes)).status == PageStatus.PENDING


TYPE_3 = (
    "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 10 10] /FontMatrix [.1 0 0 .1 0 0] /FirstChar 1 /LastChar 1 "
    "/Widths [10] /CharProcs << /g1 5 0 R >> /Encoding << /Type /Encoding /Differences [1 /g1] >> >>"
)


def test_glyphs_without_a_mapping_are_no_blank_page(read: Read) -> None:
    objects = [TYPE_3, stream("10 0 0 0 10 10 d1 0 0 9 9 re f")]
    page = read(pdf("BT /F 12 Tf 100 600 Td <01010101> Tj ET", font=4, objects=objects))
    assert page.status == PageStatus.PENDING


@pytest.mark.parametrize("content", ["", "q Q", line(100, 600, "   ")])
def test_a_page_with_nothing_on_it_is_blank(read: Read, content: str) -> None:
    page = read(pdf(content))
    assert (page.status, page.method, page.text, page.words) == (PageStatus.DONE, PageMethod.BLANK, "", [])


@pytest.mark.parametrize("content", ["100 100 m 200 200 l S", line(-500, 100, "beside the page")])
def test_a_page_with_anything_on_it_is_not_taken_for_blank(read: Read, content: str) -> None:
    assert read(pdf(content)).status == PageStatus.PENDING


def annotation(kind: str, keys: str = "") -> str:
    return f"<< /Type /Annot /Subtype /{kind} /Rect [100 300 300 330] /F 4 /AP << /N 5 0 R >> {keys} >>"


APPEARANCE = stream(
    line(2, 8, "Alice Example"),
    "/Type /XObject /Subtype /Form /BBox [0 0 200 30] /Resources << /Font << /F 3 0 R >> >>",
)


@pytest.mark.parametrize(
    ("kind", "keys"), [("Widget", "/FT /Tx /T (name) /V (Alice Example)"), ("FreeText", ""), ("Stamp", "")]
)
def test_filled_fields_and_stamps_are_part_of_the_page(read: Read, kind: str, keys: str) -> None:
    objects = [annotation(kind, keys), APPEARANCE]
    form = "/AcroForm << /Fields [4 0 R] /DA (/F 12 Tf) >>" if kind == "Widget" else ""
    page = read(pdf(line(100, 700, "Name of the applicant"), keys="/Annots [4 0 R]", objects=objects, catalog=form))
    assert page.text == "Name of the applicant\nAlice Example"
    box = next(word for word in page.words if word[0] == "Alice")
    assert box[1] == pytest.approx(102, abs=2)
    assert 792 - 330 < box[2] < box[4] < 792 - 300


def test_a_hidden_field_is_not(read: Read) -> None:
    field = annotation("Widget", "/FT /Tx /T (name)").replace("/F 4", "/F 2")
    page = read(pdf(line(100, 700, "Name"), keys="/Annots [4 0 R]", objects=[field, APPEARANCE]))
    assert page.text == "Name"
