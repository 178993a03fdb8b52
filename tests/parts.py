"""Real servers and tools that some tests need: a missing one is a skip on a newcomer's machine and a failure in CI."""

import os
import shutil
from pathlib import Path

import pytest

PLACES = (Path.home() / "go/bin", Path("/usr/lib/postgresql"), Path("/usr/sbin"))


def require_part(program: str, *, install: str) -> Path:
    """The program's path; `install` tells how to get it.

    Skips the test if the program is missing, or fails it when ARSIP_REQUIRE_PARTS is set.
    """
    found = shutil.which(program) or next((str(p / program) for p in PLACES if (p / program).exists()), None)
    if found:
        return Path(found)
    return missing(f"{program} is not installed ({install})")


def missing(reason: str) -> Path:
    if os.environ.get("ARSIP_REQUIRE_PARTS"):
        pytest.fail(reason)
    pytest.skip(reason)
