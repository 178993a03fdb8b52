"""Ink that a first look at a page made no words of: the search for it, and what is believed of a second look."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from statistics import median

import numpy as np

from engines import layout
from engines.quality import looks_like_word
from engines.types import Box, Line, PageImage, Recognition

INK_CONTRAST = 64
"""Grey levels darker than the paper."""
WORTH_A_LOOK = 0.1
"""Share of the page's ink. On 151 scans with known text, a look at what was left found 1 to 2 % more words on forms,
receipts and sealed letters, and pages of plain print stayed below the share."""
AROUND_WORD = 0.15
"""Share of a line's height that is taken away around a word with it."""
A_WORD = 0.3
"""Confidence below which a word may have been something else, and is looked at again."""
CREDIBLE = 0.8
"""Confidence from which a word of the second look is believed."""
HEIGHTS = (0.4, 2.5)
"""Such a word's height by the median height of the page's words."""


def without_words(image: PageImage, found: Recognition) -> PageImage | None:
    """The picture without the words that were found; None if hardly any ink is left."""
    pixels = image.pixels.copy()
    paper = int(np.median(pixels[::8, ::8]))
    margin = round(AROUND_WORD * _height(found))
    for word in found.words:
        if word.confidence >= A_WORD:
            top, left = max(0, int(word.box.y0) - margin), max(0, int(word.box.x0) - margin)
            pixels[top : int(word.box.y1) + margin, left : int(word.box.x1) + margin] = paper
    if _ink(pixels, paper) < WORTH_A_LOOK * _ink(image.pixels, paper):
        return None
    return replace(image, pixels=pixels)


def credible(more: Recognition, found: Recognition) -> Iterator[Line]:
    """What is believed of a second look, given what the first one found."""
    usual = _height(found)
    for line in more.lines:
        words = tuple(
            word
            for word in line.words
            if word.confidence >= CREDIBLE
            and HEIGHTS[0] * usual <= word.box.y1 - word.box.y0 <= HEIGHTS[1] * usual
            and looks_like_word(word.text)
        )
        if words:
            yield replace(line, words=words)


def merged(found: Recognition, more: Iterable[Line]) -> Recognition:
    """Both together; a doubtful word gives way to one that was read in its place."""
    new = list(more)
    places = [word.box for line in new for word in line.words]
    lines: list[Line] = []
    for line in found.lines:
        kept = tuple(
            word
            for word in line.words
            if word.confidence >= A_WORD or not any(_overlap(word.box, place) for place in places)
        )
        if kept:
            lines.append(replace(line, words=kept))
    return replace(found, lines=layout.with_more(lines, new))


def _overlap(one: Box, other: Box) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


def _height(found: Recognition) -> float:
    return median(word.box.y1 - word.box.y0 for word in found.words)


def _ink(pixels: "np.typing.NDArray[np.uint8]", paper: int) -> int:
    return int(np.count_nonzero(pixels < paper - INK_CONTRAST))
