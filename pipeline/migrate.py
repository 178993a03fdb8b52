"""Migrations of the schema, by alembic's API. Two processes that upgrade at once take turns on a Postgres lock.

alembic is imported when something has to be migrated: it takes as long to load as the rest of a command.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError

import pipeline
from pipeline.database import Database
from pipeline.errors import ConfigurationError

LOCK = 0x61727369
"""The advisory lock that upgrades take turns on; "arsi" in ASCII."""


def upgrade(url: str) -> None:
    """Bring the schema up to the newest revision; nothing happens if it is there.

    Raises:
        StorageUnavailable: Postgres cannot be reached.
        ConfigurationError: a newer arsip has migrated the database, or its user may not change the schema.
    """
    revision = current(url)
    if revision == head():
        return
    if revision not in {None, *_revisions()}:
        raise ConfigurationError(
            f"the database's schema is at revision {revision}, this arsip knows none after {head()}: "
            "install the arsip that migrated it, or a newer one"
        )
    _migrate(url, "upgrade", "head")


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision`; `base` leaves an empty database."""
    _migrate(url, "downgrade", revision)


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
    """The newest revision that this installation knows."""
    return max(_revisions())


def _revisions() -> list[str]:
    """Revisions are numbered, and so are their files."""
    return [file.name.split("_")[0] for file in (_scripts() / "versions").glob("[0-9]*.py")]


def _migrate(url: str, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # at INFO it tells of itself, even that it is imported
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    move = command.upgrade if direction == "upgrade" else command.downgrade
    try:
        with _locked(url) as connection:
            config.attributes["connection"] = connection
            move(config, revision)
    except ProgrammingError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise ConfigurationError(f"the database's schema cannot be migrated ({reason})") from error


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    database = Database(url)
    try:
        with database.session() as session:
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield session.connection()
    finally:
        database.close()


def _scripts() -> Path:
    """In a wheel the migrations lie inside the package, in a checkout beside it."""
    package = Path(pipeline.__file__).parent
    installed = package / "_migrations"
    return installed if installed.exists() else package.parent / "alembic"
