"""The document number: a letter's `Nomor: 045/2026/DIR-ARSIP`, an invoice's, contract's, order's or regulation's.

Words are put into visual lines by their boxes, so that a label and its value in two columns meet; a value below its
label is tried too. Of all matches on the first page that has one, the best counts: the pattern's weight, more where
the label begins a line, less further down the page.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.reading.types import WordRow
from pipeline.settings import NumberPattern

# OCR slips in labels: 0 for o, 1 or l for i.
_NUMBER = r"(?:n[uo0]m(?:ber|mer|[o0]r)?|n[o0]|nr|n[°º]|id)(?![a-z])"
_MARKS = r"[\s.:;#=_-]{0,6}"
_VALUE = r"(?P<number>[A-Z0-9][\w.#-]{0,40}(?:\s?/\s?[\w.-]{1,30}){0,8})"
_PARTED = r"(?P<number>[A-Z0-9][\w.-]{0,30}(?:\s?/\s?[\w.-]{1,30}){1,8})"
_INVOICE = r"(?:[il1]nv[o0][il1]ce|faktur|tagihan|kwitansi|facture|factuur|rechnungs?)"
_CONTRACT = r"(?:contract|agreement|k[o0]ntrak|perjanjian|spk)"
_ORDER = r"(?:purchase\s{1,3}order|p\.?o\.?|pesanan(?:\spembelian)?)"

DEFAULT_PATTERNS: tuple[NumberPattern, ...] = tuple(
    NumberPattern(name=name, expression=expression, weight=weight)
    for name, expression, weight in (
        ("invoice", rf"\b{_INVOICE}\s?{_NUMBER}{_MARKS}{_VALUE}", 1.2),
        ("invoice", rf"\b{_NUMBER}{_MARKS}{_INVOICE}\b{_MARKS}{_VALUE}", 1.2),
        ("contract", rf"\b{_CONTRACT}\s?{_NUMBER}{_MARKS}{_VALUE}", 1.15),
        ("contract", rf"\b{_NUMBER}{_MARKS}{_CONTRACT}\b{_MARKS}{_VALUE}", 1.15),
        ("purchase_order", rf"\b{_ORDER}\s?(?:{_NUMBER}|#){_MARKS}{_VALUE}", 1.1),
        ("purchase_order", rf"\b{_NUMBER}{_MARKS}{_ORDER}(?=\W){_MARKS}{_VALUE}", 1.1),
        ("regulation", r"\bn[o0]m[o0]r\s{1,3}(?P<number>\d{1,4}(?:/[\w.]{1,20}){0,3}\stahun\s(?:19|20)\d\d)\b", 1.0),
("letter", rf"\b(?:n[o0]m[o0]r|n[o0])\b{_MARKS}{_PARTED}", 1.0),
        ("reference", rf"\bref(?:erence|erensi)?\b\.?\s?(?:{_NUMBER})?\s?[.:;#]{{1,3}}\s?{_VALUE}", 0.8),
        ("invoice", rf"\b{_INVOICE}\s#?(?P<number>[A-Z]{{1,6}}[/-]?\d[\w.-]{{0,30}}(?:/[\w.-]{{1,30}}){{0,6}})", 0.7),
        ("invoice", rf"\b{_INVOICE}\s(?P<number>[A-Z]{{2,6}}(?:/[\w.-]{{1,30}}){{1,6}})", 0.7),
    )
)  # fmt: skip

AT_LINE_START = 0.3
PER_PAGE_HEIGHT = 0.5
BELOW_ITS_LABEL = -0.15
LONGEST_LINE = 400
MOST_LINES = 300
"""Characters and lines of a page that are looked at; expressions may be slow on longer ones."""

_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:\d{2}|\d{4})|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}")
_TAX_ID = re.compile(r"\d{2}\.\d{3}\.\d{3}\.\d-\d{3}\.\d{3}")
_OFFICE = re.compile(r"[A-Z][A-Z.-]{1,15}")
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class PageText:
    number: int
    text: str
    words: Sequence[WordRow]


@dataclass(frozen=True, slots=True)
class DocumentNumber:
    value: str
    """Without blanks around slashes; a regulation's is like `12 TAHUN 2019`."""
    page: int
    box: tuple[float, float, float, float] | None
    """Around the words of the value, in page units; None where the page has no boxes."""
    confidence: float | None
    """Of the least certain of these words."""
    pattern: str


@dataclass(frozen=True, slots=True)
class _Row:
    """Words that stand side by side, or a label with what stands below it."""

    words: Sequence[WordRow]
    height: float
    """From 0 at the top of the page to 1 at the bottom."""
    bonus: float = 0.0


