import sys
import time

from hypothesis import given
from hypothesis import strategies as st

from pipeline.search.words import MOST_BYTES, MOST_CHARACTERS, indexable, readable, words_only


@given(st.text())
def test_offsets_stay(text: str) -> None:
    assert len(words_only(text)) == len(text)


def test_offsets_stay_in_every_letter() -> None:
    assert all(len(words_only(chr(code))) == 1 for code in range(sys.maxunicode + 1))


@given(st.text())
def test_nothing_but_words_is_left(text: str) -> None:
    words = words_only(text)
    assert words == words_only(words)
    assert words.encode().decode() == words


def test_words_keep_their_accents() -> None:
    assert words_only("RE\u0301sume\u0301, \u0939\u093f\u0928\u094d\u0926\u0940!") == (
        "re\u0301sume\u0301  \u0939\u093f\u0928\u094d\u0926\u0940 "
    )


def test_ligatures_and_combined_accents_are_usual_letters() -> None:
    assert readable("of\ufb01ce cafe\u0301") == "office caf\u00e9"


def test_accents_without_end_take_no_time() -> None:
    started = time.monotonic()
    indexable("a" + "\u0301\u0316" * MOST_CHARACTERS)
    assert time.monotonic() - started < 2


def test_text_is_cut_between_characters() -> None:
    assert len(indexable("\u5317" * MOST_CHARACTERS).encode()) == MOST_BYTES // 3 * 3
