"""Tables of text-layer pages by pdfplumber: slow (3 to 10 pages/s), so only where they are asked for."""

from pathlib import Path

from pipeline.reading.types import Table


def page_tables(path: Path, number: int) -> tuple[list[Table], list[str]]:
    """The tables of a page as rows of cells, and a note if pdfplumber could not read the page."""
    import pdfplumber

    try:
        with pdfplumber.open(path, pages=[number]) as pdf:
            return [table for page in pdf.pages for table in page.extract_tables()], []
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001
        # pdfium has read the page, so it is not broken: pdfminer's parser, which fails in many ways, is stricter.
        return [], [f"tables could not be read: {type(error).__name__} in pdfplumber"]
