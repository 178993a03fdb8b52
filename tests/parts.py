"""Real servers and tools that some tests need: a missing one is a skip on a newcomer's machine and a failure in CI."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

PLACES = (Path.home() / "go/bin", Path("/usr/lib/postgresql"), Path("/usr/sbin"))


def find_part(*names: str) -> Path | None:
    """The path of a program that is installed under one of these names."""
    for name in names:
        if found := shutil.which(name):
            return Path(found)
        for place in PLACES:
            if (place / name).exists():
                return place / name
    return None


def require_part(*names: str, install: str) -> Path:
    """The path of a program that has one of these names; `install` tells how to get it.

    Skips the test if the program is missing, or fails it when ARSIP_REQUIRE_PARTS is set.
    """
    return find_part(*names) or missing(f"{names[0]} is not installed ({install})")


def missing(reason: str) -> Path:
    if os.environ.get("ARSIP_REQUIRE_PARTS"):
        pytest.fail(reason)
    pytest.skip(reason)


def require_package(name: str, install: str) -> None:
    """Skips the test, or fails it when ARSIP_REQUIRE_PARTS is set, if a Python package is not there."""
    if not find_spec(name):
        missing(f"{name} is not installed ({install})")
