"""The contract suite finds the faults that it is there for: engines with one fault each, built on real ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from engines.contract import OcrEngine
from engines.contract_suite import OcrEngineContract
from engines.errors import EngineUnavailable
from engines.null import NullEngine
from engines.tesseract import TesseractEngine
from engines.types import Box, Line, PageImage, Recognition, Word


class Reversed(TesseractEngine):
    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return super().recognize(images)[::-1]


class DropsBlankPages(TesseractEngine):
    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [found for found in super().recognize(images) if found.lines]


class ReadsNothing(NullEngine):
    """An engine that claims to read text."""


class Changing(TesseractEngine):
    """Changes each word in the way of a subclass."""

    change: Callable[[Word], Word]

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [
            Recognition(tuple(Line(tuple(map(type(self).change, line.words)), line.paragraph) for line in found.lines))
            for found in super().recognize(images)
        ]


class InPoints(Changing):
    @staticmethod
    def change(word: Word) -> Word:
        return replace(word, box=word.box.scaled(72 / 200, 72 / 200))


class WidthForCorner(Changing):
    @staticmethod
    def change(word: Word) -> Word:
        box = word.box
        return replace(word, box=Box(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0))


class Percent(Changing):
    @staticmethod
    def change(word: Word) -> Word:
        return replace(word, confidence=word.confidence * 100)


class Padded(Changing):
    @staticmethod
    def change(word: Word) -> Word:
        return replace(word, text=f"{word.text} ")


class SkippedPage(NullEngine):
    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [Recognition((Line((Word("[skipped]", Box(0, 0, 1, 1), 1.0),)),)) for _ in images]


class Scribbles(NullEngine):
    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        for image in images:
            image.pixels[:] //= 2
        return super().recognize(images)


class ClosesOnlyOnce(NullEngine):
    def open(self) -> None:
        self.model = object()

    def close(self) -> None:
        del self.model


class VersionlessUntilOpen(NullEngine):
    opened = ""

    @property
    def version(self) -> str:
        return self.opened

    def open(self) -> None:
        self.opened = "1"


def suite_of(engine: type[OcrEngine], **traits: Any) -> OcrEngineContract:
    def build(cls: type[OcrEngineContract], languages: Sequence[str] | None = None) -> OcrEngine:
        return engine(engine.Options(), languages or cls.languages)

    return type("Suite", (OcrEngineContract,), {"name": engine.name, "build": classmethod(build), **traits})()


@pytest.mark.parametrize(
    ("engine", "test"),
    [
        (Reversed, "test_batch_keeps_the_order"),
        (DropsBlankPages, "test_batch_keeps_the_order"),
        (ReadsNothing, "test_batch_keeps_the_order"),
        (ReadsNothing, "test_drawn_lines_are_read_where_they_are"),
        (InPoints, "test_drawn_lines_are_read_where_they_are"),
        (WidthForCorner, "test_drawn_lines_are_read_where_they_are"),
        (Percent, "test_drawn_lines_are_read_where_they_are"),
        (Padded, "test_drawn_lines_are_read_where_they_are"),
        (SkippedPage, "test_blank_page_is_an_empty_result"),
    ],
)
def test_a_fault_in_the_results_is_found(engine: type[OcrEngine], test: str) -> None:
    suite = suite_of(engine)
    with suite.build() as opened, pytest.raises(AssertionError):
        getattr(suite, test)(opened)


def test_a_picture_that_was_written_to_is_found() -> None:
    suite = suite_of(Scribbles)
    with suite.build() as opened, pytest.raises((AssertionError, ValueError)):
        suite.test_picture_may_be_a_view_and_stays_as_it_is(opened)


@pytest.mark.parametrize("test", ["test_close_without_open", "test_close_twice_and_open_again"])
def test_careless_close_is_found(test: str) -> None:
    with pytest.raises(AttributeError):
        getattr(suite_of(ClosesOnlyOnce), test)()


def test_version_that_needs_open_is_found() -> None:
    with pytest.raises(AssertionError):
        suite_of(VersionlessUntilOpen).test_version_is_known_before_open()


def test_language_that_is_passed_over_is_found() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        suite_of(NullEngine).test_missing_language_is_named()


def test_name_that_is_not_the_entry_points_is_found() -> None:
    with pytest.raises(AssertionError):
        suite_of(NullEngine, name="zero").test_has_the_name_of_its_entry_point()


def test_engine_that_is_not_installed_is_found() -> None:
    with pytest.raises(EngineUnavailable, match="there is no OCR engine 'zero'"):
        type("Suite", (OcrEngineContract,), {"name": "zero"})().test_close_without_open()
