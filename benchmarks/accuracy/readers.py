"""Who reads the pages. Each gives the text of every page, and what it took: seconds of one process."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.accuracy.truth import TruePage
from benchmarks.contenders import own_archive
from cli.session import open_session
from engines.contract import OcrEngine
from engines.registry import build_engine
from engines.types import PageImage
from pipeline.reading.documents import open_document
from pipeline.reading.types import Limits, RasterRules
from pipeline.settings import Settings
from pipeline.states import DocumentStatus
from pipeline.store import documents, pages, readings

PROCESSES = 2
NO_DPI = 70
"""What Tesseract's command assumes of a picture that states none."""
OCRMYPDF_DPI = "300"
"""OCRmyPDF refuses a picture that states none."""


@dataclass(frozen=True, slots=True)
class Read:
    text: str
    seconds: float


Reader = Callable[[Sequence[TruePage]], Mapping[Path, Read]]


def arsip(settings: Mapping[str, str]) -> Reader:
    """`arsip ingest` into an empty archive, with these environment variables."""
    return partial(_arsip, settings)


def engine_alone(name: str) -> Reader:
    """The engine with its defaults, given the picture as it is in the file."""
    return partial(_in_processes, partial(_read_with, name))


def ocrmypdf(truth: Sequence[TruePage]) -> Mapping[Path, Read]:
    """`ocrmypdf --output-type none --sidecar`, one command a page."""
    return _in_processes(_ocrmypdf, truth)


def _arsip(variables: Mapping[str, str], truth: Sequence[TruePage]) -> Mapping[Path, Read]:
    with empty_archive() as settings:
        for language in dict.fromkeys(page.language for page in truth):
            ingest(settings, variables, language, [page.path for page in truth if page.language == language])
        return dict(_in_archive(settings))


@contextmanager
def empty_archive() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="arsip-accuracy-") as home:
        # The embedded PostgreSQL runs as another user where this one is root.
        Path(home).chmod(0o755)
        yield Settings(home=Path(home), database_url=None, redis_url=None, blob_url=None)


def ingest(settings: Settings, variables: Mapping[str, str], language: str, files: Sequence[Path]) -> None:
    """`arsip ingest` of some files, to the end."""
    program = str(Path(sys.executable).with_name("arsip"))
    environment = own_archive(str(settings.home), **variables, OMP_THREAD_LIMIT="1")
    command = [program, "ingest", "--lang", language, "--workers", str(PROCESSES), "--json", *map(str, files)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[:6]} ended with {done.returncode}: {done.stderr[-2000:]}")


def _in_archive(settings: Settings) -> Iterator[tuple[Path, Read]]:
    with open_session(settings) as session, session.archive.database.session() as transaction:
        for document_id in documents.in_status(transaction, DocumentStatus.PROCESSED):
            found = pages.listed(transaction, document_id)
            spent = [*found, *readings.of_document(transaction, document_id)]
            read = Read("\n".join(page.text or "" for page in found), sum(one.duration_ms or 0 for one in spent) / 1000)
            for path in documents.paths(transaction, document_id):
                yield Path(path), read


def _in_processes(read: Callable[[TruePage], Read], truth: Sequence[TruePage]) -> Mapping[Path, Read]:
    os.environ["OMP_THREAD_LIMIT"] = "1"
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        return dict(zip([page.path for page in truth], pool.map(read, truth), strict=True))


_open: dict[tuple[str, str], OcrEngine] = {}


def _read_with(name: str, page: TruePage) -> Read:
    key = name, page.language
    if key not in _open:
        plain = {"turn_upright": False, "straighten": False, "look_again": False} if name == "tesseract" else {}
        _open[key] = build_engine(name, plain, [page.language])
        _open[key].open()
    started = time.perf_counter()
    (found,) = _open[key].recognize([_picture(page.path)])
    return Read(found.text, time.perf_counter() - started)


def _picture(path: Path) -> PageImage:
    if path.suffix == ".pdf":
        with open_document(path, Limits(max_pages=100, max_image_megapixels=500)) as document:
            rules = RasterRules(dpi=300, max_megapixels=100, max_image_megapixels=500)
            return document.raster(1, rules).image
    with Image.open(path) as picture:
        dpi = float(picture.info.get("dpi", (NO_DPI,))[0] or NO_DPI)
        return PageImage(np.asarray(ImageOps.exif_transpose(picture).convert("L")), max(dpi, NO_DPI))


def _ocrmypdf(page: TruePage) -> Read:
    program = shutil.which("ocrmypdf") or str(Path(sys.executable).with_name("ocrmypdf"))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        options = ["--output-type", "none", "--jobs", "1", "--quiet", "-l", page.language, "--sidecar", str(text)]
        if page.path.suffix == ".pdf":
            options += ["--force-ocr"]
        command = [program, *options, "--image-dpi", OCRMYPDF_DPI, str(page.path), "-"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # A page that it refuses counts as nothing read.
        return Read(text.read_text() if done.returncode == 0 else "", time.perf_counter() - started)
