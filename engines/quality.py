"""How good a reading probably is, without the truth: to find weak pages, and to compare two readings of one page."""

import math
import re
from collections.abc import Collection, Iterable

Words = Iterable[tuple[str, float]]
"""Words with their confidences, from 0 to 1."""

MARGIN = 1.03
"""A second reading is better only if it has so many times the quality of the first; docs/accuracy.md tells how the
choice by this rule did on pages with known text."""

LONGEST_WORD = 24
_PUNCTUATION = re.compile(r"^\W+|\W+$")
_NUMBER = re.compile(r"[\W\d]*\d[\W\d]*")
_LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019.&/-][^\W\d_]+)*")
_VOWEL = re.compile(r"[aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœ]", re.IGNORECASE)
_ODD = re.compile(r"(.)\1\1|[bcdfghjklmnpqrstvwxz]{6}", re.IGNORECASE)
_LATIN = re.compile(r"[a-z]", re.IGNORECASE)


def quality(words: Words) -> float:
    """Characters that are probably right: those of each word times the square root of its confidence.

    The root, since engines differ in how sure they are: on the same print Tesseract says 0.92 and RapidOCR 0.98.
    """
    return sum(len(text) * math.sqrt(confidence) for text, confidence in words)


def is_better(new: Words, old: Words) -> bool:
    return quality(new) > MARGIN * quality(old)


def share_of_words(texts: Collection[str]) -> float:
    """Share of the texts that look like words or numbers; 1 where there are none.

    The rules are after Taghva et al., "Automatic removal of garbage strings in OCR text" (2001): no letters and digits
    in a jumble, no letter three times in a row, a vowel, no capitals within; they know no language.
    """
    return sum(map(looks_like_word, texts)) / len(texts) if texts else 1.0


def looks_like_word(text: str) -> bool:
    bare = _PUNCTUATION.sub("", text)
    if _NUMBER.fullmatch(bare):
        return True
    if not _LETTERS.fullmatch(bare) or len(bare) > LONGEST_WORD or _ODD.search(bare):
        return False
    if not _LATIN.search(bare) or bare.isupper():
        return True
    has_vowel = len(bare) < 3 or _VOWEL.search(bare) is not None
    return has_vowel and all(part[1:].islower() or part.isupper() or len(part) == 1 for part in re.split(r"\W", bare))
