"""The migrations make the database that the models describe, and can be taken back."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

import alembic
from pipeline import migrate
from pipeline.database import Database
from pipeline.errors import StorageUnavailable
from pipeline.tables import Base

ROOT = Path(__file__).parents[2]


def test_models_and_migrations_make_the_same_database(database: Database) -> None:
    with database.session() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_upgrade_downgrade_upgrade(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    assert migrate.current(empty_database_url) == migrate.head()

    migrate.downgrade(empty_database_url, "base")
    assert migrate.current(empty_database_url) is None
    database = Database(empty_database_url)
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.close()

    migrate.upgrade(empty_database_url)
    assert migrate.current(empty_database_url) == migrate.head()


def test_processes_that_upgrade_at_once_take_turns(empty_database_url: str) -> None:
    program = "import sys; from pipeline import migrate; migrate.upgrade(sys.argv[1])"
    upgrades = [
        subprocess.Popen([sys.executable, "-c", program, empty_database_url], cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for upgrade in upgrades:
        _, complaint = upgrade.communicate(timeout=60)
        assert upgrade.returncode == 0, complaint.decode()
    assert migrate.current(empty_database_url) == migrate.head()


def test_a_database_that_is_away_is_said_without_its_password() -> None:
    with pytest.raises(StorageUnavailable, match="not reachable") as caught:
        migrate.upgrade("postgresql://arsip:secret-word@127.0.0.1:1/arsip")
    assert "secret-word" not in str(caught.value)


def test_the_folder_alembic_does_not_hide_the_library() -> None:
    assert not (ROOT / "alembic/__init__.py").exists()
    assert ROOT not in Path(alembic.__file__).parents or ".venv" in alembic.__file__
