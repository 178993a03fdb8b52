import pytest

from engines.types import Box, Line, Recognition, Word


def word(text: str, confidence: float = 1.0) -> Word:
    return Word(text, Box(0, 0, 1, 1), confidence)


def test_text_joins_lines_and_sets_paragraphs_apart() -> None:
    found = Recognition((Line((word("a"), word("b")), 0), Line((word("c"),), 0), Line((word("d"),), 1)))
    assert found.text == "a b\nc\n\nd"


def test_blank_page_has_empty_text_and_no_confidence() -> None:
    assert (Recognition().text, Recognition().confidence) == ("", None)


def test_confidence_weighs_words_by_their_length() -> None:
    found = Recognition((Line((word("abc", 1.0), word("d", 0.2))),))
    assert found.confidence == pytest.approx(0.8)


def test_box_is_scaled_per_axis() -> None:
    assert Box(1, 2, 3, 4).scaled(2, 10) == Box(2, 20, 6, 40)
