"""Real PostgreSQL and Valkey for every test run, from the wheels that arsip itself starts."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from sqlalchemy import text

from pipeline import migrate
from pipeline.archive import Archive, open_archive
from pipeline.database import Database
from pipeline.settings import Settings
from pipeline.stack import ServerUrls, open_stack
from tests.parts import missing, require_part


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own ARSIP_* settings do not reach the tests."""
    for name in os.environ:
        if name.startswith(("ARSIP_", "WORKER_", "REDIS_")) and name not in {"ARSIP_CORPUS", "ARSIP_REQUIRE_PARTS"}:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def servers() -> Iterator[ServerUrls]:
    """One PostgreSQL and one Valkey for the whole run; the database `template` is migrated once.

    They lie outside pytest's folders, which each run of pytest makes private again: as root, PostgreSQL runs as another
    user, and a second run would lock it out.
    """
    # By name: a developer's own ARSIP_REDIS_URL must never be the server that tests flush.
    with (
        TemporaryDirectory(prefix="arsip-tests-", ignore_cleanup_errors=True) as home,
        open_stack(Settings(home=Path(home), database_url=None, redis_url=None)) as urls,
    ):
        with _administration(urls) as execute:
            execute("CREATE DATABASE template")
        migrate.upgrade(_named(urls, "template"))
        yield urls


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def database_url(servers: ServerUrls, _numbers: Iterator[int]) -> Iterator[str]:
    """A database of its own, with the schema of the newest migration."""
    name = f"test_{next(_numbers)}"
    with _administration(servers) as execute:
        execute(f"CREATE DATABASE {name} TEMPLATE template")
    yield _named(servers, name)
    with _administration(servers) as execute:
        execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database_url(servers: ServerUrls, _numbers: Iterator[int]) -> Iterator[str]:
    """A database of its own without any table."""
    name = f"empty_{next(_numbers)}"
    with _administration(servers) as execute:
        execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield _named(servers, name)
    with _administration(servers) as execute:
        execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def redis_url(servers: ServerUrls) -> str:
    """An empty Valkey."""
    with redis.Redis.from_url(servers.redis) as client:
        client.flushall()
    return servers.redis


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    """Settings of an archive of its own on the real servers, with waits that suit a test."""
    return Settings.model_validate(
        {
            "home": tmp_path / "home",
            "database_url": database_url,
            "redis_url": redis_url,
            "ring_every_seconds": 1,
            "ring_again_after_seconds": 5,
            "lease_seconds": 12,
            "lease_renew_seconds": 3,
            "worker_grace_seconds": 5,
            "ingest_queue": {"time_limit": 60, "retries": 1, "min_backoff": 0.1},
            "index_queue": {"time_limit": 60, "retries": 1, "min_backoff": 0.1},
            "ocr_queues": {"tesseract": {"engine": "tesseract", "time_limit": 60, "retries": 1, "min_backoff": 0.1}},
        }
    )


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a separate `arsip` process has these settings."""
    values = {name: value for name, value in os.environ.items() if not name.startswith("ARSIP_")}
    for name, value in settings.model_dump(mode="json", exclude_unset=True).items():
        values[f"ARSIP_{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    assert settings.database_url
    assert settings.redis_url
    values["ARSIP_DATABASE_URL"] = settings.database_url.get_secret_value()
    values["ARSIP_REDIS_URL"] = settings.redis_url.get_secret_value()
    return values


@pytest.fixture
def archive(settings: Settings, database_url: str) -> Iterator[Archive]:
    with open_archive(settings, database_url) as archive:
        yield archive


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents; it is not part of the repository."""
    folder = os.environ.get("ARSIP_CORPUS")
    return Path(folder) if folder and Path(folder).is_dir() else missing("no real documents: set ARSIP_CORPUS")


@pytest.fixture(scope="session", name="require_part")
def _require_part() -> Callable[..., Path]:
    return require_part


def _named(urls: ServerUrls, name: str) -> str:
    return urls.database.replace("/postgres?", f"/{name}?", 1)


@contextmanager
def _administration(urls: ServerUrls) -> Iterator[Callable[[str], None]]:
    database = Database(urls.database)
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield lambda statement: connection.execute(text(statement)) and None
    database.close()
