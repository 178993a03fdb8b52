"""A real S3 server over a folder."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.parts import require_part
from tests.ports import free_port

KEY_ID = "ARSIPTESTKEYID"
SECRET = "a-secret-that-nobody-may-see"
BUCKET = "originals"


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Its endpoint; the bucket `originals` is there and empty."""
    program = require_part("versitygw", install="go install github.com/versity/versitygw/cmd/versitygw@latest")
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    server = subprocess.Popen(
        [program, "--port", f"127.0.0.1:{port}", "posix", folder],
        env={"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": KEY_ID, "ROOT_SECRET_KEY": SECRET},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def use(endpoint: str, monkeypatch: pytest.MonkeyPatch, *, key_id: str = KEY_ID, secret: str = SECRET) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert server.poll() is None, "the S3 server ended"
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the S3 server does not answer")
