"""Reading order for engines that find pieces of text and know nothing of lines, columns or paragraphs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from engines.types import Box, Line, Word

GUTTER = 1.0
"""Heights of a line: a white strip between two columns is at least as wide."""
COLUMN_CHARACTERS = 15
"""A column of running text has pieces of about so many characters; the columns of a table or a receipt, which are
read row by row, have shorter ones."""
COLUMN_LINES = 4
"""A column has at least so many lines."""
SAME_ROW = 0.5
"""Two pieces stand in one row if they share this much of the height of the lower one."""
PARAGRAPH_GAP = 1.0
"""Heights of a line: more white than this above a line begins a paragraph."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words that the engine found together, with the box around it in pixels."""

    words: tuple[Word, ...]
    box: Box

    @property
    def height(self) -> float:
        return self.box.y1 - self.box.y0

    @property
    def characters(self) -> int:
        return sum(len(word.text) for word in self.words)


def around(corners: Iterable[Sequence[float]]) -> Box:
    """The upright box around the corners (x, y) of a tilted one."""
    across, down = zip(*((float(x), float(y)) for x, y in corners), strict=True)
    return Box(min(across), min(down), max(across), max(down))


def within(pieces: Iterable[Piece], width: int, height: int) -> Iterator[Piece]:
    """The pieces as far as they lie in a picture of so many pixels: a model may find text that sticks out of it."""
    for piece in pieces:
        clipped = ((word, _clipped(word.box, width, height)) for word in piece.words)
        words = tuple(replace(word, box=box) for word, box in clipped if box)
        if words and (box := _clipped(piece.box, width, height)):
            yield Piece(words, box)


def _clipped(box: Box, width: int, height: int) -> Box | None:
    inside = Box(max(box.x0, 0.0), max(box.y0, 0.0), min(box.x1, float(width)), min(box.y1, float(height)))
    return inside if inside.x0 < inside.x1 and inside.y0 < inside.y1 else None


def lines(pieces: Sequence[Piece]) -> tuple[Line, ...]:
    """The pieces as lines in reading order: columns of running text one after the other, all else row by row."""
    found: list[Line] = []
    paragraph = 0
    for block in _columns(sorted(pieces, key=lambda piece: piece.box.y0)):
        bottom: float | None = None
        for row in _rows(block):
            top = min(piece.box.y0 for piece in row)
            height = median(piece.height for piece in row)
            if bottom is None or top - bottom > PARAGRAPH_GAP * height:
                paragraph += 1
            bottom = max(piece.box.y1 for piece in row)
            found.append(Line(tuple(word for piece in row for word in piece.words), paragraph - 1))
    return tuple(found)


def _columns(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Blocks of pieces in reading order, found by cutting at white strips: across the page first, then down it."""
    if len(pieces) < 2 * COLUMN_LINES:
        yield pieces
        return
    if split := _split_down(pieces):
        for side in split:
            yield from _columns(side)
        return
    for band in _bands(pieces):
        if len(band) < len(pieces) and _split_down(band):
            # A heading across the page stands over columns.
            yield from _columns(band)
        else:
            yield band


def _split_down(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]] | None:
    """The pieces left and right of the widest white strip that goes all the way down between running text."""
    height = median(piece.height for piece in pieces)
    by_left = sorted(pieces, key=lambda piece: piece.box.x0)
    right, best, width = by_left[0].box.x1, 0, GUTTER * height
    for index, piece in enumerate(by_left[1:], 1):
        if piece.box.x0 - right > width:
            best, width = index, piece.box.x0 - right
        right = max(right, piece.box.x1)
    sides = by_left[:best], by_left[best:]
    if not best or not all(_is_running_text(side) for side in sides):
        return None
    left, beside = (sorted(side, key=lambda piece: piece.box.y0) for side in sides)
    return left, beside


def _is_running_text(pieces: list[Piece]) -> bool:
    return len(pieces) >= COLUMN_LINES and median(piece.characters for piece in pieces) >= COLUMN_CHARACTERS


def _bands(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Pieces between white strips that go all the way across; bands that follow each other and have no columns
    are one."""
    band: list[Piece] = []
    bottom = pieces[0].box.y0
    plain: list[Piece] = []
    for piece in [*pieces, None]:
        if band and (piece is None or piece.box.y0 > bottom):
            if _split_down(band):
                if plain:
                    yield plain
                    plain = []
                yield band
            else:
                plain += band
            band = []
        if piece:
            band.append(piece)
            bottom = max(bottom, piece.box.y1)
    if plain:
        yield plain


def _rows(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Pieces that stand beside each other, from left to right."""
    row: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (piece.box.y0 + piece.box.y1) / 2):
        if row and not _beside(row[-1], piece):
            yield sorted(row, key=lambda piece: piece.box.x0)
            row = []
        row.append(piece)
    if row:
        yield sorted(row, key=lambda piece: piece.box.x0)


def _beside(one: Piece, other: Piece) -> bool:
    return _share_of_height(one.box, other.box) >= SAME_ROW


def with_more(found: Sequence[Line], more: Iterable[Line]) -> tuple[Line, ...]:
    """The lines, and more that were found later, each in the row where it stands or before the next one below."""
    result = list(found)
    for line in more:
        box = _box(line)
        beside = [index for index, other in enumerate(result) if _share_of_height(box, _box(other)) >= SAME_ROW]
        if beside:
            index = min(beside, key=lambda index: _gap(box, _box(result[index])))
            words = sorted((*result[index].words, *line.words), key=lambda word: word.box.x0)
            result[index] = replace(result[index], words=tuple(words))
            continue
        below = (index for index, other in enumerate(result) if _is_below(_box(other), box))
        index = next(below, len(result))
        paragraph = result[min(index, len(result) - 1)].paragraph if result else 0
        result.insert(index, replace(line, paragraph=paragraph))
    return tuple(result)


def _box(line: Line) -> Box:
    boxes = [word.box for word in line.words]
    return Box(
        min(box.x0 for box in boxes),
        min(box.y0 for box in boxes),
        max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )


def _share_of_height(one: Box, other: Box) -> float:
    """What two boxes share of the height of the lower one."""
    shared = min(one.y1, other.y1) - max(one.y0, other.y0)
    return shared / min(one.y1 - one.y0, other.y1 - other.y0)


def _gap(one: Box, other: Box) -> float:
    """White between two boxes, across."""
    return max(one.x0, other.x0) - min(one.x1, other.x1)


def _is_below(lower: Box, upper: Box) -> bool:
    """Whether the middle of a box lies under that of another one, in the same column."""
    return lower.y0 + lower.y1 > upper.y0 + upper.y1 and _gap(lower, upper) < 0
