"""Tesseract 5 in this process, by tesserocr, held open.

It runs in one thread where OMP_THREAD_LIMIT=1 is set before the process starts, as the sandbox does: several workers
with OpenMP's threads each are slower than with one by an order of magnitude (tesseract#3109).
"""

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal

import numpy as np

from engines import leftover, turning
from engines.contract import EngineOptions, OcrEngine
from engines.errors import EngineUnavailable, LanguageMissing, RecognitionFailed
from engines.quality import is_better
from engines.tessdata import Tessdata, installed_languages
from engines.types import Box, Line, PageImage, Recognition, Word

if TYPE_CHECKING:
    from tesserocr import PyResultIterator, PyTessBaseAPI

ORIENTATION_MODES = {1, 12}
"""Page segmentation modes that turn a page upright first, which needs data of its own."""
AUTOMATIC, SPARSE_TEXT = 3, 11
"""Page segmentation modes."""
GOOD, BAD, NOTHING = 0.93, 0.6, 0.5
"""Mean confidences. Upright and level pages of usual print have more than the first. Pages that stand on their head had
0.2; those with lines that slope by 4 degrees 0.85, by 7 degrees 0.7, by 10 degrees 0.4."""
ON_ITS_HEAD = 0.3
"""Mean confidence that upright pages exceed though nobody can read them, such as those in other letters."""
SURE = 8.0
"""Tesseract's confidence in an orientation: 10 and more on usual pages, 5 on one where it was wrong."""
PATIENCE = 20.0
"""Seconds after which a page gets no further look: noise takes long, and a page has 180 seconds in all."""
STRAIGHT = math.radians(1)
"""A smaller slope does not hurt Tesseract."""
FEW_WORDS = 20
"""Of a page of steep lines Tesseract may see a few words only, and be sure of them."""
LONG_LINE = 200
"""Pixels; the baseline of a shorter line says little of the page's slope."""
MAX_SIDE = 32767
"""Pixels; Tesseract keeps coordinates in 16 bits and refuses more."""


class TesseractOptions(EngineOptions):
    page_segmentation: Literal[1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13] = 3
    """Tesseract's mode: 3 finds the blocks of an upright page, 1 turns the page upright first; 0 and 2 read nothing."""
    user_words: tuple[str, ...] = ()
    """Words that the language model does not know, such as names."""
    user_patterns: tuple[str, ...] = ()
    """In Tesseract's notation, such as `\\d\\d\\d/\\A\\*`, for what looks like numbers of documents."""
    turn_upright: bool = True
    """Whether a page that reads badly is tried in the direction in which Tesseract sees its text."""
    straighten: bool = True
    """Whether a page that reads badly and whose lines slope is tried with level ones."""
    look_again: bool = True
    """Whether ink that belongs to no word is looked at again by itself."""


