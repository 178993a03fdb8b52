"""Submission: how fast many small files are taken in, and how much memory that needs at most."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contenders import own_archive


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
        process = subprocess.Popen(
            [program, "ingest", folder, "--no-wait", "--json"], env=own_archive(home), stdout=subprocess.DEVNULL
        )
        # Not RUSAGE_CHILDREN, which tells of the largest child that this process ever had.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
    if status:
        raise RuntimeError(f"arsip ingest exited with {os.waitstatus_to_exitcode(status)}")
    peak = usage.ru_maxrss / 1024
    table.add_row(f"{count:,}", f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{peak:.0f}")
    Console().print(table)
