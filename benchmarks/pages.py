"""The pages that are measured: real scans from ARSIP_CORPUS, or the samples where there are none."""

import os
from collections.abc import Sequence
from contextlib import closing
from itertools import chain, cycle, islice, zip_longest
from pathlib import Path

import pypdfium2
from PIL import Image, ImageOps

SAMPLES = Path(__file__).parents[1] / "samples"
PICTURES = {".jpg", ".png", ".tif"}
SETS = ("unlv-doe",)
"""Scans that state their resolution of 300 dpi."""


def scans(most: int, sets: Sequence[str] = SETS) -> list[Path]:
    """So many single-page scans, of the corpus in turn from its sets by name; where they do not suffice, over again."""
    corpus = os.environ.get("ARSIP_CORPUS")
    folders = [Path(corpus) / "scans-gt" / name for name in sets] if corpus else [SAMPLES]
    suffixes = PICTURES if corpus else PICTURES - {".tif"}  # the one among the samples has several pages
    groups = [sorted(path for path in folder.iterdir() if path.suffix in suffixes) for folder in folders]
    return list(islice(cycle(path for path in chain.from_iterable(zip_longest(*groups)) if path), most))


def born_digital() -> list[Path]:
    corpus = os.environ.get("ARSIP_CORPUS")
    folder = Path(corpus) / "born-digital" if corpus else SAMPLES
    return sorted(folder.rglob("*.pdf"))


def as_folder(pages: list[Path], folder: Path) -> Path:
    """Copies in one folder, numbered, with the number behind their end: so a scan that comes again is another file."""
    folder.mkdir(parents=True)
    for number, page in enumerate(pages):
        (folder / f"{number:04}-{page.name}").write_bytes(page.read_bytes() + f"{number:04}".encode())
    return folder


def as_pdf(pages: list[Path], path: Path) -> Path:
    """The pages as pictures in one PDF, at their resolution: bilevel ones in G4, others as JPEG."""
    for number, page in enumerate(pages):
        with Image.open(page) as picture:
            ImageOps.exif_transpose(picture, in_place=True)
            # "keep": a JPEG is written with its own tables again, so that nearly nothing is lost.
            quality = {} if picture.mode == "1" else {"quality": "keep" if picture.format == "JPEG" else 100}
            picture.save(path, "PDF", append=number > 0, dpi=_resolution(picture), **quality)
    return path


def _resolution(picture: Image.Image) -> tuple[float, float]:
    """What the file states, or 300: OCRmyPDF too is told 300, and a camera's 72 is none."""
    across, down = picture.info.get("dpi", (300, 300))
    return (across, down) if across > 96 else (300, 300)


def page_count(path: Path) -> int:
    with closing(pypdfium2.PdfDocument(path)) as pdf:
        return len(pdf)
