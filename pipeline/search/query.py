"""A user's words as Postgres text-search queries, for any string that a user may type.

`websearch_to_tsquery` knows no prefix, and stems in one language. Here each term is stemmed by itself in all languages
of the pages that are searched: a page has a term in any of its forms, and "not" excludes every form.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from pipeline.search.words import readable, words_only

CONFIGURATIONS = {
    "ara": "arabic", "dan": "danish", "deu": "german", "ell": "greek", "eng": "english", "fin": "finnish",
    "fra": "french", "hin": "hindi", "hun": "hungarian", "ind": "indonesian", "ita": "italian", "nld": "dutch",
    "nor": "norwegian", "por": "portuguese", "ron": "romanian", "rus": "russian", "spa": "spanish", "swe": "swedish",
    "tam": "tamil", "tur": "turkish",
}  # fmt: skip
"""Tesseract's language codes and the stemmers that Postgres brings."""

SIMPLE = "simple"
MOST_LANGUAGES = 2
"""Whose stems are indexed beside the words themselves."""

_LONGEST_QUERY = 1000
_LONGEST_WORD = 250
"""Characters; Postgres refuses a query with a word of more than 2046 bytes."""
_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_QUOTES = str.maketrans("\u201c\u201d\u201e", '"""')
_PREFIX = re.compile(r"(\S)\*(?!\w)")
_WORD = re.compile(r"\S+")
_MARK = "zzprefixzz"
"""Ends a word of which only the beginning was typed: the parser of Postgres would drop a `*`."""
_MARKED = re.compile(rf"(?<=[^' ]){_MARK}'")

# Steps through the index from one configuration to the next instead of reading every row.
_IN_USE = text("""
    WITH RECURSIVE used AS (
        (SELECT configuration FROM search_pages ORDER BY configuration LIMIT 1)
        UNION ALL
        SELECT (SELECT next.configuration FROM search_pages AS next
                WHERE next.configuration > used.configuration ORDER BY next.configuration LIMIT 1)
        FROM used WHERE used.configuration IS NOT NULL
    )
    SELECT configuration FROM used WHERE configuration IS NOT NULL
""")

_STEM = text("""
    SELECT configuration, words, phraseto_tsquery(configuration::regconfig, words)::text AS stemmed
    FROM unnest(CAST(:configurations AS text[])) AS configuration, unnest(CAST(:terms AS text[])) AS words
""")

Stems = dict[tuple[str, str], str]
"""(configuration, a term's words) -> the tsquery of the words; empty if they are all stop words."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase."""

    words: str
    negated: bool

    @property
    def as_typed(self) -> bool:
        """The beginning of a word cannot be stemmed."""
        return _MARK in self.words


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """The query for the pages of one configuration, as the text of a tsquery."""

    configuration: str
    tsquery: str


def configuration_of(languages: Sequence[str]) -> str:
    """The stemmers of the first languages that have one, joined by +, such as `english+indonesian`."""
    known = dict.fromkeys(CONFIGURATIONS[language] for language in languages if language in CONFIGURATIONS)
    return "+".join(list(known)[:MOST_LANGUAGES]) or SIMPLE


def parse(session: Session, typed: str) -> list[ParsedQuery]:
    """The query in every configuration that pages were indexed with; nothing if it names no word."""
    alternatives = list(terms(typed))
    in_use = list(session.scalars(_IN_USE))
    parameters = {
        "configurations": sorted({SIMPLE, *(name for one in in_use for name in one.split("+"))}),
        "terms": [term.words for alternative in alternatives for term in alternative],
    }
    stems = {(row.configuration, row.words): _completed(row.stemmed) for row in session.execute(_STEM, parameters)}
    parsed = [(one, _either(one.split("+"), alternatives, stems)) for one in in_use]
    return [ParsedQuery(configuration, tsquery) for configuration, tsquery in parsed if tsquery]


def terms(typed: str) -> Iterator[list[Term]]:
    """The alternatives that OR separates, each a list of terms."""
    alternative: list[Term] = []
    for found in _TERM.finditer(readable(typed[:_LONGEST_QUERY]).translate(_QUOTES)):
        if found["word"] and not found["minus"] and found["word"].upper() == "OR":
            yield alternative
            alternative = []
        else:
            words = words_only(_PREFIX.sub(_mark, found["phrase"] or found["word"] or ""))
            short = " ".join(word[:_LONGEST_WORD] for word in _WORD.findall(words))
            alternative.append(Term(short, negated=bool(found["minus"])))
    yield alternative


def _mark(found: re.Match[str]) -> str:
    last = found[1]
    return last + _MARK if unicodedata.category(last)[0] in "LMN" else last


def _completed(tsquery: str) -> str:
    return _MARKED.sub("':*", tsquery)


def _either(configurations: Sequence[str], alternatives: Sequence[Sequence[Term]], stems: Stems) -> str:
    found = [_all_of(configurations, alternative, stems) for alternative in alternatives]
    return " | ".join(f"({one})" for one in found if one)


def _all_of(configurations: Sequence[str], alternative: Sequence[Term], stems: Stems) -> str:
    """The terms joined by "and"; empty if no word is wanted, for then all pages without some word would match."""
    spoken = [term for term in alternative if stems[SIMPLE, term.words]]
    wanted = [term for term in spoken if not term.negated]
    if not wanted:
        return ""
    telling = [one for one in (_forms(configurations, term, stems) for term in wanted) if one]
    # Stop words are worth finding when there is nothing else to find.
    chosen = telling or [stems[SIMPLE, term.words] for term in wanted]
    excluded = [_forms(configurations, term, stems) or stems[SIMPLE, term.words] for term in spoken if term.negated]
    return " & ".join([*(f"({one})" for one in chosen), *(f"!({one})" for one in excluded)])


def _forms(configurations: Sequence[str], term: Term, stems: Stems) -> str:
    """The term as typed or in any of the configurations; empty if it is a stop word in one of them.

    As typed, because of a very long page Postgres does not keep where the last stems stand, which a phrase needs.
    """
    typed = stems[SIMPLE, term.words]
    forms = [typed] if term.as_typed else [stems[name, term.words] for name in configurations]
    return " | ".join(dict.fromkeys([*forms, typed])) if all(forms) else ""
