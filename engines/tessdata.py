"""Where Tesseract's language data lies. Tesseract takes one folder; languages from several are linked into one."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from engines.errors import LanguageMissing

_CODE = re.compile(r"[A-Za-z][A-Za-z_]{1,30}")

SYSTEM_FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
WHEELS = {"deu", "eng", "jpn"}
"""Languages that PyPI has as `tessdata-fast-xxx`."""


def folders() -> list[Path]:
    """Existing folders with language data, the most deliberate first."""
    prefix = os.environ.get("TESSDATA_PREFIX")
    candidates = [Path(prefix), Path(prefix) / "tessdata"] if prefix else []
    candidates += [Path(sys.prefix) / "share/tessdata", *map(Path, SYSTEM_FOLDERS)]
    return [folder for folder in dict.fromkeys(candidates) if folder.is_dir()]


def installed_languages() -> list[str]:
    return sorted({file.stem for folder in folders() for file in folder.glob("*.traineddata")})


class Tessdata:
    """A folder that holds the data of all the wanted languages, for as long as this object is not closed.

    Raises:
        LanguageMissing: there is no data for one of them.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        files = [_find(language) for language in languages]
        self._links: TemporaryDirectory[str] | None = None
        self.folder = files[0].parent
        if any(file.parent != self.folder for file in files):
            self._links = TemporaryDirectory(prefix="arsip-tessdata-")
            self.folder = Path(self._links.name)
            for file in files:
                (self.folder / file.name).symlink_to(file)

    def close(self) -> None:
        if self._links:
            self._links.cleanup()


def _find(language: str) -> Path:
    if not _CODE.fullmatch(language):
        raise LanguageMissing(f"{language!r} is not a language code; Tesseract's are like eng, ind, chi_sim")
    for folder in folders():
        file = folder / f"{language}.traineddata"
        if file.exists():
            return file
    wheel = f"`pip install tessdata-fast-{language}`, " if language in WHEELS else ""
    debian = f"`apt install tesseract-ocr-{language.lower().replace('_', '-')}`"
    raise LanguageMissing(
        f"Tesseract has no data for language {language!r}; get it with {wheel}{debian}, "
        f"or put {language}.traineddata into a folder named by TESSDATA_PREFIX "
        f"(here: {', '.join(installed_languages()) or 'none'})"
    )
