"""An OCR engine that runs the `tesseract` command once per page, and reads its table of words."""

import csv
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from PIL import Image
from pydantic import Field

from engines import (
    Box,
    EngineOptions,
    EngineUnavailable,
    LanguageMissing,
    Line,
    OcrEngine,
    PageImage,
    Recognition,
    RecognitionFailed,
    Word,
)

SMALLEST_SIDE = 3
"""Pixels; the command refuses less."""


class Options(EngineOptions):
    page_segmentation: int = Field(default=3, ge=3, le=13)


class TesseractCommand(OcrEngine):
    name = "tesseract-command"
    # Class-wide facts: a picture of lower resolution is enlarged before the engine gets it.
    enlarge_below_dpi = 200.0
    Options = Options
    options: Options

    @property
    def version(self) -> str:
        found = re.search(r"tesseract v?(\S+)", self._run("--version"))
        return found[1] if found else "unknown"

    def installed_languages(self) -> Sequence[str]:
        _, *languages = self._run("--list-langs").split("\n")
        return sorted(language for language in languages if language and language != "osd")

    def open(self) -> None:
        if missing := set(self.languages) - set(self.installed_languages()):
            raise LanguageMissing(f"the tesseract command has no data for {', '.join(sorted(missing))}")

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [self._recognize(image) for image in images]

    def _recognize(self, image: PageImage) -> Recognition:
        if min(image.width, image.height) < SMALLEST_SIDE:
            return Recognition()
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.png"
            Image.fromarray(image.pixels).save(page, dpi=(image.dpi, image.dpi))
            mode = str(self.options.page_segmentation)
            table = self._run(str(page), "-", "-l", "+".join(self.languages), "--psm", mode, "tsv")
        return Recognition(tuple(_lines(table)))

    def _run(self, *arguments: str) -> str:
        program = shutil.which("tesseract")
        if program is None:
            raise EngineUnavailable("there is no `tesseract` command: `apt install tesseract-ocr`")
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise RecognitionFailed(f"tesseract ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def close(self) -> None:
        """Nothing stays open between two pages."""


def _lines(table: str) -> Iterator[Line]:
    rows = [row for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE) if _is_word(row)]
    paragraphs: dict[tuple[str, ...], int] = {}
    for line, words in groupby(rows, key=lambda row: (row["block_num"], row["par_num"], row["line_num"])):
        paragraph = paragraphs.setdefault(line[:2], len(paragraphs))
        yield Line(tuple(_word(row) for row in words), paragraph)


def _is_word(row: dict[str, str]) -> bool:
    return float(row["conf"]) >= 0 and bool((row["text"] or "").strip())


def _word(row: dict[str, str]) -> Word:
    left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
    return Word(row["text"].strip(), Box(left, top, left + width, top + height), min(float(row["conf"]) / 100, 1.0))
