"""Born-digital PDFs: the whole pipeline against pypdfium2 alone, with and without the boxes that arsip stores."""

import tempfile
import time
from contextlib import closing
from pathlib import Path

import pypdfium2

from benchmarks import contenders, pages, report


def pdfium(files: list[Path], *, boxes: bool) -> float:
    """Seconds in this process for the text of every page and, if wanted, the box of every character."""
    started = time.monotonic()
    for path in files:
        with closing(pypdfium2.PdfDocument(path)) as pdf:
            for page in pdf:
                text = page.get_textpage()
                text.get_text_range()
                for index in range(text.count_chars() if boxes else 0):
                    text.get_charbox(index)
                page.close()
    return time.monotonic() - started


def measure(*, rounds: int, most: int) -> None:
    files = [path for path in pages.born_digital() if pages.page_count(path)][:most]
    with tempfile.TemporaryDirectory() as folder:
        source = pages.as_folder(files, Path(folder) / "in")
        report.race(
            "born-digital PDFs, 2 processes",
            {
                "arsip": lambda: contenders.arsip(source, 2),
                "pypdfium2, one process: text": lambda: pdfium(files, boxes=False),
                "pypdfium2, one process: text, character boxes": lambda: pdfium(files, boxes=True),
            },
            pages=sum(map(pages.page_count, files)),
            rounds=rounds,
            baselines=["pypdfium2, one process: text", "pypdfium2, one process: text, character boxes"],
        )
