"""Turning a page's picture, and taking boxes on the turned picture back to where they are on the page."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from engines.types import Box, Line, PageImage, Recognition

STEEPEST = math.radians(15)
"""The largest slope that is looked for: steeper lines are somebody's intent."""
THUMBNAIL = 600
"""Pixels of the longer side on which a slope is estimated."""


def turned(image: PageImage, degrees: int) -> PageImage:
    """The picture turned clockwise by a multiple of 90 degrees."""
    return replace(image, pixels=np.ascontiguousarray(np.rot90(image.pixels, -degrees // 90)))


def turned_back(found: Recognition, image: PageImage, degrees: int) -> Recognition:
    """What was read on `turned(image, degrees)`, with its boxes on `image`."""
    width, height = image.width, image.height

    def back(box: Box) -> Box:
        match degrees % 360:
            case 90:
                return Box(box.y0, height - box.x1, box.y1, height - box.x0)
            case 180:
                return Box(width - box.x1, height - box.y1, width - box.x0, height - box.y0)
            case 270:
                return Box(width - box.y1, box.x0, width - box.y0, box.x1)
        return box

    return replace(_moved(found, back), orientation=degrees % 360)


def straightened(image: PageImage, slope: float) -> PageImage:
    """The picture turned by a small angle about its middle, so that lines of this slope become level.

    Args:
        slope: of the text's lines, downwards to the right, in radians. What comes from outside is white.
    """
    picture = Image.fromarray(image.pixels)
    level = picture.rotate(math.degrees(slope), Image.Resampling.BICUBIC, fillcolor=255)
    return replace(image, pixels=np.asarray(level))


def straightened_back(found: Recognition, image: PageImage, slope: float) -> Recognition:
    """What was read on `straightened(image, slope)`, with the boxes around the tilted words on `image`."""
    middle = image.width / 2, image.height / 2
    cosine, sine = math.cos(slope), math.sin(slope)

    def back(box: Box) -> Box:
        corners = [(x - middle[0], y - middle[1]) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
        across = [middle[0] + x * cosine - y * sine for x, y in corners]
        down = [middle[1] + x * sine + y * cosine for x, y in corners]
        return Box(
            max(min(across), 0.0),
            max(min(down), 0.0),
            min(max(across), float(image.width)),
            min(max(down), float(image.height)),
        )

    return _moved(found, back)


def estimated_slope(image: PageImage) -> float:
    """The slope of the text's lines, in radians, for a page on which no lines are found.

    Of the small angles it is the one at which the rows of pixels differ most in ink: lines, then the white between.
    """
    small = Image.fromarray(image.pixels)
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    ink = Image.fromarray(255 - np.asarray(small))

    def contrast(degrees: int) -> float:
        rows = np.asarray(ink.rotate(degrees, Image.Resampling.BILINEAR)).sum(axis=1, dtype=np.float64)
        return float(np.square(np.diff(rows)).sum())

    most = round(math.degrees(STEEPEST))
    return math.radians(max(range(-most, most + 1), key=contrast))


def _moved(found: Recognition, back: Callable[[Box], Box]) -> Recognition:
    lines: list[Line] = []
    for line in found.lines:
        words = [replace(word, box=back(word.box)) for word in line.words]
        kept = tuple(word for word in words if word.box.x0 < word.box.x1 and word.box.y0 < word.box.y1)
        if kept:
            lines.append(replace(line, words=kept))
    return replace(found, lines=tuple(lines))
