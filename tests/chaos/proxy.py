"""toxiproxy: cuts and stalls TCP connections when told to."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import free_port


class Toxiproxy:
    def __init__(self, program: Path) -> None:
        self._port = free_port()
        self._server = subprocess.Popen(
            [program, "-port", str(self._port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(100):
            try:
                self._call("GET", "/version")
            except urllib.error.URLError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("toxiproxy does not answer")

    def add(self, name: str, upstream_port: int) -> int:
        """A proxy in front of a port of this machine; returns its own port."""
        port = free_port()
        addresses = {"listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{upstream_port}"}
        self._call("POST", "/proxies", {"name": name, "enabled": True, **addresses})
        return port

    @contextmanager
    def cut(self, name: str) -> Iterator[None]:
        """All connections are closed and no new ones accepted."""
        self._call("POST", f"/proxies/{name}", {"enabled": False})
        try:
            yield
        finally:
            self._call("POST", f"/proxies/{name}", {"enabled": True})

    @contextmanager
    def stalled(self, name: str) -> Iterator[None]:
        """Connections stay open and answers never come; afterwards those connections are closed."""
        toxic = {"name": "stall", "type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}
        self._call("POST", f"/proxies/{name}/toxics", toxic)
        try:
            yield
        finally:
            self._call("DELETE", f"/proxies/{name}/toxics/stall")
            # What was swallowed never comes, as after a partition: no TCP connection goes on from there.
            with self.cut(name):
                pass

    @contextmanager
    def slow(self, name: str, milliseconds: int) -> Iterator[None]:
        toxic = {"name": "slow", "type": "latency", "attributes": {"latency": milliseconds}}
        self._call("POST", f"/proxies/{name}/toxics", toxic)
        try:
            yield
        finally:
            self._call("DELETE", f"/proxies/{name}/toxics/slow")

    def close(self) -> None:
        self._server.kill()
        self._server.wait()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "User-Agent": "arsip"},
        )
        with urllib.request.urlopen(request, timeout=10):
            pass
