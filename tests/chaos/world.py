"""The world that faults strike: servers behind proxies, workers under supervisors, and a direct way for the auditor."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psutil
import redis

from pipeline import migrate
from pipeline.database import Database
from pipeline.stack import postgres, valkey
from tests.chaos import history
from tests.chaos.documents import DEADLY
from tests.chaos.proxy import Toxiproxy
from tests.chaos.relay import Relay
from tests.processes import ARSIP

SETTINGS = {
    "lease_seconds": 6,
    "lease_renew_seconds": 1.5,
    "ring_every_seconds": 1,
    "ring_again_after_seconds": 5,
    "worker_grace_seconds": 5,
    "page_time_limit": 30,
    "pages_per_job": 2,
    "ingest_queue": {"time_limit": 60, "retries": 4, "min_backoff": 0.2, "max_backoff": 2},
    "index_queue": {"time_limit": 60, "retries": 4, "min_backoff": 0.2, "max_backoff": 2},
    "ocr_queues": {
        name: {"engine": name, "time_limit": 60, "retries": 4, "min_backoff": 0.2, "max_backoff": 2}
        for name in ("tesseract", DEADLY)
    },
}
"""The defaults in small, so that minutes show what else takes hours."""
WORKER_SETTINGS = {"WORKER_MAX_JOBS": "60"}
PLUGIN = Path(__file__).parent / "plugin"
"""A third party's engine, which dies on every page."""


class World:
    """
    Args:
        home: for the servers' data, the originals, the logs; must be reachable for the user that runs PostgreSQL.
        toxiproxy: the program.
    """

    def __init__(self, home: Path, toxiproxy: Path) -> None:
        self.home = home
        (home / "run").mkdir(parents=True)
        self.postgres, self.valkey = home / "postgres", home / "valkey"
        self.database_url = postgres.start(self.postgres)
        self.redis_url = valkey.start(self.valkey)
        migrate.upgrade(self.database_url)
        self.database = Database(self.database_url)
        history.install(self.database)
        self.redis: redis.Redis = redis.Redis.from_url(self.redis_url)  # type: ignore[type-arg]
        self.proxy = Toxiproxy(toxiproxy)
        sockets = Path(parse_qs(urlsplit(self.database_url).query)["host"][0])
        ports = {
            "postgres": self.proxy.add("postgres", Relay(sockets / postgres.SOCKET).port),
            "redis": self.proxy.add("redis", Relay(Path(unquote(urlsplit(self.redis_url).path))).port),
        }
        self.environment = self._environment(ports)
        self._supervisors: list[subprocess.Popen[bytes]] = []
        self._ingesting: list[subprocess.Popen[str]] = []

    def _environment(self, ports: dict[str, int]) -> dict[str, str]:
        values = {name: value for name, value in os.environ.items() if not name.startswith(("ARSIP_", "WORKER_"))}
        for name, value in SETTINGS.items():
            values[f"ARSIP_{name.upper()}"] = json.dumps(value)
        values["ARSIP_HOME"] = str(self.home)
        # Short of the defaults, so that a stall of some seconds is a failure.
        values["ARSIP_DATABASE_URL"] = f"postgresql://postgres@127.0.0.1:{ports['postgres']}/postgres?connect_timeout=3"
        values["ARSIP_REDIS_URL"] = f"redis://127.0.0.1:{ports['redis']}/0?socket_timeout=2&socket_connect_timeout=2"
        values["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLUGIN), values.get("PYTHONPATH")]))
        return values | WORKER_SETTINGS

    def start_supervisor(self, processes: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        with (self.home / "workers.log").open("ab") as log:
            command = [ARSIP, "worker", "--processes", str(processes)]
            values = self.environment | environment
            started = subprocess.Popen(command, env=values, stdout=log, stderr=log, start_new_session=True)
        self._supervisors.append(started)
        return started

    @property
    def supervisors(self) -> list[subprocess.Popen[bytes]]:
        """Those that run."""
        return [process for process in self._supervisors if process.poll() is None]

    def workers(self) -> list[psutil.Process]:
        return self._processes("actors.worker")

    def children(self) -> list[psutil.Process]:
        """The sandboxed processes that open documents."""
        return self._processes("pipeline.sandbox.child")

    def _processes(self, module: str) -> list[psutil.Process]:
        found = []
        for supervisor in self.supervisors:
            with suppress(psutil.Error):
                for process in psutil.Process(supervisor.pid).children(recursive=True):
                    with suppress(psutil.Error):
                        if module in process.cmdline():
                            found.append(process)
        return found

    def ingest(self, *paths: Path, queue: str = "ocr.tesseract") -> list[dict[str, object]]:
        """What `arsip ingest --no-wait` says of each file that it comes to; it may be killed meanwhile."""
        command = subprocess.Popen(
            [ARSIP, "ingest", "--no-wait", "--json", "--queue", queue, *paths],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._ingesting.append(command)
        try:
            output, _ = command.communicate(timeout=300)
        finally:
            self._ingesting.remove(command)
        # The last line of one that was killed may be cut off.
        whole = [line for line in output.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in map(json.loads, whole) if "path" in line]

    @property
    def ingesting(self) -> list[subprocess.Popen[str]]:
        """Commands that run."""
        return list(self._ingesting)

    def heal(self) -> None:
        """Everything runs and answers again."""
        postgres.start(self.postgres)
        valkey.start(self.valkey)
        self.redis.config_set("maxmemory", 0)

    def close(self) -> None:
        for supervisor in self.supervisors:
            supervisor.send_signal(signal.SIGTERM)
        for supervisor in self.supervisors:
            with suppress(subprocess.TimeoutExpired):
                supervisor.wait(30)
            supervisor.kill()
        self.database.close()
        self.proxy.close()
        valkey.stop(self.valkey)
        postgres.stop(self.postgres)
