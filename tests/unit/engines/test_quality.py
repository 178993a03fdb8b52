import pytest

from engines.quality import is_better, looks_like_word, share_of_words


@pytest.mark.parametrize(
    "text",
    ["letter", "Letter,", "PT", "DIR-ARSIP", "(2026)", "12,345.67", "Jl.", "don't", "Übergrößen", "и", "USA", "17:30"],
)
def test_words_and_numbers(text: str) -> None:
    assert looks_like_word(text)


@pytest.mark.parametrize("text", ["lllegal", "mrtzkfg", "REPubUK", "a1b2", "|", "~=", "hTTp", "x" * 30, "bcdfghjk"])
def test_garbage(text: str) -> None:
    assert not looks_like_word(text)


def test_share() -> None:
    assert share_of_words(["Every", "archive", "kkkeeps", "x9q"]) == 0.5
    assert share_of_words([]) == 1.0


def test_more_characters_are_better_and_confidence_alone_is_not() -> None:
    cheap = [("letter", 0.92)] * 100
    assert is_better([("letter", 0.95)] * 105, cheap)
    assert not is_better([("letter", 0.98)] * 98, cheap), "a surer engine that read less"
    assert not is_better(cheap, cheap)
    assert is_better(cheap, [])