class TesseractEngine(OcrEngine):
    """LSTM models only: the older recogniser is in none of the fast models."""

    name = "tesseract"
    revision = 3
    enlarge_below_dpi = 200.0
    Options = TesseractOptions
    options: TesseractOptions

    _api: "PyTessBaseAPI | None" = None
    _upright_api: "PyTessBaseAPI | None" = None
    _tessdata: Tessdata | None = None
    _scratch: "tempfile.TemporaryDirectory[str] | None" = None

    @property
    def version(self) -> str:
        try:
            import tesserocr
        except ImportError as error:
            raise EngineUnavailable(
                f"Tesseract cannot be loaded ({error}): `pip install 'arsip[tesseract]'`"
            ) from error
        return str(tesserocr.tesseract_version()).split()[1]

    def installed_languages(self) -> Sequence[str]:
        return installed_languages()

    def open(self) -> None:
        version = self.version
        import tesserocr

        mode = self.options.page_segmentation
        self._tessdata = Tessdata([*self.languages, *(["osd"] if mode in ORIENTATION_MODES else [])])
        folder = self._tessdata.folder
        try:
            self._api = tesserocr.PyTessBaseAPI(
                path=f"{folder}/",
                lang="+".join(self.languages),
                psm=mode,
                oem=tesserocr.OEM.LSTM_ONLY,
                variables=self._user_files(),
            )
            # Tesseract goes on without a language that it cannot load, as long as one is left.
            broken = set(self.languages) - set(self._api.GetLoadedLanguages())
        except RuntimeError:
            broken = set(self.languages)
        if broken:
            files = ", ".join(str((folder / f"{language}.traineddata").resolve()) for language in sorted(broken))
            self.close()
            raise EngineUnavailable(
                f"Tesseract {version} cannot load {files}: damaged, or without an LSTM model; install the data again"
            )

    def _user_files(self) -> dict[str, str]:
        """The words and patterns as files, which is how Tesseract takes them."""
        lists = {"user_words_file": self.options.user_words, "user_patterns_file": self.options.user_patterns}
        if not any(lists.values()):
            return {}
        self._scratch = tempfile.TemporaryDirectory(prefix="arsip-tesseract-")
        folder = Path(self._scratch.name)
        for name, lines in lists.items():
            (folder / name).write_text("".join(f"{line}\n" for line in lines))
        return {name: str(folder / name) for name, lines in lists.items() if lines}

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [self._recognize(image) for image in images]

    def _recognize(self, image: PageImage) -> Recognition:
        """The best of some looks at a page; most pages need one."""
        seconds: dict[str, float] = {}
        patient_until = time.monotonic() + PATIENCE
        with _timed("first_look", seconds):
            found, slope = self._read(image)
        degrees = 0
        if self._may(self.options.turn_upright, patient_until) and _confidence(found) < BAD:
            with _timed("turn_upright", seconds):
                degrees, found, slope = self._upright(image, found, slope, patient_until)
        upright = turning.turned(image, degrees) if degrees else image
        if self._may(self.options.straighten, patient_until) and _confidence(found) < GOOD:
            with _timed("straighten", seconds):
                found = self._straight(upright, found, slope)
        # A page in other letters is full of ink that no look makes words of.
        if self._may(self.options.look_again, patient_until) and _confidence(found) >= NOTHING:
            with _timed("look_again", seconds):
                found = self._look_again(upright, found)
        return replace(turning.turned_back(found, image, degrees) if degrees else found, seconds=seconds)

    def _may(self, wished: bool, patient_until: float) -> bool:
        """Whether a further look is wished for, and there is time for it."""
        automatic = self.options.page_segmentation == AUTOMATIC
        return wished and automatic and time.monotonic() < patient_until

    def _upright(
        self, image: PageImage, found: Recognition, slope: float, patient_until: float
    ) -> tuple[int, Recognition, float]:
        """The best of the directions that are worth a try: degrees turned clockwise, what was read, its slope."""
        best = 0, found, slope
        for degrees in self._directions(image, found):
            other, other_slope = self._read(turning.turned(image, degrees))
            if is_better(_rated(other), _rated(best[1])):
                best = degrees, other, other_slope
            if _confidence(best[1]) >= BAD or time.monotonic() > patient_until:
                break
        return best

    def _directions(self, image: PageImage, found: Recognition) -> Iterator[int]:
        """The direction in which Tesseract sees the text; the others too, if it is not sure and nothing reads."""
        seen, confidence = self._orientation(image)
        if seen:
            yield seen
        if confidence < SURE and _confidence(found) < ON_ITS_HEAD:
            yield from (degrees for degrees in (180, 90, 270) if degrees != seen)

    def _orientation(self, image: PageImage) -> tuple[int, float]:
        """Degrees by which the page has to be turned clockwise, and Tesseract's confidence; 0 if it cannot tell."""
        import tesserocr

        if self._upright_api is None:
            try:
                folder = Tessdata(["osd"]).folder
            except LanguageMissing:
                return 0, 0.0
            self._upright_api = tesserocr.PyTessBaseAPI(path=f"{folder}/", lang="osd", psm=tesserocr.PSM.OSD_ONLY)
        _give(self._upright_api, image)
        seen = self._upright_api.DetectOrientationScript()
        self._upright_api.Clear()
        return (-int(seen["orient_deg"]) % 360, float(seen["orient_conf"])) if seen else (0, 0.0)

    def _straight(self, image: PageImage, found: Recognition, slope: float) -> Recognition:
        """What is read when the lines are made level, if they slope and that is better."""
        if _confidence(found) < NOTHING or sum(1 for _ in found.words) < FEW_WORDS:
            slope = turning.estimated_slope(image)
        if not STRAIGHT <= abs(slope) <= turning.STEEPEST:
            return found
        level, _ = self._read(turning.straightened(image, slope))
        better = is_better(_rated(level), _rated(found))
        return turning.straightened_back(level, image, slope) if better else found

    def _look_again(self, image: PageImage, found: Recognition) -> Recognition:
        """Read what ink is left when the words are taken away, as scattered text: list markers, stamps, form fields."""
        left = leftover.without_words(image, found)
        if left is None:
            return found
        more, _ = self._read(left, SPARSE_TEXT)
        return leftover.merged(found, leftover.credible(more, found))

    def _read(self, image: PageImage, mode: int | None = None) -> tuple[Recognition, float]:
        """What is read, and the slope of the text's lines (downwards to the right, in radians)."""
        if self._api is None:
            raise EngineUnavailable("the Tesseract engine is not open")
        size = f"a picture of {image.width} x {image.height} pixels"
        if max(image.width, image.height) > MAX_SIDE:
            raise RecognitionFailed(f"Tesseract takes sides of up to {MAX_SIDE} pixels, not {size}; lower the dpi")
        try:
            _give(self._api, image)
            self._api.SetPageSegMode(mode or self.options.page_segmentation)
            if not self._api.Recognize():
                raise RecognitionFailed(f"Tesseract could not recognise {size}")
            result = self._api.GetIterator()
            return Recognition(tuple(_lines(result))), _slope(result)
        except RuntimeError as error:
            raise RecognitionFailed(f"Tesseract could not recognise {size}: {error}") from error
        finally:
            self._api.Clear()

    def close(self) -> None:
        for api in (self._api, self._upright_api):
            if api:
                api.End()
        self._api = self._upright_api = None
        if self._tessdata:
            self._tessdata.close()
            self._tessdata = None
        if self._scratch:
            self._scratch.cleanup()
            self._scratch = None


