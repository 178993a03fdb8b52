"""Pages whose text is known: the sets with ground truth in ARSIP_CORPUS."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = {"en": "eng", "id": "ind", "de": "deu", "fr": "fra"}


@dataclass(frozen=True, slots=True)
class TruePage:
    """A single-page scan and what stands on it."""

    set: str
    path: Path
    text: str
    language: str
    """ISO 639-2."""
    ignore_case: bool
    """Whether the truth says nothing about upper and lower case."""


def true_pages(sets: Sequence[str] = ()) -> list[TruePage]:
    """The pages of these sets, or of all, in the order of the corpus."""
    root = Path(os.environ["ARSIP_CORPUS"]) / "scans-gt"
    return [page for page in _all_pages(root) if not sets or page.set in sets]


def _all_pages(root: Path) -> Iterator[TruePage]:
    for line in (root / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        if not row.get("gt_file"):
            continue
        yield TruePage(
            set=row["file"].split("/")[0],
            path=root / row["file"],
            text=(root / row["gt_file"]).read_text(),
            language=LANGUAGES.get(row["lang"], "eng"),
            ignore_case=bool(row["case_insensitive"]),
        )
