"""One process of "the engine alone": reads its share of the pages with an engine that it holds open."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from engines.contract import EngineOptions
from engines.tesseract import TesseractEngine
from engines.types import PageImage
from pipeline.reading.documents import open_document
from pipeline.reading.types import Limits, RasterRules

LIMITS = Limits(max_pages=10_000, max_image_megapixels=500)
RASTER = RasterRules(dpi=300, max_megapixels=100, max_image_megapixels=500)


def pages(files: list[Path], share: int, shares: int) -> Iterator[PageImage]:
    position = 0
    for file in files:
        with open_document(file, LIMITS) as document:
            for number in range(1, document.page_count + 1):
                if position % shares == share:
                    yield document.raster(number, RASTER).image
                position += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shares", type=int)
    parser.add_argument("share", type=int)
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    options: EngineOptions = TesseractEngine.Options()
    with TesseractEngine(options, ["eng"]) as engine:
        for image in pages(arguments.files, arguments.share, arguments.shares):
            engine.recognize([image])


if __name__ == "__main__":
    main()
