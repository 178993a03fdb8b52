"""The way to Postgres: connections, transactions, and the one place where driver errors become arsip's."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from pipeline.errors import DiskFull, StatementTimedOut, StorageUnavailable

DISK_FULL, QUERY_CANCELED = "53100", "57014"
"""Codes of Postgres; nobody but a time limit cancels statements here."""
DEAD_PEER = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""Seconds, seconds, probes, milliseconds: a connection whose other end is gone is given up after a minute."""


class Database:
    """A pool of connections to one Postgres database.

    Args:
        url: `postgresql://user:password@host:port/name`, or with `?host=/socket/directory`.
        pool_size: connections kept open; one per thread that works.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.engine = create_engine(
            url.replace("postgresql://", "postgresql+psycopg2://", 1),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "arsip", **DEAD_PEER},
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on an error.

        Raises:
            StorageUnavailable: Postgres cannot be reached, or went away; the work can be tried again.
        """
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise _translated(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _translated(error) from error
            raise

    @contextmanager
    def turn(self, key: int) -> Iterator[bool]:
        """True for one process at a time, on an advisory lock; the others get False and do not wait.

        Raises:
            StorageUnavailable: Postgres cannot be reached.
        """
        with self.session() as session:
            yield bool(session.scalar(select(func.pg_try_advisory_xact_lock(key))))

    def close(self) -> None:
        self.engine.dispose()


def _translated(error: DBAPIError | PoolTimeout) -> StorageUnavailable:
    cause = getattr(error, "orig", None) or error
    reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    code = getattr(cause, "pgcode", None)
    if code == DISK_FULL:
        return DiskFull(f"PostgreSQL's disk is full ({reason}); free some space, the work is tried again")
    if code == QUERY_CANCELED:
        return StatementTimedOut(f"PostgreSQL did not end a statement in time ({reason})")
    return StorageUnavailable(f"PostgreSQL is not reachable ({reason}); check the server and ARSIP_DATABASE_URL")
