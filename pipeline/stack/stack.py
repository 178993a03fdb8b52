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
    database = settings.database_url and settings.database_url.get_secret_value()
    redis = settings.redis_url and settings.redis_url.get_secret_value()
    if database and redis:
        yield ServerUrls(database=database, redis=redis)
        return
    run = _private_directory(settings.home / "run")
    with _users_lock(run) as users:
        with _exclusive(run / "start.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not database:
                database = postgres.start(settings.home / "postgres")
                migrate.upgrade(database)
            redis = redis or valkey.start(settings.home / "valkey")
        try:
            yield ServerUrls(database=database, redis=redis)
        finally:
            _leave(users, run, settings)


def _leave(users: int, run: Path, settings: Settings) -> None:
    """Stop the servers if nobody else uses them; who wants to join waits for that."""
    with _exclusive(run / "start.lock"):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if settings.redis_url is None:
            valkey.stop(settings.home / "valkey")
        if settings.database_url is None:
            postgres.stop(settings.home / "postgres")


@contextmanager
def _users_lock(run: Path) -> Iterator[int]:
    # Python's descriptors are closed on exec, so children of this process do not hold the lock.
    descriptor = os.open(run / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _private_directory(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} is not writable")
    except OSError as error:
        raise ConfigurationError(
            f"the data directory cannot be used ({error}); set ARSIP_HOME to a folder of yours, "
            "or ARSIP_DATABASE_URL and ARSIP_REDIS_URL to servers that run"
        ) from error
    return path
