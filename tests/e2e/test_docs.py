"""Every command in the docs works as it is written, in order, on an archive of its own."""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def commands() -> list[str]:
    text = "".join((ROOT / name).read_text() for name in ("README.md", "docs/reliability.md"))
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("make ")]


def test_the_commands_of_the_docs_work(environment: dict[str, str]) -> None:
    found = commands()
    assert len(found) > 8
    for command in found:
        arguments = shlex.split(command)
        process = subprocess.Popen(
            [BIN / arguments[0], *arguments[1:], *(["--workers", "2"] if _waits(arguments) else [])],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if "worker" in arguments:
            assert process.stderr
            assert "workers take" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
        output, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, f"{command}: {output}{complaint}"


def _waits(arguments: list[str]) -> bool:
    """On servers of one's own, workers are started elsewhere; here there are none but these."""
    return arguments[1] in {"ingest"} | ({"documents"} if "reprocess" in arguments else set()) and (
        "--no-wait" not in arguments
    )


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "benchmarks/README.md",
        "docs/reliability.md",
        "docs/accuracy.md",
        "docs/gpu.md",
        "examples/arsip-tesseract-command/README.md",
    ],
)
def test_links_in_the_docs_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{document} links to {target}"
