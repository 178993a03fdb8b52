"""`python -m benchmarks [ocr|born-digital|submission] [--short] [--pages N]`: see benchmarks/README.md."""

import argparse
import tempfile
from pathlib import Path

from benchmarks import born_digital, contenders, pages, report, submission

PROCESSES = 2


def ocr(scans: list[Path], *, rounds: int, against_ocrmypdf: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, source in (
            ("a folder of single-page scans", pages.as_folder(scans, Path(folder) / "in")),
            ("one PDF of scans", pages.as_pdf(scans, Path(folder) / "scans.pdf")),
        ):
            runs = {
                "arsip": lambda source=source: contenders.arsip(source, PROCESSES),
                "arsip, one look": lambda source=source: contenders.arsip(
                    source, PROCESSES, tesseract=contenders.ONE_LOOK
                ),
                "the engine alone": lambda source=source: contenders.engine_alone(source, PROCESSES),
            }
            baselines = ["the engine alone"]
            if against_ocrmypdf:
                runs["ocrmypdf"] = lambda source=source: contenders.ocrmypdf(source, PROCESSES)
                baselines.append("ocrmypdf")
            title = f"{name}, {PROCESSES} processes"
            report.race(title, runs, pages=len(scans), rounds=rounds, baselines=baselines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", choices=["ocr", "born-digital", "submission", []], default=[])
    parser.add_argument("--short", action="store_true", help="one small round of each, to see that they work")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", type=int, default=55, help="scans to read")
    parser.add_argument("--files", type=int, default=10_000, help="small files to submit")
    parser.add_argument(
        "--sets", nargs="+", default=pages.SETS, help="folders of the corpus to take scans from in turn"
    )
    arguments = parser.parse_args()
    chosen = arguments.which or ["ocr", "born-digital", "submission"]
    short = arguments.short
    rounds = 1 if short else arguments.rounds
    if "ocr" in chosen:
        scans = pages.scans(4 if short else arguments.pages, arguments.sets)
        ocr(scans, rounds=rounds, against_ocrmypdf=not short)
    if "born-digital" in chosen:
        born_digital.measure(rounds=rounds, most=5 if short else 150)
    if "submission" in chosen:
        submission.measure(200 if short else arguments.files)


if __name__ == "__main__":
    main()
