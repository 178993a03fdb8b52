"""The migrations make the database that the models describe, and can be taken back."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from pipeline import migrate
from pipeline.database import Database
from pipeline.errors import ConfigurationError, StorageUnavailable
from pipeline.tables import Base

ROOT = Path(__file__).parents[2]


CATALOGUE = """
SELECT 'column', concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, is_identity)
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'constraint', concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
UNION ALL
SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""


def catalogue(database: Database) -> set[tuple[str, str]]:
    """Every column, constraint and index, as Postgres itself tells them: alembic does not compare checks."""
    with database.session() as session:
        return {(kind, definition) for kind, definition in session.execute(text(CATALOGUE))}


def test_models_and_migrations_make_the_same_database(database: Database, empty_database_url: str) -> None:
    with database.session() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []

    models = Database(empty_database_url)
    Base.metadata.create_all(models.engine)
    assert catalogue(database) == catalogue(models)
    models.close()


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


def test_a_schema_of_a_newer_arsip_is_refused(database_url: str, database: Database) -> None:
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="revision 9999"):
        migrate.upgrade(database_url)


def test_a_user_who_may_not_change_the_schema_is_told(empty_database_url: str) -> None:
    administration = Database(empty_database_url)
    with administration.session() as session:
        session.execute(text("DROP ROLE IF EXISTS reader"))
        session.execute(text("CREATE ROLE reader LOGIN"))
    administration.close()
    with pytest.raises(ConfigurationError, match="permission denied for schema public"):
        migrate.upgrade(empty_database_url.replace("postgres@", "reader@"))


def test_a_migration_is_silent(empty_database_url: str) -> None:
    program = "import logging, sys; from pipeline import migrate; logging.basicConfig(level='INFO'); "
    done = subprocess.run(
        [sys.executable, "-c", program + "migrate.upgrade(sys.argv[1])", empty_database_url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
