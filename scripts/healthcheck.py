"""The containers' health check: exits with 0 if a worker process is there, and Postgres and Redis answer.

It opens no document and leaves the GPU alone, so that it can be run every minute beside the work. That pages are read, it
does not show: `arsip queue failed` tells of those that are not.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence

import psutil
import psycopg2
import redis
from pydantic import SecretStr

from pipeline.settings import Settings

SECONDS = 5
"""For each server to answer in; both together stay within the Dockerfiles' time-out."""
WORKER = ("-m", "actors.worker")
"""What follows Python's own path where `arsip worker` starts a worker."""


def faults(settings: Settings, commands: Iterable[Sequence[str]]) -> Iterator[str]:
    """What is wrong, as lines for a person; never a URL, which may hold a password.

    Args:
        commands: the command lines of all processes that run here.
    """
    if not any(tuple(command[1:3]) == WORKER for command in commands):
        yield "no worker process runs"
    for name, url, fault in (
        ("ARSIP_DATABASE_URL", settings.database_url, _postgres_fault),
        ("ARSIP_REDIS_URL", settings.redis_url, _redis_fault),
    ):
        if url is None:
            yield f"{name} is not set"
        elif reason := fault(url):
            yield reason


def _postgres_fault(url: SecretStr) -> str | None:
    try:
        psycopg2.connect(url.get_secret_value(), connect_timeout=SECONDS).close()
    except psycopg2.OperationalError as error:
        return f"Postgres does not answer: {' '.join(str(error).split())}"
    except psycopg2.ProgrammingError:
        # Its message has the part of the URL that cannot be read, which may be the password.
        return "ARSIP_DATABASE_URL is no URL that Postgres knows"
    return None


def _redis_fault(url: SecretStr) -> str | None:
    try:
        with redis.Redis.from_url(
            url.get_secret_value(), socket_connect_timeout=SECONDS, socket_timeout=SECONDS
        ) as client:
            client.ping()
    except redis.RedisError as error:
        return f"Redis does not answer: {error}"
    return None


def main() -> int:
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    found = list(faults(Settings(), commands))
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
