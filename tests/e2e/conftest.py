"""The command as a person runs it, and a folder to run it on."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories import RICH, letter_picture, save_pdf, save_scan
from tests.processes import ARSIP

Arsip = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def arsip(environment: dict[str, str], tmp_path: Path) -> Arsip:
    def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ARSIP, *arguments],
            env=environment | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "letters"
    (folder / "old").mkdir(parents=True)
    save_scan(folder / "surat.png")
    save_pdf(folder / "old" / "mixed.pdf", RICH, letter_picture())
    return folder
