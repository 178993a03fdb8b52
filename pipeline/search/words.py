"""Text as small letters, digits and blanks, which every server takes apart alike.

Left to itself, Postgres keeps `31/POJK.05/2016`, `DIR-045` or `contoso.com` as one word of which no part is found. In a
database with the locale C, it takes a curly quote or a dash for a letter, and knows no small letter beyond ASCII.
"""

import re
import unicodedata

MOST_CHARACTERS = 150_000
"""Of a page that are looked at; a page dense with print has 10,000."""
MOST_BYTES = 150_000
"""Of a page that are indexed: its words and their stems in two languages stay below a tsvector's limit of 1 MB."""

_OTHER = re.compile(r"[^\w ]|_")
_GROWING = "\u0130"
"""The Turkish capital I with a dot, the one letter whose small form is two characters."""
_JOINERS = "\u200c\u200d"
_FOREIGN = re.compile(r"\w?[^\x00-\x7f]{1,500}")
"""In short runs: the time to normalise one grows with the square of the combining characters in it."""


def readable(text: str) -> str:
    """The text with ligatures, full-width letters and combined accents in their usual form (NFKC)."""
    text = text[:MOST_CHARACTERS]
    return text if text.isascii() else _FOREIGN.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)


def words_only(text: str) -> str:
    """Small letters, and blanks for whatever is no letter, digit or accent; as long as before, so that offsets stay."""
    return _OTHER.sub(_accent_or_blank, text.replace(_GROWING, "I").lower())


def indexable(text: str) -> str:
    return words_only(readable(text)).encode()[:MOST_BYTES].decode(errors="ignore")


def _accent_or_blank(found: re.Match[str]) -> str:
    character = found[0]
    return character if unicodedata.category(character)[0] == "M" or character in _JOINERS else " "
