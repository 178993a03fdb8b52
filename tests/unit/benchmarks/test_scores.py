"""The measures of accuracy, on texts where they can be counted by hand."""

import pytest

from benchmarks.accuracy.scores import Score, mean, score


def test_a_perfect_reading() -> None:
    found = score("\u201cNomor\u201d  045\u20132026\n\nDIR", '"Nomor" 045-2026 DIR', ignore_case=False)
    assert found == Score(character_errors=0, word_errors=0, recall=1, precision=1)


def test_errors_are_counted_per_character_and_word_of_the_truth() -> None:
    found = score("every archlve keeps", "every archive keeps paper", ignore_case=False)
    assert found.character_errors == pytest.approx(7 / 25)
    assert found.word_errors == pytest.approx(2 / 4)
    assert found.recall == pytest.approx(2 / 4)
    assert found.precision == pytest.approx(2 / 3)


def test_recall_and_precision_know_no_order_but_count_each_word_as_often_as_it_stands() -> None:
    found = score("b a a", "a b b", ignore_case=False)
    assert (found.recall, found.precision) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_case_is_ignored_only_where_the_truth_says_nothing_about_it() -> None:
    assert score("Total", "TOTAL", ignore_case=True).recall == 1
    assert score("Total", "TOTAL", ignore_case=False).recall == 0


def test_nothing_read() -> None:
    assert score("", "some words", ignore_case=False) == Score(1.0, 1.0, 0.0, 0.0)


def test_mean_counts_every_page_alike() -> None:
    assert mean([Score(0, 0, 1, 1), Score(1, 1, 0, 0)]) == Score(0.5, 0.5, 0.5, 0.5)
