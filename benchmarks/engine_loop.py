"""The engine alone: processes that each hold one Tesseract open and take page after page from one list.

Nothing of arsip's reading runs here, so that what the pipeline costs shows in the comparison; only the language data
is the one that arsip finds.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import pypdfium2
from PIL import Image, ImageOps
from tesserocr import OEM, PyTessBaseAPI

from benchmarks.pages import page_count
from engines.tessdata import Tessdata

DPI = 300


def all_pages(files: list[Path]) -> list[tuple[Path, int]]:
    return [(file, index) for file in files for index in range(page_count(file) if file.suffix == ".pdf" else 1)]


def raster(file: Path, index: int) -> Image.Image:
    """The page as a grey picture; opening the PDF anew for each page took under a thousandth of reading the page."""
    if file.suffix == ".pdf":
        with closing(pypdfium2.PdfDocument(file)) as pdf:
            page: Image.Image = pdf[index].render(scale=DPI / 72, grayscale=True).to_pil()
            return page
    with Image.open(file) as picture:
        return ImageOps.exif_transpose(picture).convert("L")


def tickets(last: "Synchronized[int]", count: int) -> Iterator[int]:
    """Numbers below `count` that no other process gets."""
    while True:
        with last.get_lock():
            last.value += 1
            mine = last.value
        if mine >= count:
            return
        yield mine


def read(pages: list[tuple[Path, int]], last: "Synchronized[int]") -> None:
    with (
        closing(Tessdata(["eng"])) as tessdata,
        PyTessBaseAPI(path=f"{tessdata.folder}/", lang="eng", oem=OEM.LSTM_ONLY) as api,
    ):
        for ticket in tickets(last, len(pages)):
            page = raster(*pages[ticket])
            # Not SetImage, which has a picture written and read as a file in memory.
            api.SetImageBytes(page.tobytes(), page.width, page.height, 1, page.width)
            api.SetSourceResolution(DPI)
            api.GetUTF8Text()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("processes", type=int)
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    context = get_context("spawn")
    work = all_pages(arguments.files), context.Value("i", -1)
    running = [context.Process(target=read, args=work) for _ in range(arguments.processes)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    if any(process.exitcode for process in running):
        sys.exit("a process of the engine alone failed")


if __name__ == "__main__":
    main()
