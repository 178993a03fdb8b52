"""The pages that are measured: real scans from ARSIP_CORPUS, or the samples where there are none."""

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from itertools import chain, zip_longest
from pathlib import Path

import pypdfium2
from PIL import Image, ImageOps

SAMPLES = Path(__file__).parents[1] / "samples"
PICTURES = {".jpg", ".png", ".tif"}
SETS = ("unlv-doe",)
"""Scans that state their resolution of 300 dpi."""


def scans(most: int, sets: Sequence[str] = SETS) -> list[Path]:
    """Single-page scans: of the corpus so many, taken in turn from its sets in the order of their names."""
    corpus = os.environ.get("ARSIP_CORPUS")
    if not corpus:
        return [path for path in sorted(SAMPLES.iterdir()) if path.suffix in {".jpg", ".png"}][:most]
    folders = [Path(corpus) / "scans-gt" / name for name in sets]
    groups = [sorted(path for path in folder.iterdir() if path.suffix in PICTURES) for folder in folders]
    return [path for path in chain.from_iterable(zip_longest(*groups)) if path][:most]


def born_digital() -> list[Path]:
    corpus = os.environ.get("ARSIP_CORPUS")
    folder = Path(corpus) / "born-digital" if corpus else SAMPLES
    return sorted(folder.rglob("*.pdf"))


def as_folder(pages: list[Path], folder: Path) -> Path:
    """Copies in one folder, numbered, since files of several sets may share a name."""
    folder.mkdir(parents=True)
    for number, page in enumerate(pages):
        shutil.copy(page, folder / f"{number:04}-{page.name}")
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
