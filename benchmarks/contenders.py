"""Who is measured. Each takes the input and the number of processes and returns the seconds of the whole command."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ONE_THREAD = {**os.environ, "OMP_THREAD_LIMIT": "1"}


def own_archive(home: str, **variables: str) -> dict[str, str]:
    """An environment in which arsip has an archive of its own in `home`, whatever servers this process is told of."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARSIP_")}
    return {**inherited, "ARSIP_HOME": home, **variables}


ONE_LOOK = {"options": {"turn_upright": False, "straighten": False, "look_again": False}}
"""An OCR queue whose Tesseract does what the engine alone does, and nothing for pages that read badly."""


def arsip(source: Path, processes: int, *, tesseract: Mapping[str, object] | None = None) -> float:
    """`arsip ingest` into an empty archive on the embedded servers: their start and that of the workers included.

    The database is made before, as that is done once in an archive's life.

    Args:
        tesseract: settings of the OCR queue, if not the usual ones.
    """
    program = str(Path(sys.executable).with_name("arsip"))
    with tempfile.TemporaryDirectory(prefix="arsip-bench-") as home:
        Path(home).chmod(0o755)
        # Pages that are measured several times are read each time, as the other contenders do.
        environment = own_archive(home, ARSIP_REUSE_RESULTS="false")
        if tesseract:
            environment["ARSIP_OCR_QUEUES"] = json.dumps({"tesseract": tesseract})
        _timed([program, "db", "upgrade"], environment)
        return _timed([program, "ingest", "--json", "--workers", str(processes), str(source)], environment)


def engine_alone(source: Path, processes: int) -> float:
    """Tesseract held open in each process, which take the same pages from one list, and nothing else."""
    files = map(str, sorted(source.iterdir()) if source.is_dir() else [source])
    return _timed([sys.executable, "-m", "benchmarks.engine_loop", str(processes), *files], ONE_THREAD)


def ocrmypdf(source: Path, processes: int) -> float:
    """`ocrmypdf --output-type none --sidecar`: one command for a PDF; for a folder one per file, so many at a time."""
    program = shutil.which("ocrmypdf") or str(Path(sys.executable).with_name("ocrmypdf"))
    options = ["--output-type", "none", "--image-dpi", "300", "--quiet", "--sidecar"]
    with tempfile.TemporaryDirectory() as folder:
        if source.is_file():
            command = [program, "--jobs", str(processes), *options, f"{folder}/text", str(source), "-"]
            return _timed(command, ONE_THREAD)
        commands = [
            [program, "--jobs", "1", *options, f"{folder}/{file.name}.txt", str(file), "-"]
            for file in sorted(source.iterdir())
        ]
        started = time.monotonic()
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(lambda command: _timed(command, ONE_THREAD), commands))
        return time.monotonic() - started


def _timed(command: Sequence[str], environment: dict[str, str]) -> float:
    started = time.monotonic()
    done = subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{done.args} exited with {done.returncode}: {done.stderr[-2000:]}")
    return time.monotonic() - started
