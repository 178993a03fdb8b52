"""The archive as one object: its settings, database, originals and search index, opened together at the edge."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline import migrate
from pipeline.blobs.store import BlobStore
from pipeline.database import Database
from pipeline.errors import ConfigurationError
from pipeline.search.contract import SearchIndex
from pipeline.search.registry import open_index
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Archive:
    settings: Settings
    database: Database
    blobs: BlobStore
    index: SearchIndex


@contextmanager
def open_archive(settings: Settings, database_url: str) -> Iterator[Archive]:
    """Open the archive whose database is at `database_url`.

    Raises:
        ConfigurationError: a URL or a plug-in's name is wrong, or the database's schema is not this version's.
        StorageUnavailable: Postgres cannot be reached.
    """
    if (revision := migrate.current(database_url)) != migrate.head():
        raise ConfigurationError(
            f"the database's schema is at revision {revision or 'none'}, this arsip needs {migrate.head()}: "
            "run `arsip db upgrade`, or a newer arsip if the database is ahead"
        )
    database = Database(database_url)
    try:
        blobs = BlobStore.open(settings.blob_url or (settings.home / "blobs").as_uri())
        index = open_index(settings, database)
        try:
            yield Archive(settings=settings, database=database, blobs=blobs, index=index)
        finally:
            index.close()
    finally:
        database.close()
