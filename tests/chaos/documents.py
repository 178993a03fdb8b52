"""Hundreds of small real documents: text, scans, both, and some that cannot be read. Each has other bytes."""

from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from tests.factories import RICH, save_pdf

BROKEN_EVERY = 12
DEADLY_EVERY = 15
DEADLY = "deadly"
"""The engine of `tests/chaos/plugin`, and the kind of a document whose scan it is given."""


def write(folder: Path, number: int, random: Random) -> Path:
    """The document of a number; every twelfth is cut off, and the scan of every fifteenth kills its engine."""
    kind = DEADLY if number % DEADLY_EVERY == 1 else random.choice(["text", "scan", "mixed", "long"])
    if kind == "scan":
        path = folder / f"{number:05}-scan.png"
        _line(f"Letter number {number}").save(path, dpi=(150, 150))
        return path
    path = folder / f"{number:05}-{kind}.pdf"
    text = (*RICH, f"Document {number}")
    pages = {
        "text": [text],
        "mixed": [text, _line(f"Scan {number}")],
        DEADLY: [text, _line(f"Scan {number}")],
        "long": [_line(f"Page {page} of {number}") for page in range(5)],
    }
    save_pdf(path, *pages[kind])
    if number % BROKEN_EVERY == 0:
        path.write_bytes(path.read_bytes()[: 200 + number % 50] + str(number).encode())
    return path


def _line(words: str) -> Image.Image:
    """A small picture that is recognised in a tenth of a second."""
    picture = Image.new("L", (620, 400), 255)
    ImageDraw.Draw(picture).text((40, 180), words, fill=0, font=ImageFont.load_default(28))
    return picture
