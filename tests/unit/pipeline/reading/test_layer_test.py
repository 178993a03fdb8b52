"""Choosing lines of a text layer, and comparing them with what was read in their picture."""

import pytest

from pipeline.reading import layer_test
from pipeline.reading.types import LayerTest, WordRow


def row(text: str, top: float, left: float = 100) -> list[WordRow]:
    return [
        (word, left + 60 * place, top, left + 60 * place + 50, top + 10, 1.0) for place, word in enumerate(text.split())
    ]


def test_the_lines_with_the_most_letters_are_chosen_with_the_paper_around_them() -> None:
    words = [
        *row("short", 50),
        *row("some longer line of words", 100),
        *row("and another line of words", 115),
        *row("x", 300),
    ]
    chosen = layer_test.choose_lines(words, 595, 842)
    assert chosen
    text, box = chosen
    assert text == "short some longer line of words and another line of words"
    assert box == (94, 44, 396, 131)


def test_lines_that_lie_far_apart_are_not_taken_together() -> None:
    chosen = layer_test.choose_lines([*row("first line of text", 50), *row("last line", 700)], 595, 842)
    assert chosen
    assert chosen[0] == "first line of text"


def test_upright_words_are_left_out() -> None:
    assert layer_test.choose_lines([("upright", 10, 10, 20, 90, 1.0)], 595, 842) is None
    assert layer_test.choose_lines([], 595, 842) is None


@pytest.mark.parametrize(
    ("layer", "seen", "languages", "words", "found"),
    [
        ("Every archive keeps paper", "every ARCHIVE keeps", ["eng"], 4, 3),
        ("Lcly hyjopcl rllwz whwly", "Every archive keeps paper", ["eng"], 4, 0),
        ("a b is no word", "", ["eng"], 0, 0),
        ("\u0430\u0440\u0445\u0438\u0432 archive", "apxиb archive", ["eng"], 1, 1),
        ("\u0430\u0440\u0445\u0438\u0432", "other", ["eng", "rus"], 1, 0),
    ],
)
def test_comparison(layer: str, seen: str, languages: list[str], words: int, found: int) -> None:
    assert layer_test.compare(layer, seen, languages) == LayerTest(words, found)
