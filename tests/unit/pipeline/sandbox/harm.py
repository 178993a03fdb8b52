"""Tasks that do a child harm, each named after it, and a few that tell how the child is kept. They run in the child."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import errors
from pipeline.sandbox import wire


def _answers() -> int:
    """The descriptor on which the child answers, as code that a document smuggled in would find it."""
    frame: Any = sys._getframe()
    while "answers" not in frame.f_locals:
        frame = frame.f_back
    return int(frame.f_locals["answers"])


def _say(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def echo(value: Any = None) -> Any:
    return value


def process() -> dict[str, Any]:
    return {"pid": os.getpid(), "scratch": str(Path.cwd()), "environment": dict(os.environ)}


def die_of_signal(number: int) -> None:
    os.kill(os.getpid(), number)


def exit_with(code: int, words: str) -> None:
    _say(words)
    os._exit(code)


def hang(announce: str | None = None) -> None:
    if announce:
        _say(f"{announce} {os.getpid()}")
    time.sleep(600)


def hang_with_a_program() -> None:
    program = subprocess.Popen(["sleep", "600"])
    _say(f"program {program.pid}")
    program.wait()


def crash_and_leave_a_program() -> None:
    program = subprocess.Popen(["sleep", "600"])
    _say(f"program {program.pid}")
    os.kill(os.getpid(), 11)


def escape_with_stderr() -> None:
    """A program in a session of its own keeps the child's standard error open."""
    program = subprocess.Popen(["sleep", "600"], start_new_session=True)
    _say(f"program {program.pid}")
    os._exit(1)


def raise_error(code: str, message: str) -> None:
    raise errors.from_code(code, message)


def trip() -> None:
    {}["missing"]


def eat_numpy(gigabytes: int) -> None:
    import numpy as np

    np.ones(gigabytes << 27)


def eat_bytes_in_bites() -> None:
    bites = []
    while True:
        bites.append(bytearray(b"x") * (8 << 20))


def eat_in_cpp() -> None:
    """`operator new`: nobody catches its std::bad_alloc, so the runtime aborts."""
    new = ctypes.CDLL("libstdc++.so.6")._Znwm
    new.argtypes = [ctypes.c_size_t]
    new(1 << 40)


def die_full(megabytes: int) -> None:
    """Without a word, as a library does that dereferences what `malloc` did not give."""
    full = bytearray(b"x") * (megabytes << 20)
    os.kill(os.getpid(), 11 if full else 0)


def print_on_stdout() -> str:
    sys.stdout.write("from Python\n")
    sys.stdout.flush()
    os.write(1, b"from a descriptor\n" * 10_000)
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    subprocess.run(["echo", "from a program"], check=True)
    return "done"


def flood_stderr(megabytes: int) -> str:
    for _ in range(megabytes):
        os.write(2, b"x" * (1 << 20))
    return "done"


def read_stdin() -> str:
    return sys.stdin.read()


def send_raw(text: str) -> None:
    os.write(_answers(), text.encode("latin-1"))
    time.sleep(600)


def send_frame(text: str) -> None:
    body = text.encode()
    send_raw((wire.HEADER.pack(len(body)) + body).decode("latin-1"))


def trickle() -> None:
    os.write(_answers(), wire.HEADER.pack(1 << 20))
    while True:
        os.write(_answers(), b" ")
        time.sleep(0.01)


def answer_the_next_call_too() -> None:
    body = json.dumps({"result": "forged"}).encode()
    frame = wire.HEADER.pack(len(body)) + body
    os.write(_answers(), frame + frame)
    time.sleep(600)


def close_the_pipe() -> None:
    os.close(_answers())
    time.sleep(600)


def size_of(path: str) -> int:
    return Path(path).stat().st_size


def write_file(path: str) -> None:
    Path(path).write_text("harm")


def read_environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def send_signal(pid: int) -> None:
    os.kill(pid, 0)


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def attempt(harm: str, **arguments: Any) -> str:
    """`done`, or the error that the system has for harm that it does not let happen."""
    try:
        TASKS[harm](**arguments)
    except OSError as error:
        return type(error).__name__
    return "done"


def _is_task(value: Any) -> bool:
    return callable(value) and getattr(value, "__module__", "") == __name__


TASKS: dict[str, Callable[..., Any]] = {name: value for name, value in globals().copy().items() if _is_task(value)}


def tasks() -> dict[str, Callable[..., Any]]:
    return TASKS
