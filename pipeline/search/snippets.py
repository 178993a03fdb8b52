"""Pieces of pages around the words that matched, made by `ts_headline`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from pipeline.search.contract import Snippet
from pipeline.search.query import SIMPLE
from pipeline.search.words import readable, words_only

START, STOP, CUT = "\ue000", "\ue001", "\ue002"
"""Private characters, which `words_only` leaves in no text."""
BETWEEN = " … "
_OPTIONS = (
    "MaxFragments=2, MaxWords=18, MinWords=8, ShortWord=0, "
    f'StartSel="{START}", StopSel="{STOP}", FragmentDelimiter="{CUT}"'
)

_HEADLINES = text("""
    SELECT ARRAY(
        SELECT ts_headline(one::regconfig, page.words, page.query::tsquery, :options)
        FROM unnest(string_to_array(page.configurations, '+')) AS one
    )
    FROM unnest(CAST(:texts AS text[]), CAST(:queries AS text[]), CAST(:configurations AS text[]))
        WITH ORDINALITY AS page(words, query, configurations, place)
    ORDER BY page.place
""")


@dataclass(frozen=True, slots=True)
class FoundPage:
    text: str
    tsquery: str
    configuration: str


def snippets(session: Session, pages: Sequence[FoundPage]) -> list[Snippet]:
    texts = [readable(page.text) for page in pages]
    parameters = {
        "texts": [words_only(one) for one in texts],
        "queries": [page.tsquery for page in pages],
        "configurations": ["+".join(dict.fromkeys([*page.configuration.split("+"), SIMPLE])) for page in pages],
        "options": _OPTIONS,
    }
    found = zip(session.scalars(_HEADLINES, parameters), texts, strict=True)
    # A page may have words in two languages, or words that matched as they were typed.
    return [in_original(max(headlines, key=lambda one: one.count(START)), original) for headlines, original in found]


def in_original(headline: str, original: str) -> Snippet:
    """The pieces of a headline as they stand in the text, punctuation and all, with its white space folded.

    Args:
        headline: made of `words_only(original)`.
    """
    words = words_only(original)
    plain = ""
    marks: list[tuple[int, int]] = []
    at = start = 0
    for number, piece in enumerate(headline.split(CUT)):
        at = max(words.find(re.sub(f"[{START}{STOP}]", "", piece), at), at)
        plain = plain.rstrip() + BETWEEN if number else ""
        for part in re.split(f"([{START}{STOP}])", piece):
            if part == START:
                start = len(plain)
            elif part == STOP:
                marks.append((start, len(plain)))
            else:
                plain = _joined(plain, original[at : at + len(part)])
                at += len(part)
    return Snippet(plain.rstrip(), tuple(marks))


def _joined(before: str, after: str) -> str:
    folded = re.sub(r"\s+", " ", after)
    return before + (folded.lstrip() if not before or before.endswith(" ") else folded)
