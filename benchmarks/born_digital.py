"""Born-digital PDFs: the whole pipeline against pypdfium2 alone, which reads the text without boxes."""

import tempfile
import time
from pathlib import Path

import pypdfium2

from benchmarks import contenders, pages, report


def pdfium_text(files: list[Path]) -> float:
    started = time.monotonic()
    for path in files:
        pdf = pypdfium2.PdfDocument(path)
        for page in pdf:
            page.get_textpage().get_text_range()
        pdf.close()
    return time.monotonic() - started


def measure(*, rounds: int, most: int) -> None:
    files = [path for path in pages.born_digital() if pages.page_count(path)][:most]
    with tempfile.TemporaryDirectory() as folder:
        source = pages.as_folder(files, Path(folder) / "in")
        report.race(
            "born-digital PDFs, 2 processes",
            {"arsip": lambda: contenders.arsip(source, 2), "pypdfium2, one process": lambda: pdfium_text(files)},
            pages=sum(map(pages.page_count, files)),
            rounds=rounds,
        )
