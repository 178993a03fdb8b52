"""Tables of text-layer pages by pdfplumber: 5 to 50 pages/s, so only where they are asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.reading.types import Table

if TYPE_CHECKING:
    from pdfplumber.pdf import PDF


class TableReader:
    """Keeps the document open between pages: pdfplumber walks the whole page tree when it opens one."""

    def __init__(self, path: Path, page_count: int) -> None:
        self._file = path.open("rb")
        self._page_count = page_count
        self._pdf: PDF | None = None

    def read(self, number: int) -> tuple[list[Table], list[str]]:
        """The tables of a page as rows of cells, and a note if pdfplumber could not read them."""
        import pdfplumber

        try:
            if self._pdf is None:
                self._pdf = pdfplumber.open(self._file)
            if len(self._pdf.pages) != self._page_count:
                return [], [
                    f"tables were not read: pdfplumber sees {len(self._pdf.pages)} pages, not {self._page_count}"
                ]
            page = self._pdf.pages[number - 1]
            try:
                return [[list(map(_cell, row)) for row in table] for table in page.extract_tables()], []
            finally:
                page.close()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001
            # pdfium has read the page, so it is not broken: pdfminer's parser, which fails in many ways, is stricter.
            return [], [f"tables could not be read: {type(error).__name__} in pdfplumber"]

    def close(self) -> None:
        # pdfplumber's own close() reads the pages once more and raises for those it cannot read.
        self._pdf = None
        self._file.close()


def _cell(text: str | None) -> str | None:
    """PostgreSQL keeps no NUL in text or JSON."""
    return text and text.replace("\0", "")
