"""The child: `python -m pipeline.sandbox.child TASKS MEMORY_MB PARENT` confines itself and answers until the pipe ends.

TASKS names a function that returns the tasks, as in `pipeline.reading.tasks:tasks`. Requests come on standard input and
answers leave by standard output; both are moved away first, so that a library which prints cannot harm the protocol.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import ArsipError, CorruptDocument, OutOfMemory
from pipeline.sandbox import confinement, wire


def main() -> None:
    name, memory_mb, parent = sys.argv[1:]
    requests, answers = _take_pipes()
    confinement.limit(int(memory_mb), int(parent))
    # Before it is isolated, so that Python can still keep the byte code; nothing untrusted is open yet.
    module, function = name.split(":")
    tasks: dict[str, Callable[..., Any]] = getattr(importlib.import_module(module), function)()
    confinement.isolate(Path.cwd())
    while True:
        try:
            request = json.loads(wire.read(requests))
        except wire.EndOfStream:
            return
        wire.write(answers, _answer(tasks[request["task"]], request["arguments"]))


def _take_pipes() -> tuple[int, int]:
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _answer(task: Callable[..., Any], arguments: dict[str, Any]) -> bytes:
    try:
        return _encode({"result": task(**arguments)})
    except MemoryError as error:
        return _error(OutOfMemory(str(error)))
    except ArsipError as error:
        return _error(error)
    except Exception as error:  # noqa: BLE001
        # A parser tripped in a way that nobody foresaw. The same bytes would trip it again: no crash to retry.
        traceback.print_exc()
        return _error(CorruptDocument(f"it could not be read ({type(error).__name__}: {error})"))


def _error(error: ArsipError) -> bytes:
    return _encode({"error": {"code": error.code, "message": str(error)}})


def _encode(answer: dict[str, Any]) -> bytes:
    return wire.encode(answer, surrogates="replace")


if __name__ == "__main__":
    main()
