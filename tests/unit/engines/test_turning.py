import math

import numpy as np
import pytest
from PIL import Image

from engines import turning
from engines.types import Box, Line, PageImage, Recognition, Word

PAGE = PageImage(np.full((300, 200), 255, dtype=np.uint8), 100)
BOX = Box(20, 30, 60, 45)


def marked(image: PageImage, box: Box) -> PageImage:
    pixels = image.pixels.copy()
    pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = 0
    return PageImage(pixels, image.dpi)


def ink(image: PageImage) -> Box:
    rows, columns = np.nonzero(image.pixels < 128)
    return Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def read_at(box: Box) -> Recognition:
    return Recognition((Line((Word("word", box, 0.9),)),))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_box_on_the_turned_page_comes_back_to_its_ink(degrees: int) -> None:
    other = turning.turned(marked(PAGE, BOX), degrees)
    assert (other.width, other.height) == ((200, 300) if degrees == 180 else (300, 200))
    found = turning.turned_back(read_at(ink(other)), PAGE, degrees)
    assert next(found.words).box == BOX
    assert found.orientation == degrees


@pytest.mark.parametrize("degrees", [-6, 4])
def test_a_box_on_the_straightened_page_comes_back_around_its_ink(degrees: int) -> None:
    slope = math.radians(degrees)
    level = turning.straightened(marked(PAGE, BOX), slope)
    back = next(turning.straightened_back(read_at(ink(level)), PAGE, slope).words).box
    assert back.x0 <= BOX.x0 + 1
    assert back.x1 >= BOX.x1 - 1
    assert back.y0 <= BOX.y0 + 1
    assert back.y1 >= BOX.y1 - 1
    assert (back.x1 - back.x0) < 1.5 * (BOX.x1 - BOX.x0)


@pytest.mark.parametrize("degrees", [-11, -3, 0, 8])
def test_the_slope_of_lines_is_estimated(degrees: int) -> None:
    pixels = np.full((1400, 1000), 255, dtype=np.uint8)
    for top in range(300, 1100, 40):
        pixels[top : top + 14, 150:850] = 0
    tilted = Image.fromarray(pixels).rotate(-degrees, fillcolor=255)
    estimate = math.degrees(turning.estimated_slope(PageImage(np.asarray(tilted), 100)))
    assert estimate == pytest.approx(degrees, abs=1)
