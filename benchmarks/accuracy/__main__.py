"""`python -m benchmarks.accuracy [READER...] [--sets ...] [--pages N]`: how much of what is on a page is read.

Prints tables in Markdown; docs/accuracy.md holds those of the whole corpus, and says how they are made.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.accuracy import numbers
from benchmarks.accuracy.readers import Read, Reader, arsip, engine_alone, ocrmypdf
from benchmarks.accuracy.scores import Score, mean, score
from benchmarks.accuracy.truth import TruePage, true_pages


def easyocr_on_the_cpu(canvas: int) -> Reader:
    queue = {"options": {"device": "cpu", "canvas": canvas}, "page_time_limit": 1800}
    return arsip({"ARSIP_DEFAULT_OCR_QUEUE": "ocr.easyocr", "ARSIP_OCR_QUEUES": json.dumps({"easyocr": queue})})


READERS: dict[str, Reader] = {
    "tesseract": arsip({}),
    "tesseract-alone": engine_alone("tesseract"),
    "ocrmypdf": ocrmypdf,
    "escalation": arsip({"ARSIP_ESCALATE_TO": "ocr.rapidocr"}),
    "rapidocr": arsip({"ARSIP_DEFAULT_OCR_QUEUE": "ocr.rapidocr"}),
    "rapidocr-alone": engine_alone("rapidocr"),
} | {f"easyocr-{canvas}": easyocr_on_the_cpu(canvas) for canvas in (960, 1280, 1920, 2560)}
"""Named `alone` where the bare engine reads, else arsip as its users run it; EasyOCR by its canvas in pixels."""
USUAL = ["tesseract", "tesseract-alone", "ocrmypdf", "escalation", "rapidocr", "rapidocr-alone"]
MEASURES = {
    "word recall": lambda one: one.recall,
    "word precision": lambda one: one.precision,
    "character error rate": lambda one: one.character_errors,
    "word error rate": lambda one: one.word_errors,
}


def scores_of(truth: Sequence[TruePage], read: Mapping[Path, Read]) -> list[Score]:
    nothing = Read("", 0.0)
    return [score(read.get(page.path, nothing).text, page.text, ignore_case=page.ignore_case) for page in truth]


def table(title: str, names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    print(f"\n**{title}**\n")
    print(f"| set | pages | {' | '.join(names)} |")
    print("|---|--:|" + "--:|" * len(names))
    for label, cells in rows.items():
        print(f"| {label} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("readers", nargs="*", choices=[*READERS, "numbers", []], default=[])
    parser.add_argument("--sets", nargs="+", default=[])
    parser.add_argument("--pages", type=int, help="at most so many of each set")
    arguments = parser.parse_args()
    if "ARSIP_CORPUS" not in os.environ:
        sys.exit("set ARSIP_CORPUS to a folder of scans with known text: see CONTRIBUTING.md")
    names = [name for name in arguments.readers or USUAL if name != "numbers"]
    if names:
        compare(names, arguments.sets, arguments.pages)
    if "numbers" in arguments.readers or not arguments.readers:
        numbers.measure()


def compare(names: Sequence[str], sets: Sequence[str], most: int | None) -> None:
    by_set = {name: list(some)[:most] for name, some in groupby(true_pages(sets), key=lambda page: page.set)}
    everything = [page for some in by_set.values() for page in some]
    read = {}
    for name in names:
        print(f"{name} reads {len(everything)} pages", file=sys.stderr)
        read[name] = READERS[name](everything)
    for title, measure in MEASURES.items():
        rows = {
            label: [str(len(some)), *(f"{measure(mean(scores_of(some, read[name]))):.3f}" for name in names)]
            for label, some in by_set.items()
        }
        table(title, names, rows)
    seconds = {
        label: [str(len(some)), *(f"{_seconds(some, read[name]):.2f}" for name in names)]
        for label, some in (by_set | {"all": everything}).items()
    }
    table("seconds of one process per page", names, seconds)


def _seconds(truth: Sequence[TruePage], read: Mapping[Path, Read]) -> float:
    return sum(read[page.path].seconds for page in truth if page.path in read) / len(truth)


if __name__ == "__main__":
    main()
