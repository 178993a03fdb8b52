"""The parent's side: one child process that does tasks, killed at its deadline, replaced when dead or worn out."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from pydantic_core import from_json

from pipeline.errors import (
    ConfigurationError,
    EngineCrashed,
    EngineFailed,
    EngineTimedOut,
    Interrupted,
    OutOfMemory,
    PermanentError,
    from_code,
)
from pipeline.sandbox import wire
from pipeline.sandbox.process import ChildProcess
from pipeline.sandbox.stderr import printable

REPORTABLE = (PermanentError, ConfigurationError, EngineFailed, OutOfMemory)
"""What a task may raise. One that could raise `Interrupted` would have its job handed back for ever."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    memory_mb: int
    """Address space, which the kernel enforces at once and everywhere; resident memory is always less. 0: no limit."""
    max_pages: int
    """Pages after which the child is replaced: libraries leak."""


class Sandbox:
    """One call at a time; other threads wait.

    The kernel kills the child with the thread that started it, so call from a thread that stays. A child that
    died between two calls is replaced without a word.

    Args:
        tasks: where the child finds its tasks, as `module:function`.
    """

    def __init__(self, tasks: str, limits: SandboxLimits) -> None:
        self._tasks = tasks
        self._limits = limits
        self._lock = Lock()
        self._child: ChildProcess | None = None
        self._pages = 0
        self._abandoned = Event()

    def call(self, task: str, arguments: Mapping[str, object], *, seconds: float, pages: int = 0) -> Any:
        """Have a task done in the child.

        Args:
            seconds: the deadline, the start of a new child included; the child is killed at it.
            pages: how many pages the task handles, for the child's replacement.

        Returns:
            JSON that is whatever the child says: the caller checks it.

        Raises:
            EngineTimedOut, EngineCrashed, OutOfMemory: the child hung, died, or needed too much memory.
            PermanentError, ConfigurationError, EngineFailed: what the task itself raised.
            Interrupted: the sandbox was abandoned.
        """
        request = wire.encode({"task": task, "arguments": arguments}, surrogates="backslashreplace")
        with self._lock:
            try:
                child = self._ready_child()
                self._pages += pages
                answer = self._ask(child, request, seconds)
            except BaseException:
                # Whatever interrupted the exchange left the child in the middle of something.
                self._discard()
                raise
        if isinstance(answer, REPORTABLE):
            raise answer
        return answer

    def _ready_child(self) -> ChildProcess:
        if self._child and not self._child.is_quiet:
            self._discard()
        if self._child and self._pages >= self._limits.max_pages:
            self._child.stop()
            self._child = None
        if self._child:
            self._child.stderr.forget()
        else:
            self._child, self._pages = ChildProcess(self._tasks, self._limits.memory_mb), 0
        if self._abandoned.is_set():
            raise Interrupted("the worker stops")
        return self._child

    def _ask(self, child: ChildProcess, request: bytes, seconds: float) -> Any:
        """The task's result, or the error that it reported."""
        try:
            answer = _opened(child.exchange(request, seconds))
        except wire.DeadlinePassed:
            raise EngineTimedOut(f"no result within {seconds:g} s; the process that worked on it was stopped") from None
        except wire.EndOfStream:
            if self._abandoned.is_set():
                raise Interrupted("the page in hand was given up because the worker stops") from None
            raise child.cause_of_death() from None
        except wire.BadFrame as bad:
            raise EngineCrashed(f"the process that worked on it was stopped because it {bad}") from None
        if isinstance(answer, OutOfMemory):
            raise child.out_of_memory(str(answer))
        return answer

    def _discard(self) -> None:
        if self._child:
            self._child.kill()
            self._child = None

    def abandon(self) -> None:
        """Kill the child though a call may run; that call and all later ones raise `Interrupted`."""
        self._abandoned.set()
        if child := self._child:
            child.send_kill()

    def close(self) -> None:
        """End the child when no call runs any more."""
        with self._lock:
            if self._child:
                self._child.stop()
                self._child = None


def _opened(frame: bytearray) -> Any:
    """The result in an answer, or the error that it reports.

    Raises:
        wire.BadFrame: it is no answer.
    """
    try:
        answer = from_json(frame, allow_inf_nan=False)
    except ValueError as error:
        raise wire.BadFrame(f"answered something that is not JSON: {error}") from None
    match answer:
        case {"result": result}:
            return result
        case {"error": {"code": str(code), "message": str(message)}}:
            reported = from_code(code, printable(message))
            if isinstance(reported, REPORTABLE):
                return reported
            raise wire.BadFrame(f"reported the error {printable(code, 40)!r}, which no task raises")
        case _:
            raise wire.BadFrame("answered something that is no answer")