@contextmanager
def _timed(step: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started


def _give(api: "PyTessBaseAPI", image: PageImage) -> None:
    """Black and white alone go as single bits: it took 5 % less time than grey, and read the same on 55 scans."""
    if _is_bilevel(image.pixels):
        bits = np.packbits(image.pixels, axis=1)
        api.SetImageBytes(bits.tobytes(), image.width, image.height, 0, bits.shape[1])
    else:
        api.SetImageBytes(image.pixels.tobytes(), image.width, image.height, 1, image.width)
    api.SetSourceResolution(round(image.dpi))


def _is_bilevel(pixels: "np.typing.NDArray[np.uint8]") -> bool:
    # In 8 bits 255 + 1 is 0. A row in so many tells of nearly every grey picture that it is none.
    return all(bool((rows + np.uint8(1) <= 1).all()) for rows in (pixels[::64], pixels))


def _confidence(found: Recognition) -> float:
    return found.confidence or 0.0


def _rated(found: Recognition) -> list[tuple[str, float]]:
    return [(word.text, word.confidence) for word in found.words]


def _slope(result: "PyResultIterator") -> float:
    """The median slope of the baselines of long lines."""
    from tesserocr import RIL, iterate_level

    result.Begin()
    slopes: list[float] = []
    for line in iterate_level(result, RIL.TEXTLINE):
        if baseline := line.Baseline(RIL.TEXTLINE):
            (x0, y0), (x1, y1) = baseline
            if x1 - x0 >= LONG_LINE:
                slopes.append(math.atan2(y1 - y0, x1 - x0))
    return median(slopes) if slopes else 0.0


def _lines(result: "PyResultIterator") -> Iterator[Line]:
    # On pages of 500 words the iterator took half the time of Tesseract's TSV output and a third of hOCR's.
    from tesserocr import RIL, iterate_level

    words: list[Word] = []
    paragraph = -1
    for place in iterate_level(result, RIL.WORD):
        if place.Empty(RIL.WORD):
            continue
        if place.IsAtBeginningOf(RIL.TEXTLINE):
            if words:
                yield Line(tuple(words), paragraph)
                words = []
            paragraph += place.IsAtBeginningOf(RIL.PARA)
        if text := place.GetUTF8Text(RIL.WORD).strip():
            confidence = min(max(place.Confidence(RIL.WORD) / 100, 0.0), 1.0)
            words.append(Word(text, Box(*map(float, place.BoundingBox(RIL.WORD))), confidence))
    if words:
        yield Line(tuple(words), paragraph)
