"""How well a text agrees with the truth.

Before they are compared, both texts are brought into Unicode's form NFKC, typographic quotes and dashes become plain
ones, and every run of white space becomes one blank; where the truth is in capitals only, case is ignored. A word is a
run of letters and digits: where the truth puts blanks around punctuation differs from set to set.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Score:
    """Of one page."""

    character_errors: float
    """Edits from the truth per character of it; more than 1 where much was read that is not there."""
    word_errors: float
    recall: float
    """Share of the truth's words that were read, each as often as it stands there, in whatever order."""
    precision: float
    """Share of the words that were read that stand in the truth."""


def normalized(text: str, *, ignore_case: bool) -> str:
    plain = " ".join(unicodedata.normalize("NFKC", text).translate(PLAIN).split())
    return plain.casefold() if ignore_case else plain


def score(read: str, truth: str, *, ignore_case: bool) -> Score:
    found, true = normalized(read, ignore_case=ignore_case), normalized(truth, ignore_case=ignore_case)
    found_words, true_words = WORD.findall(found), WORD.findall(true)
    right = (Counter(found_words) & Counter(true_words)).total()
    return Score(
        character_errors=Levenshtein.distance(found, true) / max(len(true), 1),
        word_errors=Levenshtein.distance(found_words, true_words) / max(len(true_words), 1),
        recall=right / max(len(true_words), 1),
        precision=right / len(found_words) if found_words else 0.0,
    )


def mean(scores: Iterable[Score]) -> Score:
    every = list(scores)
    names = Score.__slots__
    return Score(**{name: sum(getattr(one, name) for one in every) / len(every) for name in names})
