"""Migrations of the schema, by alembic's API. Two processes that upgrade at once take turns on a Postgres lock.

alembic is imported when something has to be migrated: it takes as long to load as the rest of a command.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

import pipeline
from pipeline.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

LOCK = 0x61727369
"""The advisory lock that upgrades take turns on; "arsi" in ASCII."""


def upgrade(url: str) -> None:
    """Bring the schema up to the newest revision; nothing happens if it is there.

    Raises:
        StorageUnavailable: Postgres cannot be reached.
    """
    if current(url) == head():
        return
    from alembic import command

    with _locked(url) as connection:
        command.upgrade(_config(connection), "head")


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision`; `base` leaves an empty database."""
    from alembic import command

    with _locked(url) as connection:
        command.downgrade(_config(connection), revision)


def current(url: str) -> str | None:
    """The revision that the database is at; None before the first migration."""
    database = Database(url)
    try:
        with database.session() as session:
            if not inspect(session.connection()).has_table("alembic_version"):
                return None
            revision: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
            return revision
    finally:
        database.close()


def head() -> str:
    """The newest revision that this installation knows: revisions are numbered, and so are their files."""
    return max(file.name.split("_")[0] for file in (_scripts() / "versions").glob("[0-9]*.py"))


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    database = Database(url)
    try:
        with database.session() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield session.connection()
    finally:
        database.close()


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> Path:
    """In a wheel the migrations lie inside the package, in a checkout beside it."""
    package = Path(pipeline.__file__).parent
    installed = package / "_migrations"
    return installed if installed.exists() else package.parent / "alembic"
