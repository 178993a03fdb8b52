"""A PDF page's own text: words with boxes, and whether it is good enough to stand for the page."""

import ctypes
import re
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.reading.types import PageMethod, TextLayerRules, WordRow

SOME_PATHS = 50
"""More paths than this on a page with little text may be letters drawn as outlines; a form's few rules are not."""
SMALL_COVER = 0.02
"""Share of the page up to which images are decoration; larger ones may hold text."""
RICH = 4
"""On a page that images cover, text must be so many times as long as elsewhere: a scan often carries a stamp."""
MAX_OBJECTS = 20_000
"""Page objects that are looked at: a map has millions of paths, and the first of them decide."""
MAPPING_SAMPLE = 300
"""Characters of a page whose mapping is asked for, one call each; if one of these has none, all are asked for."""

_UTF_32 = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
"""Named in full: the plain codec would take a leading U+FEFF for a byte-order mark."""
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(f"[^{_SPACE}]+")
_GLYPH = re.compile(f"[^{_SPACE}]")
_HYPHEN = "\ufffe"
"""What pdfium writes for a hyphen at the end of a line, and joins the line with the next."""
_HYPHEN_ALONE = 0x02
"""The same where a character is asked for by itself."""
_LINE_END = re.compile(f"\n|{_HYPHEN}(?=[^\r\n])")
_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_GARBAGE = re.compile(f"[{_CONTROLS}\ue000-\uf8ff\ufffd\uffff\U000f0000-\U0010ffff]")
_NOT_TEXT = re.compile(f"[{_CONTROLS}]+")
_CID = re.compile(r"\(cid:\d{1,5}\)")


@dataclass(frozen=True, slots=True)
class TextLayer:
    text: str
    words: list[WordRow]
    garbled: float
    """Share of the characters that stand for nothing readable; good text has under 0.006, garbled 0.5 and more."""
    unseen: int
    """Characters, other than blanks, that are in no word: they lie outside the page, or are control characters."""
    characters: int
    """All of pdfium's, with blanks."""


@dataclass(slots=True)
class _Objects:
    """What is drawn on a page."""

    texts: int = 0
    images: int = 0
    paths: int = 0
    """With shadings."""
    cover: float = 0.0
    """Share of the page that images cover; more than 1 where they overlap."""


def read(page: pypdfium2.PdfPage) -> TextLayer:
    """Read the words of an opened page in pdfium's reading order, boxes in points of the page as displayed."""
    textpage = page.get_textpage()
    try:
        characters = _characters(textpage)
        place = _Placement(page, textpage)
        lines: list[str] = []
        words: list[WordRow] = []
        unseen = 0
        for first, last in _lines(characters):
            line: list[str] = []
            for found in _WORD.finditer(characters, first, last):
                text = _readable(found[0])
                box = place.of(found.start(), found.end() - found.start())
                if text and box:
                    words.append((text, *box, 1.0))
                    line.append(text)
                else:
                    unseen += len(found[0])
            if line:
                lines.append(" ".join(line))
        garbled = max(_garbage(characters), _unmapped(characters, textpage))
        return TextLayer("\n".join(lines), words, garbled, unseen, len(characters))
    finally:
        textpage.close()


def judge(page: pypdfium2.PdfPage, layer: TextLayer, rules: TextLayerRules) -> PageMethod:
    """How the page is to be read.

    Garbled text never stands. Rich text does. A page with little text needs OCR if something else on it could hold
    text: images, or many paths. So a title page keeps its few words, and a scan with a stamped number is recognised.
    A page is blank only if there is nothing on it but spaces.
    """
    if layer.words and layer.garbled > rules.max_garbled:
        return PageMethod.OCR
    inside = _characters_inside(page, layer, rules.margin)
    if layer.words and inside >= rules.min_characters * RICH:
        return PageMethod.TEXT_LAYER
    seen = _objects(page)
    if not layer.words:
        mute = seen.texts > 0 and layer.characters == 0
        return PageMethod.OCR if seen.images or seen.paths or mute or layer.unseen else PageMethod.BLANK
    enough = rules.min_characters * (RICH if seen.cover > rules.image_cover else 1)
    alone = seen.cover <= SMALL_COVER and seen.paths <= SOME_PATHS
    return PageMethod.TEXT_LAYER if inside >= enough or alone else PageMethod.OCR


def _characters(textpage: pypdfium2.PdfTextPage) -> str:
    """One Python character for each of pdfium's, which are UTF-16 code units, so that the indices agree.

    They come in one call; only where pdfium leaves some out of its text are they asked for one by one.
    """
    count = pdfium.FPDFText_CountChars(textpage)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    written = pdfium.FPDFText_GetText(textpage, 0, count, buffer) - 1
    if written == count:
        return array("I", buffer[:count]).tobytes().decode(_UTF_32, "surrogatepass")
    codes = array("I", [pdfium.FPDFText_GetUnicode(textpage, index) for index in range(count)])
    for index, code in enumerate(codes):
        if code == _HYPHEN_ALONE and pdfium.FPDFText_IsHyphen(textpage, index) == 1:
            codes[index] = ord(_HYPHEN)
    return codes.tobytes().decode(_UTF_32, "surrogatepass")


