"""Pages that any engine can read, drawn with Pillow's own font: for the contract suite and the self-test."""

import time

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engines.contract import OcrEngine
from engines.types import Box, PageImage, Recognition, SelfTest

LINES = ("Every archive keeps paper", "until nobody reads it", "and then some machine does")
DPI = 200.0
TEXT_HEIGHT = 40
"""Pixels; about 14 points at `DPI`, well above what any engine needs."""
MARGIN = 120


def drawn(*lines: str) -> tuple[PageImage, Box]:
    """A white page with lines of black text, and the box of its ink in pixels."""
    font = ImageFont.load_default(size=TEXT_HEIGHT)
    page = Image.new("L", (1000, 2 * MARGIN + 2 * TEXT_HEIGHT * max(len(lines), 1)), 255)
    pen = ImageDraw.Draw(page)
    for index, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + 2 * TEXT_HEIGHT * index), line, font=font, fill=0)
    pixels = np.asarray(page)
    rows, columns = np.nonzero(pixels < 128)
    ink = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if lines else Box(0, 0, 0, 0)
    return PageImage(pixels, DPI), ink


def blank(width: int, height: int) -> PageImage:
    return PageImage(np.full((height, width), 255, dtype=np.uint8), DPI)


def share_found(found: Recognition, line: str) -> float:
    """Share of the line's words that were read, whatever their case."""
    words = line.casefold().split()
    read = found.text.casefold().split()
    return sum(word in read for word in words) / len(words)


def self_test(engine: OcrEngine) -> SelfTest:
    """Open the engine and have it read a small page of English text.

    Raises:
        EngineUnavailable, RecognitionFailed: it does not work here.
    """
    page, _ = drawn(*LINES)
    started = time.monotonic()
    with engine:
        opened = time.monotonic()
        (found,) = engine.recognize([page])
        ended = time.monotonic()
        return SelfTest(engine.device, opened - started, ended - opened, share_found(found, " ".join(LINES)))
