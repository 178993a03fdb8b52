"""Opening and leaving the stack."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import migrate
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from pipeline.stack import postgres, valkey


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where the servers are; may hold passwords, so it does not print them."""

    database: str = field(repr=False)
    redis: str = field(repr=False)


@contextmanager
def open_stack(settings: Settings) -> Iterator[ServerUrls]:
    """Start the servers that no URL is given for, or join those that run; leave them at the end.

    Raises:
        NotInstalled: a server is needed whose wheel is missing.
        ConfigurationError: the data directory cannot be used.
        StorageUnavailable: a server does not start; the message has the end of its log.
    """
    if settings.database_url and settings.redis_url:
        yield _start(settings, settings.home)
        return
    home = _usable(settings.home)
    with _lock_file(home, "users.lock") as users:
        try:
            with _exclusive(home):
                fcntl.flock(users, fcntl.LOCK_SH)
                urls = _start(settings, home)
                if settings.database_url is None:
                    migrate.upgrade(urls.database)
            yield urls
        finally:
            _leave(users, home)


def ensure_running(settings: Settings) -> None:
    """Start again an embedded server that died; for a process that has the stack open.

    Raises:
        StorageUnavailable: it does not start.
    """
    if settings.database_url and settings.redis_url:
        return
    home = _usable(settings.home)
    with _exclusive(home):
        _start(settings, home)


def _start(settings: Settings, home: Path) -> ServerUrls:
    database, redis = settings.database_url, settings.redis_url
    return ServerUrls(
        database=database.get_secret_value() if database else postgres.start(home / "postgres"),
        redis=redis.get_secret_value() if redis else valkey.start(home / "valkey"),
    )


def _leave(users: int, home: Path) -> None:
    """Stop the servers if nobody else uses them; who wants to join waits for that."""
    with _exclusive(home):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            valkey.stop(home / "valkey")
        finally:
            postgres.stop(home / "postgres")


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Nobody else starts or stops servers meanwhile."""
    with _lock_file(home, "start.lock") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _lock_file(home: Path, name: str) -> Iterator[int]:
    # Python's descriptors are closed on exec, so children of this process do not hold the lock.
    descriptor = os.open(home / "run" / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _usable(home: Path) -> Path:
    """The data directory, made private if it is not there; without links, so that its servers know it again."""
    home = home.resolve()
    run = home / "run"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        run.mkdir(exist_ok=True, mode=0o700)
        if not os.access(run, os.W_OK):
            raise PermissionError(f"{run} is not writable")
    except OSError as error:
        raise ConfigurationError(
            f"the data directory {home} cannot be used ({error}); set ARSIP_HOME to a folder of yours, "
            "or ARSIP_DATABASE_URL and ARSIP_REDIS_URL to servers that run"
        ) from error
    return home
