"""`arsip engines`, `arsip stats`, and engines that somebody else made."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.database import Database
from tests.e2e.conftest import Arsip
from tests.factories import save_scan
from tests.parts import require_part
from tests.processes import ARSIP, lines, statuses

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/arsip-tesseract-command"
BROKEN = """[arsip.ocr_engines]
broken = a_module_that_is_nowhere:Engine
"""
QUEUE_OF_EXAMPLE = {"command": {"engine": "tesseract-command", "options": {"page_segmentation": 6}}}


def run(command: list[object], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example plug-in is installed in, as `pip install` does it."""
    require_part("tesseract", install="apt install tesseract-ocr")
    folder = tmp_path_factory.mktemp("plugin")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, EXAMPLE]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def with_example(environment: dict[str, str], example: Path) -> dict[str, str]:
    path = os.pathsep.join([str(example), str(ROOT)])
    return environment | {"PYTHONPATH": path, "ARSIP_OCR_QUEUES": json.dumps(QUEUE_OF_EXAMPLE)}


def test_engines_are_listed_with_version_languages_and_queues(arsip: Arsip) -> None:
    found = {row["engine"]: row for row in lines(arsip("engines", "list", "--json"))}
    assert {"tesseract", "easyocr", "rapidocr", "null"} <= set(found)
    tesseract = found["tesseract"]
    assert tesseract["version"].startswith("5.")
    assert "eng" in tesseract["languages"]
    assert tesseract["queues"] == ["ocr.tesseract"]
    assert "ocr.tesseract" in arsip("engines", "list").stdout


def test_a_check_reads_a_page_and_says_how_long_it_took(arsip: Arsip) -> None:
    (row,) = lines(arsip("engines", "check", "--json"))
    assert (row["name"], row["engine"], row["device"], row["error"]) == ("ocr.tesseract", "tesseract", "cpu", None)
    assert row["found"] == 1
    assert row["page_seconds"] > 0
    assert "found 100% of its words" in arsip("engines", "check", "tesseract").stdout


def test_a_check_fails_where_an_engine_does(environment: dict[str, str]) -> None:
    options = {"missing": {"engine": "tesseract", "options": {"page_segmentation": 99}}}
    done = run([ARSIP, "engines", "check", "ocr.missing"], environment | {"ARSIP_OCR_QUEUES": json.dumps(options)})
    assert done.returncode == 1
    assert "page_segmentation" in done.stdout
    done = run([ARSIP, "engines", "check", "tesserakt"], environment)
    assert done.returncode == 78
    assert "engines: easyocr, null, rapidocr, tesseract" in done.stderr


@pytest.mark.parametrize("engine", ["broken", "nowhere"])
def test_a_worker_does_not_start_without_the_engine_of_its_queue(
    environment: dict[str, str], tmp_path: Path, engine: str
) -> None:
    plugin = tmp_path / "broken-1.dist-info"
    plugin.mkdir()
    (plugin / "entry_points.txt").write_text(BROKEN)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    queues = {"other": {"engine": engine}}
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    changed = environment | {"PYTHONPATH": path, "ARSIP_OCR_QUEUES": json.dumps(queues)}
    done = run([ARSIP, "worker", "--processes", "1", "--no-scheduler"], changed)
    assert done.returncode == 78
    assert "queue ocr.other: " in done.stderr
    assert repr(engine) in done.stderr
    assert "installed engines: broken, easyocr, null, rapidocr, tesseract" in done.stderr
    done = run([ARSIP, "engines", "list"], changed)
    assert done.returncode == 0
    assert "cannot be imported" in done.stdout


def test_the_example_plug_in_passes_the_contract(with_example: dict[str, str]) -> None:
    pytest_ = [sys.executable, "-m", "pytest", "--rootdir", EXAMPLE, "-c", os.devnull, "-q", EXAMPLE / "tests"]
    done = run([*pytest_, "-p", "no:cacheprovider"], with_example)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_the_example_plug_in_reads_documents_of_its_queue(
    with_example: dict[str, str], tmp_path: Path, database: Database
) -> None:
    (row,) = lines(run([ARSIP, "engines", "check", "ocr.command", "--json"], with_example))
    assert (row["engine"], row["error"]) == ("tesseract-command", None)
    scan = save_scan(tmp_path / "scan.png")
    done = run([ARSIP, "ingest", scan, "--queue", "ocr.command", "--workers", "1"], with_example)
    assert done.returncode == 0, done.stderr
    assert statuses(database) == {"PROCESSED"}
    (page,) = lines(run([ARSIP, "documents", "text", "1", "--json"], with_example))
    assert page["engine"] == "tesseract-command"
    assert "pemeliharaan" in page["text"]


def test_a_queue_that_is_not_there_is_refused_with_the_way_to_add_it(arsip: Arsip, tmp_path: Path) -> None:
    done = arsip("ingest", save_scan(tmp_path / "scan.png"), "--queue", "ocr.rapidocr")
    assert done.returncode == 78
    assert "ARSIP_OCR_QUEUES" in done.stderr


def test_queues_and_figures_of_a_run(arsip: Arsip, tmp_path: Path) -> None:
    scan = save_scan(tmp_path / "scan.png")
    arsip("ingest", scan, "--no-wait")
    done = arsip("queue", "status")
    assert done.returncode == 1
    assert "nobody takes this queue" in done.stdout
    found = {row["queue"]: row for row in lines(arsip("queue", "status", "--json"))}
    assert (found["ingest"]["waiting"], found["ingest"]["unserved"]) == (1, True)
    assert found["ocr.tesseract"]["engine"] == "tesseract"

    assert arsip("ingest", scan, "--workers", "1").returncode == 0
    assert arsip("queue", "status").returncode == 0
    documents, read = lines(arsip("stats", "--json"))
    assert documents == {"documents": {"PROCESSED": 1}}
    assert (read["method"], read["engine"], read["pages"]) == ("ocr", "tesseract", 1)
    assert read["seconds"] > 0
    assert "tesseract, ocr" in arsip("stats").stdout
