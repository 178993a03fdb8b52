"""Migrations of the schema, by alembic's API. Two processes that upgrade at once take turns on a Postgres lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

import pipeline
from alembic import command
from pipeline.database import Database

LOCK = 0x61727369
"""The advisory lock that upgrades take turns on; "arsi" in ASCII."""


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up to `revision`; nothing happens if it is there.

    Raises:
        StorageUnavailable: Postgres cannot be reached.
    """
    with _locked(url) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision`; `base` leaves an empty database."""
    with _locked(url) as connection:
        command.downgrade(_config(connection), revision)


def current(url: str) -> str | None:
    """The revision that the database is at; None before the first migration."""
    database = Database(url)
    try:
        with database.session() as session:
            revision: str | None = MigrationContext.configure(session.connection()).get_current_revision()
            return revision
    finally:
        database.close()


def head() -> str:
    """The newest revision that this installation knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    database = Database(url)
    try:
        with database.session() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield session.connection()
    finally:
        database.close()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_scripts()))
    config.attributes["connection"] = connection
    return config


def _scripts() -> Path:
    """In a wheel the migrations lie inside the package, in a checkout beside it."""
    package = Path(pipeline.__file__).parent
    installed = package / "_migrations"
    return installed if installed.exists() else package.parent / "alembic"
