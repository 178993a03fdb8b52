"""What both embedded servers share: sockets in short private directories, logs, and the words of a failed start."""

import hashlib
import tempfile
from pathlib import Path

import platformdirs

from pipeline.errors import StorageUnavailable

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel's `sun_path` has 108 on Linux and 104 on macOS."""


def socket_directory(data: Path, socket_name: str) -> Path:
    """A directory for a Unix socket: the data directory, or a short one where that path would be too long."""
    if len(bytes(data / socket_name)) < LONGEST_SOCKET_PATH:
        return data
    digest = hashlib.sha256(bytes(data)).hexdigest()[:12]
    for base in (platformdirs.user_runtime_path(), Path(tempfile.gettempdir())):
        short = base / f"arsip-{digest}"
        if len(bytes(short / socket_name)) < LONGEST_SOCKET_PATH:
            short.mkdir(parents=True, exist_ok=True, mode=0o700)
            return short
    raise StorageUnavailable(f"no directory is short enough for the socket of {data}; set ARSIP_HOME to a shorter path")


def start_failure(server: str, log: Path, reason: object) -> StorageUnavailable:
    """The error of a server that did not start, with the end of its log."""
    tail = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
    return StorageUnavailable(
        "\n  ".join([f"the embedded {server} did not start ({reason}); its log is {log}:", *tail])
    )