def find_document_number(
    pages: Iterable[PageText], *, patterns: Sequence[NumberPattern] | None = None
) -> DocumentNumber | None:
    """The number of a document, from the first of its pages that states one.

    Args:
        patterns: instead of `DEFAULT_PATTERNS`.
    """
    expressions = [
        (pattern, re.compile(pattern.expression, re.IGNORECASE))
        for pattern in (DEFAULT_PATTERNS if patterns is None else patterns)
    ]
    for page in pages:
        found = [match for row in _rows(page) for match in _matches(page, row, expressions)]
        if found:
            return max(found, key=lambda scored: scored[0])[1]
    return None


def _matches(
    page: PageText, row: _Row, expressions: Sequence[tuple[NumberPattern, re.Pattern[str]]]
) -> Iterator[tuple[float, DocumentNumber]]:
    line = " ".join(word[0] for word in row.words)[:LONGEST_LINE]
    for pattern, expression in expressions:
        for match in expression.finditer(line):
            value = _tidied(match["number"])
            if not _plausible(value, pattern.name):
                continue
            start = AT_LINE_START if not line[: match.start()].strip(" -*•") else 0.0
            score = pattern.weight + start + row.bonus - PER_PAGE_HEIGHT * row.height
            words = list(_words_at(row.words, *match.span("number")))
            boxed = [word for word in words if word[3] > word[1]]
            yield (
                score,
                DocumentNumber(
                    value=value,
                    page=page.number,
                    box=_around(boxed) if boxed else None,
                    confidence=min(word[5] for word in boxed) if boxed else None,
                    pattern=pattern.name,
                ),
            )


def _tidied(value: str) -> str:
    value = re.sub(r"\s?/\s?", "/", value).strip(" .:;,#-_/")
    return re.sub(r"\s+tahun\s+", " TAHUN ", value, flags=re.IGNORECASE)


def _plausible(value: str, pattern: str) -> bool:
    """No number without a digit; no date, tax id, or mere house number or fraction."""
    if not any(character.isdigit() for character in value) or len(value) < 2:
        return False
    if _DATE.fullmatch(value) or _TAX_ID.fullmatch(value):
        return False
    parts = value.split("/")
    if pattern == "letter":
        return len(parts) > 2 or any(_YEAR.fullmatch(part) or _OFFICE.fullmatch(part) for part in parts)
    return len(value) > 2 or not value.isdigit()


def _words_at(words: Sequence[WordRow], start: int, end: int) -> Iterator[WordRow]:
    at = 0
    for word in words:
        if at < end and at + len(word[0]) > start:
            yield word
        at += len(word[0]) + 1


def _around(words: Sequence[WordRow]) -> tuple[float, float, float, float]:
    return (
        min(word[1] for word in words),
        min(word[2] for word in words),
        max(word[3] for word in words),
        max(word[4] for word in words),
    )


def _rows(page: PageText) -> Iterator[_Row]:
    lines = _visual_lines(page.words)[:MOST_LINES] if page.words else _text_lines(page.text)[:MOST_LINES]
    bottom = max((word[4] for line in lines for word in line), default=0.0) or 1.0
    for index, line in enumerate(lines):
        height = line[0][2] / bottom if page.words else index / len(lines)
        yield _Row(line, height)
        if page.words and index + 1 < len(lines):
            yield from (_Row(words, height, BELOW_ITS_LABEL) for words in _with_below(line, lines[index + 1]))


def _text_lines(text: str) -> list[list[WordRow]]:
    """A page without boxes: its words have none."""
    return [[(word, 0.0, 0.0, 0.0, 0.0, 1.0) for word in line.split()] for line in text.splitlines() if line.strip()]


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


def _with_below(line: Sequence[WordRow], below: Sequence[WordRow]) -> Iterator[list[WordRow]]:
    """Each cell of a line together with the words under it."""
    lower = _cells(below)
    for cell in _cells(line):
        left, right = cell[0][1], cell[-1][3]
        under = [words for words in lower if words[0][1] < right and words[-1][3] > left]
        if under:
            yield [*cell, *under[0]]


def _cells(line: Sequence[WordRow]) -> list[list[WordRow]]:
    """A line cut where a gap is wider than its words are high."""
    cells = [[line[0]]]
    for before, word in pairwise(line):
        if word[1] - before[3] > 1.2 * (before[4] - before[2]):
            cells.append([])
        cells[-1].append(word)
    return cells
