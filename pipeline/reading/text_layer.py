"""A PDF page's own text: words with boxes, and whether it is good enough to stand for the page."""

import ctypes
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.reading.types import TextLayerRules, WordRow

SOME_PATHS = 50
"""More paths than this on a page with little text may be letters drawn as outlines; a form's few rules are not."""
SMALL_COVER = 0.02
"""Share of the page up to which images are decoration; larger ones may hold text."""
RICH = 4
"""On a page that images cover, text must be so many times as long as elsewhere: a scan often carries a stamp."""
MAX_OBJECTS = 20_000
"""Page objects that are looked at; maps have millions of paths, and the first of them decide."""
MAP_SAMPLE = 300
"""Characters of a page whose mapping is asked for, one call each: the share of unmapped ones is known to about 2 %."""

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(f"[^{_SPACE}\x02]+\x02?|\x02")
_GARBAGE = re.compile("[�\x00\x01\x03-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff￾￿\U000f0000-\U0010ffff]")
_CID = re.compile(r"\(cid:\d{1,5}\)")
_HYPHEN = "\x02"
"""What pdfium puts for a hyphen at the end of a line, which it joins with the next."""


@dataclass(frozen=True, slots=True)
class TextLayer:
    text: str
    words: list[WordRow]
    garbled: float
    """Share of the characters that stand for nothing readable; good text has under 0.006, garbled 0.5 and more."""
    unseen: int
    """Characters in words that lie outside the page."""


def read(page: pypdfium2.PdfPage) -> TextLayer:
    """Read the words of an opened page in pdfium's reading order, boxes in points of the page as displayed."""
    textpage = page.get_textpage()
    try:
        characters = _characters(textpage)
        place = _Placement(page, textpage)
        lines: list[str] = []
        words: list[WordRow] = []
        unseen = 0
        for span in _lines(characters):
            line: list[str] = []
            for found in _WORD.finditer(characters, *span):
                start, end = found.span()
                text = _readable(found[0])
                box = place.of(start, end - start)
                if box is None:
                    unseen += len(text)
                elif text:
                    words.append((text, *box, 1.0))
                    line.append(text)
            if line:
                lines.append(" ".join(line))
        return TextLayer("\n".join(lines), words, _garbled(characters, textpage), unseen)
    finally:
        textpage.close()


def judge(page: pypdfium2.PdfPage, layer: TextLayer, rules: TextLayerRules) -> tuple[bool, bool]:
    """Whether the page needs OCR, and whether it is blank.

    Garbled text never stands. Rich text does. A page with little text needs OCR if something else on it could hold
    text: images, or many paths. So a title page keeps its few words, and a scan with a stamped number is recognised.
    """
    if layer.words and layer.garbled > rules.max_garbled:
        return True, False
    inside = _characters_inside(page, layer, rules.margin)
    if layer.words and inside >= rules.min_characters * RICH:
        return False, False
    cover, images, paths = _what_else(page)
    if not layer.words:
        blank = images == 0 and paths == 0 and layer.unseen == 0
        return not blank, blank
    enough = rules.min_characters * (RICH if cover > rules.image_cover else 1)
    if inside >= enough:
        return False, False
    return cover > SMALL_COVER or paths > SOME_PATHS, False


def _characters(textpage: pypdfium2.PdfTextPage) -> str:
    """One Python character for each of pdfium's, so that the indices agree.

    The page's text comes in one call; only where pdfium leaves characters out of it are they asked for one by one.
    """
    count = pdfium.FPDFText_CountChars(textpage)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    written = pdfium.FPDFText_GetText(textpage, 0, count, buffer) - 1
    if written == count:
        codes = array("I", memoryview(buffer)[:count].tolist())
    else:
        codes = array("I", [pdfium.FPDFText_GetUnicode(textpage, index) for index in range(count)])
    return "".join(map(_character, codes))


def _lines(characters: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _LINE_END.finditer(characters):
        yield start, found.end()
        start = found.end()
    yield start, len(characters)
