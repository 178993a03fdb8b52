"""A user's words as Postgres text-search queries, for any string that a user may type.

`websearch_to_tsquery` never fails and knows phrases, OR and -not, but no prefix. So `pref*` goes through it as a word
with a mark at its end, and the mark is turned into `:*` in the query that comes out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

CONFIGURATIONS = {
    "ara": "arabic", "dan": "danish", "deu": "german", "ell": "greek", "eng": "english", "fin": "finnish",
    "fra": "french", "hin": "hindi", "hun": "hungarian", "ind": "indonesian", "ita": "italian", "nld": "dutch",
    "nor": "norwegian", "por": "portuguese", "ron": "romanian", "rus": "russian", "spa": "spanish", "swe": "swedish",
    "tam": "tamil", "tur": "turkish",
}  # fmt: skip
"""Tesseract's language codes and the stemmers that Postgres brings."""

SIMPLE = "simple"

_MARK = "zzprefixzz"
"""Ends a word in no language, and no stemmer of Postgres changes it."""
_LONGEST = 2000
"""Characters of a query that are looked at."""
_PREFIX = re.compile(r"(\w)\*(?!\w)")

# A word that is a stop word in one language is still worth finding: then the query is taken as it was typed.
_PARSE = text("""
    SELECT configuration, query::text, querytree(query) NOT IN ('', 'T') AS usable
    FROM (
        SELECT configuration, regexp_replace(
            (CASE WHEN numnode(stemmed) > 0 THEN stemmed ELSE websearch_to_tsquery('simple', :words) END)::text,
            :mark || '''(:[ABCD*]+)?', ''':*', 'g')::tsquery AS query
        FROM (
            SELECT configuration, websearch_to_tsquery(configuration::regconfig, :words) AS stemmed
            FROM unnest(CAST(:configurations AS text[])) AS configuration
        ) AS parsed
    ) AS completed
""")

# Steps through the index from one configuration to the next instead of reading every row.
_CONFIGURATIONS_IN_USE = text("""
    WITH RECURSIVE used AS (
        (SELECT configuration FROM search_pages ORDER BY configuration LIMIT 1)
        UNION ALL
        SELECT (SELECT next.configuration FROM search_pages AS next
                WHERE next.configuration > used.configuration ORDER BY next.configuration LIMIT 1)
        FROM used WHERE used.configuration IS NOT NULL
    )
    SELECT configuration FROM used WHERE configuration IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """The query for the pages of one configuration, as the text of a tsquery."""

    configuration: str
    tsquery: str


def configuration_of(languages: Sequence[str]) -> str:
    """The stemmer of the first language that has one."""
    return next((CONFIGURATIONS[language] for language in languages if language in CONFIGURATIONS), SIMPLE)


def parse(session: Session, words: str) -> list[ParsedQuery]:
    """The query in every configuration that pages were indexed with, but for those in which it names no word."""
    marked = _PREFIX.sub(rf"\1{_MARK}", words[:_LONGEST].replace("\0", " ").encode("utf-8", "replace").decode())
    in_use = list(session.scalars(_CONFIGURATIONS_IN_USE))
    rows = session.execute(_PARSE, {"words": marked, "mark": _MARK, "configurations": in_use})
    return [ParsedQuery(row.configuration, row.query) for row in rows if row.usable]
