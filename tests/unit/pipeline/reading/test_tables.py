from pathlib import Path

import pytest

from pipeline.reading.documents import open_document
from pipeline.reading.tables import TableReader
from pipeline.reading.types import Limits, TextLayerRules
from tests.unit.pipeline.reading.documents import line, pdf

LIMITS = Limits(max_pages=100, max_image_megapixels=100)
RULES = TextLayerRules(min_characters=50, margin=0.125, max_garbled=0.1, image_cover=0.7)


def ruled(*rows: list[str]) -> str:
    """A table with rules around every cell; an empty string leaves a cell empty."""
    drawn = ""
    for down, row in enumerate(rows):
        for across, text in enumerate(row):
            x, y = 100 + 120 * across, 600 - 30 * down
            drawn += f"{x} {y} 120 30 re S\n" + (line(x + 5, y + 10, text) if text else "")
    return drawn


ROWS = [["Article", "Price"], ["Paper", "12.50"], ["Ink", ""]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "document.pdf"
    file.write_bytes(pdf(line(100, 700, "no table on this page"), ruled(*ROWS)))
    return file


def test_tables_are_read_when_asked_for(file: Path) -> None:
    with open_document(file, LIMITS) as document:
        assert document.read_page(1, RULES, tables=True).tables == []
        page = document.read_page(2, RULES, tables=True)
        assert page.tables == [ROWS]
        assert page.notes == []
        assert document.read_page(2, RULES, tables=False).tables is None


def test_a_page_stands_though_its_tables_cannot_be_read(file: Path) -> None:
    # pdfium takes a senseless rotation for none, pdfplumber trips over it.
    file.write_bytes(pdf(ruled(*ROWS), keys="/Rotate (x)"))
    with open_document(file, LIMITS) as document:
        page = document.read_page(1, RULES, tables=True)
    assert page.text is not None
    assert "Paper 12.50" in page.text
    assert page.tables == []
    assert page.notes == ["tables could not be read: TypeError in pdfplumber"]


def test_pages_that_pdfplumber_counts_otherwise_are_left(file: Path) -> None:
    reader = TableReader(file, page_count=3)
    assert reader.read(2) == ([], ["tables were not read: pdfplumber sees 2 pages, not 3"])
    reader.close()
