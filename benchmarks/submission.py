"""Submission: how fast many small files are taken in, and how much memory that needs at most."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table


def make_files(folder: Path, count: int) -> None:
    """Files of 2 kB that differ in content, a thousand to a folder."""
    for number in range(count):
        place = folder / f"{number // 1000:03d}"
        place.mkdir(exist_ok=True)
        (place / f"{number}.pdf").write_bytes(b"%PDF-1.4\n" + f"{number:08d}".encode() * 250)


def measure(count: int) -> None:
    table = Table("files", "seconds", "files/s", "peak memory, MB", title="arsip ingest --no-wait")
    with tempfile.TemporaryDirectory(prefix="arsip-bench-") as home, tempfile.TemporaryDirectory() as folder:
        Path(home).chmod(0o755)
        make_files(Path(folder), count)
        program = Path(sys.executable).with_name("arsip")
        started = time.monotonic()
        subprocess.run(
            [program, "ingest", folder, "--no-wait", "--json"],
            env={**os.environ, "ARSIP_HOME": home},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    table.add_row(f"{count:,}", f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{peak:.0f}")
    Console().print(table)
