import pytest

from pipeline.search.query import Term, configuration_of, terms


@pytest.mark.parametrize(
    ("languages", "configuration"),
    [
        (["eng"], "english"),
        (["ind", "eng"], "indonesian+english"),
        (["jpn", "ind", "ind"], "indonesian"),
        (["deu", "fra", "eng"], "german+french"),
        (["jpn", "osd"], "simple"),
        ([], "simple"),
    ],
)
def test_the_first_languages_with_a_stemmer_count(languages: list[str], configuration: str) -> None:
    assert configuration_of(languages) == configuration


@pytest.mark.parametrize(
    ("typed", "alternatives"),
    [
        ("a b", [["a", "b"]]),
        ("a OR b c or d", [["a"], ["b", "c"], ["d"]]),
        ("a -b --c", [["a", "-b", "-c"]]),
        ('a "b c" -"d e', [["a", "b c", "-d e"]]),
        ("\u201ca b\u201d \u201ec\u201c", [["a b", "c"]]),
        ("31/POJK.05/2016 -dir-arsip a_b", [["31 pojk 05 2016", "-dir arsip", "a b"]]),
        ('a"b c"', [["a", "b c"]]),
        ("-OR", [["-or"]]),
        ('"a OR b"', [["a or b"]]),
    ],
)
def test_what_a_user_types(typed: str, alternatives: list[list[str]]) -> None:
    assert [[shown(term) for term in alternative] for alternative in terms(typed)] == alternatives


@pytest.mark.parametrize("typed", ["pref*", '"a pref*"', "a/pref*"])
def test_the_beginning_of_a_word_is_not_stemmed(typed: str) -> None:
    assert [term.as_typed for (term,) in terms(typed)] == [True]


@pytest.mark.parametrize("typed", ["*", "!*", "*a", "a*b"])
def test_a_star_elsewhere_is_no_beginning(typed: str) -> None:
    assert not any(term.as_typed for alternative in terms(typed) for term in alternative)


def shown(term: Term) -> str:
    return f"{'-' * term.negated}{term.words}"
