"""Whether a text layer says what is to be seen: some of its lines against what an engine reads in their picture.

A font with a wrong map to Unicode gives text that looks sound and is not what a reader sees.
"""

import re
from collections.abc import Sequence
from itertools import product

from pipeline.reading.types import LayerTest, WordRow

DPI = 200
"""Of the picture of the lines: enough for print of usual size, and quick."""
LINES = 3
LONGEST_HEIGHT = 0.2
"""Share of the page's height that the lines may take together."""
PADDING = 6.0
"""Points of paper around the lines."""
OTHER_SCRIPTS = frozenset(
    """
    amh ara asm aze_cyrl bel ben bod bul chi_sim chi_tra div dzo ell fas grc guj heb hin hye iku jpn kan kat kaz
    khm kir kmr kor lao mal mar mkd mon mya nep ori pan pus rus san sin snd srp syr tam tat tel tgk tha tir uig
    ukr urd uzb_cyrl yid
    """.split()  # noqa: SIM905 (a list of them fills a screen)
)
"""Languages whose letters are not Latin."""
_WORD = re.compile(r"[^\W_]{3,}")
_LATIN_WORD = re.compile(r"[0-9A-Za-z\u00c0-\u024f]{3,}")


def choose_lines(
    words: Sequence[WordRow], width: float, height: float
) -> tuple[str, tuple[float, float, float, float]] | None:
    """The text of the lines that follow each other and have the most letters, and the box around them.

    Args:
        words: of the text layer, in reading order.
        width, height: of the page, in points as the boxes.

    Returns:
        None if there are no level lines: upright text, or hardly any.
    """
    rows = _rows(words)
    best: tuple[int, list[WordRow]] = (0, [])
    for start, count in product(range(len(rows)), range(1, LINES + 1)):
        some = [word for row in rows[start : start + count] for word in row]
        top, bottom = min(word[2] for word in some), max(word[4] for word in some)
        letters = sum(len(word[0]) for word in some)
        if letters > best[0] and bottom - top <= LONGEST_HEIGHT * height:
            best = letters, some
    chosen = best[1]
    if not chosen:
        return None
    box = (
        max(0.0, min(word[1] for word in chosen) - PADDING),
        max(0.0, min(word[2] for word in chosen) - PADDING),
        min(width, max(word[3] for word in chosen) + PADDING),
        min(height, max(word[4] for word in chosen) + PADDING),
    )
    return " ".join(word[0] for word in chosen), box


def compare(layer: str, seen: str, languages: Sequence[str]) -> LayerTest:
    """How many of the text layer's words were read too, whatever their case.

    Where all languages have Latin letters the engine cannot read others, so only words in those count. An engine that
    read nothing at all says nothing about the layer.
    """
    pattern = _WORD if OTHER_SCRIPTS.intersection(languages) else _LATIN_WORD
    wanted = pattern.findall(layer.casefold())
    read = set(_WORD.findall(seen.casefold()))
    if not read:
        return LayerTest(words=0, found=0)
    return LayerTest(words=len(wanted), found=sum(word in read for word in wanted))


def _rows(words: Sequence[WordRow]) -> list[list[WordRow]]:
    """Level words as rows; where the next one does not overlap the height of the last, a row begins."""
    rows: list[list[WordRow]] = []
    for word in words:
        if len(word[0]) > 1 and word[3] - word[1] < word[4] - word[2]:
            continue
        last = rows[-1][-1] if rows else None
        if last and min(last[4], word[4]) - max(last[2], word[2]) > 0:
            rows[-1].append(word)
        else:
            rows.append([word])
    return rows