def _lines(characters: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _LINE_END.finditer(characters):
        yield start, found.end()
        start = found.end()
    yield start, len(characters)


def _readable(word: str) -> str:
    if word.isascii() and word.isprintable():
        return word
    return _joined(_NOT_TEXT.sub("", word).replace(_HYPHEN, "-"))


def _joined(units: str) -> str:
    """Pairs of surrogates as the characters that they stand for; half a pair becomes U+FFFD."""
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _garbage(characters: str) -> float:
    """Share of characters that nobody writes."""
    text = _joined(characters)
    bad = len(_GARBAGE.findall(text)) + sum(map(len, _CID.findall(text)))
    return bad / len(_GLYPH.findall(text)) if bad else 0.0


def _unmapped(characters: str, textpage: pypdfium2.PdfTextPage) -> float:
    """Share of glyphs that the font does not map to Unicode: pdfium guesses, and `A` may be drawn as `D`."""
    some = range(0, len(characters), len(characters) // MAPPING_SAMPLE + 1)
    if not any(pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1 for index in some):
        return 0.0
    glyphs = [found.start() for found in _GLYPH.finditer(characters)]
    unmapped: int = sum(pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1 for index in glyphs)
    return unmapped / len(glyphs) if glyphs else 0.0


def _characters_inside(page: pypdfium2.PdfPage, layer: TextLayer, margin: float) -> int:
    """Characters of words whose middle lies outside the margins."""
    width, height = page.get_size()
    left, right, top, bottom = width * margin, width * (1 - margin), height * margin, height * (1 - margin)
    return sum(
        len(text)
        for text, x0, y0, x1, y1, _ in layer.words
        if left <= (x0 + x1) / 2 <= right and top <= (y0 + y1) / 2 <= bottom
    )


def _objects(page: pypdfium2.PdfPage) -> _Objects:
    left, bottom, right, top = page.get_bbox()
    area = abs((right - left) * (top - bottom)) or 1.0
    seen = _Objects()
    for item in islice(page.get_objects(max_depth=8), MAX_OBJECTS):
        if item.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            x0, y0, x1, y1 = _bounds(item)
            seen.cover += max(0.0, min(x1, right) - max(x0, left)) * max(0.0, min(y1, top) - max(y0, bottom)) / area
            seen.images += 1
        elif item.type == pdfium.FPDF_PAGEOBJ_TEXT:
            seen.texts += 1
        elif item.type in {pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING}:
            seen.paths += 1
    return seen


def _bounds(item: pypdfium2.PdfObject) -> tuple[float, float, float, float]:
    """Bounds on the page; those of pdfium are in the space of the form that the object stands in."""
    bounds: tuple[float, float, float, float] = item.get_bounds()
    form = item.container
    while form:
        bounds = form.get_matrix().on_rect(*bounds)
        form = form.container
    return bounds


class _Placement:
    """Maps rectangles of pdfium (page space, y upwards, before rotation) to the page as displayed."""

    def __init__(self, page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage) -> None:
        self._textpage = textpage.raw
        self._left, self._bottom, self._right, self._top = page.get_bbox()
        self._rotation = page.get_rotation()
        self._width, self._height = page.get_size()
        self._sides = tuple(ctypes.c_double() for _ in range(4))
        self._references = tuple(map(ctypes.byref, self._sides))

    def of(self, start: int, count: int) -> tuple[float, float, float, float] | None:
        """The box around some characters; None if it lies outside the page."""
        found = pdfium.FPDFText_CountRects(self._textpage, start, count)
        if found <= 0:
            return None
        left, top, right, bottom = self._rectangle(0)
        for index in range(1, found):
            x0, y1, x1, y0 = self._rectangle(index)
            left, right, bottom, top = min(left, x0), max(right, x1), min(bottom, y0), max(top, y1)
        x0, y0, x1, y1 = self._displayed(left, bottom, right, top)
        if x1 < 0 or y1 < 0 or x0 > self._width or y0 > self._height:
            return None
        return round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)

    def _rectangle(self, index: int) -> tuple[float, float, float, float]:
        pdfium.FPDFText_GetRect(self._textpage, index, *self._references)
        left, top, right, bottom = self._sides
        return left.value, top.value, right.value, bottom.value

    def _displayed(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        if self._rotation == 90:
            return y0 - self._bottom, x0 - self._left, y1 - self._bottom, x1 - self._left
        if self._rotation == 180:
            return self._right - x1, y0 - self._bottom, self._right - x0, y1 - self._bottom
        if self._rotation == 270:
            return self._top - y1, self._right - x1, self._top - y0, self._right - x0
        return x0 - self._left, self._top - y1, x1 - self._left, self._top - y0
