"""A PDF page's own text: words with boxes, and whether it is good enough to stand for the page."""

import ctypes
import re
from dataclasses import dataclass

import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.reading.types import TextLayerRules, WordRow

PAGE_OBJECTS = 50
"""So many paths on a page with little text may be letters drawn as outlines; a form's few rules are not."""
SMALL_IMAGE = 0.02
"""Share of the page up to which an image is decoration; a larger one may hold text."""
RICH = 4
"""On a page that images cover, text must be so many times as long as elsewhere: a scan often carries a stamp."""

_GARBAGE = re.compile("[�\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff￾￿\U000f0000-\U0010ffff]")
_CID = re.compile(r"\(cid:\d{1,5}\)")
_HYPHEN = 0x02
"""What pdfium puts for a hyphen at the end of a line."""


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
        codes = [pdfium.FPDFText_GetUnicode(textpage, index) for index in range(pdfium.FPDFText_CountChars(textpage))]
        place = _Placement(page)
        lines: list[str] = []
        words: list[WordRow] = []
        line: list[str] = []
        garbled = characters = unseen = 0
        start = None
        for index, code in enumerate([*codes, 10]):
            if not _is_space(code):
                start = index if start is None else start
                continue
            if start is not None:
                text = _decoded(codes[start:index])
                box = place.of(textpage, start, index - start)
                characters += len(text)
                garbled += _garbled(text, textpage, start, index)
                if box is None:
                    unseen += len(text)
                else:
                    words.append((text, *box, 1.0))
                    line.append(text)
                start = None
            if code == 10 and line:
                lines.append(" ".join(line))
                line = []
        return TextLayer("\n".join(lines), words, garbled / characters if characters else 0.0, unseen)
    finally:
        textpage.close()


def judge(page: pypdfium2.PdfPage, layer: TextLayer, rules: TextLayerRules) -> tuple[bool, bool]:
    """Whether the page needs OCR, and whether it is blank.

    Garbled text never stands. Rich text does. A page with little text needs OCR if something else on it could hold
    text: an image, or many paths. So a title page keeps its few words, and a scan with a stamped number is recognised.
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
    return images > 0 or paths > PAGE_OBJECTS, False


def _is_space(code: int) -> bool:
    return code in {32, 9, 10, 13, 160, 11, 12, 0x3000} or 0x2000 <= code <= 0x200B


def _decoded(codes: list[int]) -> str:
    text = "".join(chr(45 if code == _HYPHEN else code) for code in codes if code)
    if any(0xD800 <= code <= 0xDFFF for code in codes):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _garbled(text: str, textpage: pypdfium2.PdfTextPage, start: int, end: int) -> int:
    bad = len(_GARBAGE.findall(text)) + sum(len(found) for found in _CID.findall(text))
    unmapped: int = sum(pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1 for index in range(start, end))
    return min(len(text), max(bad, unmapped))


def _characters_inside(page: pypdfium2.PdfPage, layer: TextLayer, margin: float) -> int:
    """Characters of words whose middle lies outside the margins."""
    width, height = page.get_size()
    left, right, top, bottom = width * margin, width * (1 - margin), height * margin, height * (1 - margin)
    return sum(
        len(text)
        for text, x0, y0, x1, y1, _ in layer.words
        if left <= (x0 + x1) / 2 <= right and top <= (y0 + y1) / 2 <= bottom
    )


def _what_else(page: pypdfium2.PdfPage) -> tuple[float, int, int]:
    """Share of the page that images cover, the number of images that could hold text, and of paths and shadings."""
    left, bottom, right, top = page.get_bbox()
    area = abs((right - left) * (top - bottom)) or 1.0
    cover, images, paths = 0.0, 0, 0
    for item in page.get_objects(max_depth=8):
        if item.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            x0, y0, x1, y1 = item.get_bounds() if item.container is None else (left, bottom, right, top)
            share = max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom)) / area
            cover += share
            images += share > SMALL_IMAGE
        elif item.type in {pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING}:
            paths += 1
            if paths > PAGE_OBJECTS and images:
                break
    return min(cover, 1.0), images, paths


class _Placement:
    """Maps rectangles of pdfium (page space, y upwards, before rotation) to the page as displayed."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        self._left, self._bottom, self._right, self._top = page.get_bbox()
        self._rotation = page.get_rotation()
        self._width, self._height = page.get_size()
        self._sides = [ctypes.c_double() for _ in range(4)]
        self._references = [ctypes.byref(side) for side in self._sides]

    def of(self, textpage: pypdfium2.PdfTextPage, start: int, count: int) -> tuple[float, float, float, float] | None:
        """The box around some characters; None if it lies outside the page."""
        found = pdfium.FPDFText_CountRects(textpage, start, count)
        left, top, right, bottom = float("inf"), float("-inf"), float("-inf"), float("inf")
        for index in range(found):
            pdfium.FPDFText_GetRect(textpage, index, *self._references)
            x0, y1, x1, y0 = (side.value for side in self._sides)
            left, right, bottom, top = min(left, x0), max(right, x1), min(bottom, y0), max(top, y1)
        if found <= 0:
            return None
        x0, y0, x1, y1 = self._displayed(left, bottom, right, top)
        if x1 < 0 or y1 < 0 or x0 > self._width or y0 > self._height:
            return None
        return round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)

    def _displayed(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        if self._rotation == 90:
            return y0 - self._bottom, x0 - self._left, y1 - self._bottom, x1 - self._left
        if self._rotation == 180:
            return self._right - x1, y0 - self._bottom, self._right - x0, y1 - self._bottom
        if self._rotation == 270:
            return self._top - y1, self._right - x1, self._top - y0, self._right - x0
        return x0 - self._left, self._top - y1, x1 - self._left, self._top - y0
