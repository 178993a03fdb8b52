"""The child: `python -m pipeline.sandbox.child TASKS MEMORY_MB`. It limits itself, then answers until the pipe ends.

TASKS names a function that returns the tasks, as in `pipeline.reading.tasks:tasks`. Requests come on standard input and
answers leave by standard output; both are moved away first, so that a library which prints cannot harm the protocol.
"""

import ctypes
import importlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from pipeline.errors import ArsipError, CorruptDocument, OutOfMemory
from pipeline.sandbox import wire

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNET = 0x40000000
OPEN_FILES = 256


def main() -> None:
    tasks_name, memory_mb = sys.argv[1:]
    requests, answers = _take_pipes()
    _confine(int(memory_mb))
    module, function = tasks_name.split(":")
    tasks: dict[str, Callable[..., Any]] = getattr(importlib.import_module(module), function)()
    while True:
        try:
            request = wire.read(requests)
        except wire.EndOfStream:
            return
        wire.write(answers, _answer(tasks, request))


def _take_pipes() -> tuple[int, int]:
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _confine(memory_mb: int) -> None:
    """No core dumps, few files; on Linux also limited memory, no new privileges, no network, death with the parent.

    An unprivileged user is not granted a network namespace of its own; then the child keeps the network.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    os.umask(0o077)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.unshare(CLONE_NEWNET)
        if os.getppid() == 1:
            # The parent died before the signal was asked for.
            sys.exit(1)


def _answer(tasks: dict[str, Callable[..., Any]], request: dict[str, Any]) -> bytes:
    try:
        return wire.encode({"result": tasks[request["task"]](**request["arguments"])})
    except MemoryError:
        return _error(OutOfMemory("it needs more memory than the sandbox allows"))
    except ArsipError as error:
        return _error(error)
    except Exception as error:  # noqa: BLE001
        # A parser tripped in a way that nobody foresaw. The same bytes would trip it again: no crash to retry.
        traceback.print_exc()
        return _error(CorruptDocument(f"it could not be read ({type(error).__name__}: {error})"))


def _error(error: ArsipError) -> bytes:
    return wire.encode({"error": {"code": error.code, "message": str(error)}})


if __name__ == "__main__":
    main()
