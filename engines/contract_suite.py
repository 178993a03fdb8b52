"""The tests that every OCR engine passes. A third party subclasses the suite where pytest collects it:

    from engines.contract_suite import OcrEngineContract

    class TestMyEngine(OcrEngineContract):
        name = "my-engine"

The engine is built by the name under which its package declares it, so its entry point is tested too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from engines.contract import OcrEngine
from engines.errors import EngineUnavailable, LanguageMissing
from engines.registry import build_engine
from engines.specimen import DPI, LINES, TEXT_HEIGHT, blank, drawn, share_found
from engines.types import ENOUGH, PageImage, Recognition

NO_LANGUAGE = "qaa"
"""ISO 639-2 reserves it for private use: no engine has a model of this name."""


class OcrEngineContract:
    """Set `name`, and the rest where the default does not fit."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    languages: ClassVar[Sequence[str]] = ("eng",)
    """Languages of which one is English."""
    reads_text: ClassVar[bool] = True
    """Whether the engine recognises anything at all."""
    has_languages: ClassVar[bool] = True
    """Whether the engine has models per language, so that one can be missing."""

    @classmethod
    def build(cls, languages: Sequence[str] | None = None) -> OcrEngine:
        """An engine that is not open; override it where an engine needs more than options."""
        return build_engine(cls.name, cls.options, languages or cls.languages)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[OcrEngine]:
        """One open engine for the whole class: models may take long to load."""
        with cls.build() as engine:
            yield engine

    def test_has_the_name_of_its_entry_point(self) -> None:
        assert self.build().name == self.name, "the class's `name` and the entry point's differ"

    def test_version_is_known_before_open(self) -> None:
        assert self.build().version.strip(), "the version is empty"

    def test_says_where_it_computes(self, engine: OcrEngine) -> None:
        assert engine.device.strip(), "the device is empty"

    def test_languages_are_codes(self) -> None:
        known = self.build().installed_languages()
        assert known is None or set(self.languages) <= set(known), f"{self.languages} are not all in {known}"

    def test_unknown_option_is_refused(self) -> None:
        with pytest.raises(EngineUnavailable, match="no_such_option"):
            build_engine(self.name, {**self.options, "no_such_option": 1}, self.languages)

    def test_missing_language_is_named(self) -> None:
        if not self.has_languages:
            pytest.skip("this engine has no models per language")
        engine = self.build((*self.languages, NO_LANGUAGE))
        try:
            with pytest.raises(LanguageMissing, match=NO_LANGUAGE):
                engine.open()
        finally:
            engine.close()

    def test_close_without_open(self) -> None:
        self.build().close()

    def test_close_twice_and_open_again(self) -> None:
        page, _ = drawn(LINES[0])
        engine = self.build()
        engine.open()
        before = engine.recognize([page])
        engine.close()
        engine.close()
        with engine:
            after = engine.recognize([page])
        assert [found.text for found in after] == [found.text for found in before], "another text after reopening"

    def test_no_images_no_results(self, engine: OcrEngine) -> None:
        assert engine.recognize([]) == []

    def test_blank_page_is_an_empty_result(self, engine: OcrEngine) -> None:
        for page in (blank(800, 1000), PageImage(np.zeros((1000, 800), dtype=np.uint8), DPI)):
            (found,) = engine.recognize([page])
            assert found.lines == (), f"read from a page without text: {found.text!r}"

    def test_batch_keeps_the_order(self, engine: OcrEngine) -> None:
        batch = [drawn(LINES[0])[0], blank(600, 400), drawn(LINES[1])[0], drawn(LINES[2])[0]]
        results = engine.recognize(batch)
        assert len(results) == len(batch), f"{len(results)} results for {len(batch)} images"
        assert not results[1].lines, "text was read from the blank page of the batch"
        if self.reads_text:
            for line, found in zip(LINES, [results[0], *results[2:]], strict=True):
                assert share_found(found, line) >= ENOUGH, f"{found.text!r} was read from {line!r}"

    @pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 600), (600, 1), (3, 2000), (2000, 3)])
    def test_odd_sizes_do_not_crash(self, engine: OcrEngine, width: int, height: int) -> None:
        assert len(engine.recognize([blank(width, height)])) == 1

    def test_noise_gives_sound_results(self, engine: OcrEngine) -> None:
        noise = np.random.default_rng(1).integers(0, 256, (300, 400), dtype=np.uint8)
        (found,) = engine.recognize([PageImage(noise, DPI)])
        self.assert_sound(found, width=400, height=300)

    def test_drawn_lines_are_read_where_they_are(self, engine: OcrEngine) -> None:
        page, ink = drawn(*LINES)
        (found,) = engine.recognize([page])
        self.assert_sound(found, page.width, page.height)
        if not self.reads_text:
            return
        assert len(found.lines) == len(LINES), f"{len(found.lines)} lines were read from {len(LINES)}"
        for line, wanted_line in zip(found.lines, LINES, strict=True):
            assert share_found(Recognition((line,)), wanted_line) >= ENOUGH, f"{line.text!r}, not {wanted_line!r}"
        boxes = [word.box for word in found.words]
        union = (
            min(box.x0 for box in boxes),
            min(box.y0 for box in boxes),
            max(box.x1 for box in boxes),
            max(box.y1 for box in boxes),
        )
        wanted = (ink.x0, ink.y0, ink.x1, ink.y1)
        off = max(abs(is_ - should) for is_, should in zip(union, wanted, strict=True))
        assert off <= TEXT_HEIGHT / 2, f"the words lie within {union}, their ink within {wanted}"

    def test_picture_may_be_a_view_and_stays_as_it_is(self, engine: OcrEngine) -> None:
        page, _ = drawn(LINES[0])
        sheet = np.full((page.height, page.width * 2), 255, dtype=np.uint8)
        sheet[:, page.width :] = page.pixels
        before = sheet.copy()
        (found,) = engine.recognize([PageImage(sheet[:, page.width :], DPI)])
        assert found.text == engine.recognize([page])[0].text, "a view was read unlike a picture of its own"
        assert np.array_equal(sheet, before), "the engine changed the picture that it was given"

    @staticmethod
    def assert_sound(found: Recognition, width: int, height: int) -> None:
        """Words have text without blanks, a box with an area inside the image, a confidence of 0 to 1."""
        assert found.orientation in {0, 90, 180, 270}, f"orientation {found.orientation}"
        assert all(seconds >= 0 for seconds in found.seconds.values()), f"seconds {found.seconds}"
        for line in found.lines:
            assert line.words, "a line without words"
        for word in found.words:
            box = word.box
            assert word.text.split() == [word.text], f"not one word: {word.text!r}"
            assert 0 <= box.x0 < box.x1 <= width, f"{box} in an image of {width} x {height}"
            assert 0 <= box.y0 < box.y1 <= height, f"{box} in an image of {width} x {height}"
            assert 0 <= word.confidence <= 1, f"confidence {word.confidence} of {word.text!r}"
