"""A top-level folder `alembic` beside the library of that name: without an `__init__.py` in it, the library wins."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = "import alembic; from alembic import command, op; print(alembic.__file__, command.upgrade.__name__)"


def test_the_folder_is_no_package() -> None:
    assert (ROOT / "alembic/env.py").exists()
    assert not list((ROOT / "alembic").rglob("__init__.py"))


def test_the_library_is_found_even_with_the_repository_first_on_the_path() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    file, function = done.stdout.split()
    assert function == "upgrade"
    assert not Path(file).is_relative_to(ROOT / "alembic")


def test_the_command_finds_the_migrations() -> None:
    command = Path(sys.executable).with_name("alembic")
    done = subprocess.run([command, "heads"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "(head)" in done.stdout
