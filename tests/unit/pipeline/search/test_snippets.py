import pytest

from pipeline.search.snippets import CUT, START, STOP, in_original
from pipeline.search.words import words_only


def headline(marked: str) -> str:
    """A headline as Postgres makes it of words alone; `[` and `]` stand for its marks, `|` for a cut."""
    stands_for = {"[": START, "]": STOP, "|": CUT}
    return "".join(stands_for.get(character) or words_only(character) for character in marked)


@pytest.mark.parametrize(
    ("original", "pieces", "text", "marked"),
    [
        ("surat 31/POJK.05/2016.", "surat [31]/[POJK].05", "surat 31/POJK.05", ["31", "POJK"]),
        ("a\n\n  b\tc", "a\n\n  [b]\tc", "a b c", ["b"]),
        ("\n  -- a, b", "\n  -- [a], b", "-- a, b", ["a"]),
        ("a b; c d; e f", "[a] b|[e] f", "a b … e f", ["a", "e"]),
        ("a b; a b", "[a] b|[a] b", "a b … a b", ["a", "a"]),
        ("\u201cmesin\u201d baru", "\u201c[mesin]\u201d baru", "\u201cmesin\u201d baru", ["mesin"]),
        ("", "", "", []),
    ],
)
def test_headline_in_the_original_text(original: str, pieces: str, text: str, marked: list[str]) -> None:
    snippet = in_original(headline(pieces), original)
    assert snippet.text == text
    assert [snippet.text[start:stop] for start, stop in snippet.marks] == marked
