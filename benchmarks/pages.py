"""The pages that are measured: real 300-dpi scans from ARSIP_CORPUS, or the samples where there are none."""

import os
import shutil
from pathlib import Path

import pypdfium2
from PIL import Image

SAMPLES = Path(__file__).parents[1] / "samples"


def scans(most: int) -> list[Path]:
    """Single-page scans; of the corpus those of the UNLV set, which state their resolution of 300 dpi."""
    corpus = os.environ.get("ARSIP_CORPUS")
    if corpus:
        return sorted((Path(corpus) / "scans-gt" / "unlv-doe").glob("*.tif"))[:most]
    return [path for path in sorted(SAMPLES.iterdir()) if path.suffix in {".jpg", ".png"}][:most]


def born_digital() -> list[Path]:
    corpus = os.environ.get("ARSIP_CORPUS")
    folder = Path(corpus) / "born-digital" if corpus else SAMPLES
    return sorted(folder.rglob("*.pdf"))


def as_folder(pages: list[Path], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for page in pages:
        shutil.copy(page, folder / page.name)
    return folder


def as_pdf(pages: list[Path], path: Path) -> Path:
    """The pages as pictures in one PDF, at their resolution."""
    pictures = [Image.open(page).convert("L") for page in pages]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], resolution=300.0)
    return path


def page_count(path: Path) -> int:
    pdf = pypdfium2.PdfDocument(path)
    try:
        return len(pdf)
    finally:
        pdf.close()
