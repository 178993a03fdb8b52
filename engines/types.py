"""What goes into an OCR engine and what comes out of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENOUGH = 0.75
"""Share of a test page's words that an engine must find: engines may differ on a glyph of an unusual font."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; the origin is the top-left corner of the page, x grows to the right and y downwards.

    The unit is that of the thing the box belongs to: pixels in a `PageImage`, page units in a stored page.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def scaled(self, x: float, y: float) -> "Box":
        """The same rectangle where one old unit is `x` new ones across and `y` new ones down."""
        return Box(self.x0 * x, self.y0 * y, self.x1 * x, self.y1 * y)


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    box: Box
    confidence: float
    """From 0 (a guess) to 1 (certain); text read from a text layer has 1."""


@dataclass(frozen=True, slots=True)
class Line:
    """Words of one text line in reading order; lines of one paragraph share `paragraph`."""

    words: tuple[Word, ...]
    paragraph: int = 0

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page as 8-bit grey: `pixels` has the shape (height, width), 0 is black."""

    pixels: "NDArray[np.uint8]"
    dpi: float

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Recognition:
    """The words of one page, boxes in pixels of the image that was given. A blank page has no lines."""

    lines: tuple[Line, ...] = ()
    orientation: int = 0
    """Degrees (0, 90, 180, 270) by which the image has to be turned clockwise for its text to stand upright."""
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    """What each step of the engine took, by the engine's own names of its steps."""

    @property
    def words(self) -> Iterator[Word]:
        return (word for line in self.lines for word in line.words)

    @property
    def text(self) -> str:
        """Lines joined by a newline, paragraphs by an empty line."""
        if not self.lines:
            return ""
        parts = [self.lines[0].text]
        for before, line in pairwise(self.lines):
            parts.append("\n" if line.paragraph == before.paragraph else "\n\n")
            parts.append(line.text)
        return "".join(parts)

    @property
    def confidence(self) -> float | None:
        """The mean over the words, each weighted by its length in characters; None when there are none."""
        weighted = [(word.confidence, len(word.text)) for word in self.words]
        total = sum(length for _, length in weighted)
        return sum(value * length for value, length in weighted) / total if total else None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """How an engine did on a small page of known text."""

    device: str
    open_seconds: float
    page_seconds: float
    found: float
    """Share of the words on the page that were read; `ENOUGH` are wanted."""
