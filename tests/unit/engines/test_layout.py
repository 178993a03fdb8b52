"""Reading order of pieces of text that an engine found anywhere on a page."""

from collections.abc import Iterable

from engines import layout
from engines.layout import Piece
from engines.types import Box, Line, Recognition, Word


def piece(text: str, x: float, y: float, width: float | None = None, height: float = 20) -> Piece:
    box = Box(x, y, x + (width or 10 * len(text)), y + height)
    return Piece((Word(text, box, 0.9),), box)


def texts(lines: Iterable[Line]) -> list[str]:
    return [line.text for line in lines]


def test_pieces_beside_each_other_are_one_line_from_left_to_right() -> None:
    found = layout.lines([piece("12.50", 400, 103), piece("Coffee", 10, 100), piece("Tea", 10, 140)])
    assert texts(found) == ["Coffee 12.50", "Tea"]


def test_columns_of_running_text_are_read_one_after_the_other() -> None:
    left = [piece(f"left column line {number}", 10, 100 + 30 * number) for number in range(6)]
    right = [piece(f"right column line {number}", 400, 110 + 30 * number) for number in range(6)]
    heading = piece("A heading over both of the columns of this page", 10, 20, width=700)
    mixed = [one for pair in zip(left, right, strict=True) for one in pair]
    found = texts(layout.lines([*mixed, heading]))
    assert found[0].startswith("A heading")
    assert found[1:7] == [f"left column line {number}" for number in range(6)]
    assert found[7:] == [f"right column line {number}" for number in range(6)]


def test_a_receipt_is_read_row_by_row_though_white_runs_down_it() -> None:
    goods = [piece(f"Item of goods no {number}", 10, 100 + 30 * number) for number in range(8)]
    prices = [piece(f"{number}.00", 500, 100 + 30 * number) for number in range(8)]
    found = texts(layout.lines([*prices, *goods]))
    assert found == [f"Item of goods no {number} {number}.00" for number in range(8)]


def test_white_between_lines_begins_a_paragraph() -> None:
    found = layout.lines([piece("one", 10, 100), piece("two", 10, 125), piece("three", 10, 200)])
    assert Recognition(found).text == "one\ntwo\n\nthree"


def test_what_sticks_out_of_the_picture_is_cut_and_what_lies_outside_goes() -> None:
    (kept,) = layout.within([piece("out", 150, 10), piece("part", 90, 10, width=40)], width=100, height=100)
    assert kept.box == Box(90, 10, 100, 30)
    assert kept.words[0].box == Box(90, 10, 100, 30)


def test_more_words_go_where_they_stand() -> None:
    lines = layout.lines([piece("first item", 100, 100), piece("second item", 100, 140)])
    marker, between, last = (
        Line((Word(text, Box(x, y, x + 10 * len(text), y + 20), 0.9),))
        for text, x, y in (("a.", 60, 100), ("between", 100, 121), ("last", 100, 300))
    )
    assert texts(layout.with_more(lines, [marker, between, last])) == [
        "a. first item",
        "between",
        "second item",
        "last",
    ]
    assert texts(layout.with_more((), [marker])) == ["a."]
