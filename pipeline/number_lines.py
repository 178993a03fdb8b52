"""The words of a page as lines in which a label and its value may stand next to each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from pipeline.reading.types import WordRow

MOST_CHARACTERS = 20_000
"""Of a page that are looked at, in reading order; a page dense with print has 10,000."""
LONGEST_LINE = 400
LINES_OF_A_PAGE = 40
GAP = 1.2
"""Between columns, in heights of a word: a wider gap is no blank."""
REACH = 2.5
"""How far below its label a value may begin, in heights of the label."""
LINES_BELOW = 4
BELOW_ITS_LABEL = -0.15


@dataclass(frozen=True, slots=True)
class Line:
    words: Sequence[WordRow]
    height: float
    """From 0 at the top of the page to 1 at the bottom."""
    bonus: float = 0.0

    @property
    def text(self) -> str:
        return " ".join(word[0] for word in self.words)[:LONGEST_LINE]

    def words_at(self, start: int, end: int) -> Iterator[WordRow]:
        """The words of which some characters lie in this range of the text."""
        at = 0
        for word in self.words:
            if at < end and at + len(word[0]) > start:
                yield word
            at += len(word[0]) + 1


def page_lines(text: str, words: Sequence[WordRow]) -> Iterator[Line]:
    """The page's lines as read, its visual lines and their cells, and each cell with the one right below it.

    Args:
        words: in reading order; empty where only the text is known.
    """
    if not words:
        lines = [line.split() for line in text[:MOST_CHARACTERS].splitlines() if line.strip()]
        for index, line in enumerate(lines):
            yield Line([(word, 0.0, 0.0, 0.0, 0.0, 1.0) for word in line], index / max(len(lines), LINES_OF_A_PAGE))
        return
    words = _first_words(words)
    # A page with a few lines at its top is about as high as it is wide.
    bottom = max(max(word[3], word[4]) for word in words) or 1.0
    for read in _lines_as_read(text, words):
        yield Line(read, read[0][2] / bottom)
    rows = [_cells(line) for line in _visual_lines(words)]
    for index, row in enumerate(rows):
        height = row[0][0][2] / bottom
        yield Line([word for cell in row for word in cell], height)
        for cell in row:
            yield Line(cell, cell[0][2] / bottom)
            if below := _right_below(cell, rows[index + 1 : index + 1 + LINES_BELOW]):
                yield Line([*cell, *below], height, BELOW_ITS_LABEL)


def _first_words(words: Sequence[WordRow]) -> Sequence[WordRow]:
    lengths = accumulate(len(word[0]) + 1 for word in words)
    enough = next((count for count, length in enumerate(lengths) if length > MOST_CHARACTERS), len(words))
    return words[: max(enough, 1)]


def _lines_as_read(text: str, words: Sequence[WordRow]) -> Iterator[Sequence[WordRow]]:
    """The lines of the text, which hold for a skewed page; none where the text is not made of these words."""
    at = 0
    for line in text[:MOST_CHARACTERS].splitlines():
        spoken = line.split()
        found = words[at : at + len(spoken)]
        if [word[0] for word in found] != spoken:
            return
        if found:
            yield found
        at += len(found)


def _visual_lines(words: Sequence[WordRow]) -> list[list[WordRow]]:
    """Words whose middles are at about the same height, from left to right, the lines from top to bottom."""
    lines: list[list[WordRow]] = []
    for word in sorted(words, key=lambda row: (row[2] + row[4]) / 2):
        middle = (word[2] + word[4]) / 2
        last = lines[-1][-1] if lines else None
        if last and last[2] <= middle <= last[4]:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda row: row[1]) for line in lines]


def _cells(line: Sequence[WordRow]) -> list[list[WordRow]]:
    """A line cut where a gap is wider than a blank."""
    cells = [[line[0]]]
    for before, word in pairwise(line):
        if word[1] - before[3] > GAP * (before[4] - before[2]):
            cells.append([])
        cells[-1].append(word)
    return cells


def _right_below(cell: Sequence[WordRow], rows: Sequence[Sequence[list[WordRow]]]) -> list[WordRow] | None:
    """The nearest cell under this one; lines of another column may lie between."""
    left, right, bottom = cell[0][1], cell[-1][3], cell[0][4]
    reach = bottom + REACH * (bottom - cell[0][2])
    under = (other for row in rows for other in row if other[0][1] < right and other[-1][3] > left)
    found = next(under, None)
    return found if found and found[0][2] <= reach else None
