"""The parent's side: one child process that does tasks, killed at its deadline, replaced when dead or worn out."""

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from time import monotonic, sleep
from typing import IO, Any

from pipeline.errors import ArsipError, EngineCrashed, EngineTimedOut, OutOfMemory, from_code
from pipeline.sandbox import wire

logger = logging.getLogger(__name__)

INHERITED = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TESSDATA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "PYTHONPATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
"""All that a child sees of the parent's environment, which holds credentials."""
ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""A worker per CPU, and one thread in each: with OpenMP's own threads 2 cores took 50 times as long."""
NEAR_LIMIT = 0.85
"""A child that dies with so large a share of its memory in use died of it."""
OUT_OF_MEMORY_SIGNS = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory", "cannot allocate")
STDERR_LINES = 20
GOODBYE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    memory_mb: int
    """Address space, which the kernel enforces at once and everywhere; resident memory is always less."""
    max_pages: int
    """Pages after which the child is replaced: libraries leak."""


class Sandbox:
    """
    Args:
        tasks: where the child finds its tasks, as `module:function`.
    """

    def __init__(self, tasks: str, limits: SandboxLimits) -> None:
        self._tasks = tasks
        self._limits = limits
        self._lock = Lock()
        self._child: _Child | None = None
        self._pages = 0

    def call(self, task: str, arguments: Mapping[str, object], *, seconds: float, pages: int = 0) -> Any:
        """Have a task done in the child.

        Args:
            seconds: the deadline; the child is killed at it.
            pages: how many pages the task handles, for the child's replacement.

        Raises:
            EngineTimedOut, EngineCrashed, OutOfMemory: the child hung, died, or needed too much memory.
            ArsipError: what the task itself raised.
        """
        with self._lock:
            if self._child and self._pages >= self._limits.max_pages:
                self._child.stop()
                self._child = None
            if self._child is None:
                self._child, self._pages = _Child(self._tasks, self._limits.memory_mb), 0
            self._pages += pages
            try:
                return self._ask(self._child, wire.encode({"task": task, "arguments": arguments}), seconds)
            except OutOfMemory:
                self._discard()
                raise
            except ArsipError as error:
                if self._child.is_gone or isinstance(error, EngineTimedOut):
                    self._discard()
                raise
            except BaseException:
                # Whoever interrupted the wait left the child in the middle of something.
                self._discard()
                raise

    def _ask(self, child: "_Child", request: bytes, seconds: float) -> Any:
        try:
            wire.write(child.requests, request)
            answer = wire.read(child.answers, monotonic() + seconds)
        except wire.DeadlinePassed:
            child.kill()
            raise EngineTimedOut(
                f"no result within {seconds:.0f} s; the process that worked on it was stopped"
            ) from None
        except (wire.EndOfStream, BrokenPipeError):
            raise child.cause_of_death(self._limits.memory_mb) from None
        except EngineCrashed:
            child.kill()
            raise
        if not isinstance(answer, dict) or not (answer.keys() & {"result", "error"}):
            child.kill()
            raise EngineCrashed("the sandboxed process answered something that is no answer")
        if "error" in answer:
            raise from_code(str(answer["error"]["code"]), str(answer["error"]["message"]))
        return answer["result"]

    def _discard(self) -> None:
        if self._child:
            self._child.kill()
            self._child = None

    def abandon(self) -> None:
        """Kill the child though a call may run, which then raises `EngineCrashed`."""
        if child := self._child:
            child.send_kill()

    def close(self) -> None:
        """End the child; the sandbox can be used again."""
        with self._lock:
            if self._child:
                self._child.stop()
                self._child = None


class _Child:
    """One process of the sandbox."""

    def __init__(self, tasks: str, memory_mb: int) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="arsip-")
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        # The folder of this package: the child's working directory is its scratch folder.
        code = str(Path(__file__).parents[2])
        paths = [code, *filter(None, [environment.get("PYTHONPATH")])]
        environment |= ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths), "HOME": self._scratch.name}
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "pipeline.sandbox.child", tasks, str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=self._scratch.name,
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self.requests = self._process.stdin.fileno()
        self.answers = self._process.stdout.fileno()
        self._status: int | None = None
        self._peak_mb = 0
        self._last_words: deque[str] = deque(maxlen=STDERR_LINES)
        self._listener = Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()

    @property
    def is_gone(self) -> bool:
        return self._status is not None

    def _listen(self, stderr: IO[bytes]) -> None:
        for line in stderr:
            text = line.decode(errors="replace").rstrip()
            self._last_words.append(text)
            logger.debug("sandboxed process %d: %s", self._process.pid, text)

    def cause_of_death(self, memory_mb: int) -> EngineCrashed | OutOfMemory:
        """The error that tells why the child, whose pipe has ended, is dead."""
        self._wait(GOODBYE_SECONDS)
        self.kill()
        words = " / ".join(list(self._last_words)[-3:])
        memory = f"peak memory {self._peak_mb} MB of {memory_mb} MB"
        signs = any(sign in line for line in self._last_words for sign in OUT_OF_MEMORY_SIGNS)
        if signs or self._peak_mb > memory_mb * NEAR_LIMIT:
            return OutOfMemory(
                f"it needs more memory than the sandbox allows ({memory}); raise ARSIP_SANDBOX_MEMORY_MB"
            )
        code = os.waitstatus_to_exitcode(self._status or 0)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        return EngineCrashed(f"the process that worked on it {how} ({memory}){': ' if words else ''}{words}")

    def stop(self) -> None:
        """Let the child end by itself, which takes no time unless it is stuck."""
        if self._process.stdin:
            self._process.stdin.close()
        self._wait(GOODBYE_SECONDS)
        self.kill()

    def send_kill(self) -> None:
        """Kill the child with all that it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            logger.debug("process %d was gone already", self._process.pid)

    def kill(self) -> None:
        """Make sure that the child is dead, take note of how it died, and clean up. Safe to call twice."""
        if self._status is None:
            self.send_kill()
            self._reap(0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe and not pipe.closed:
                pipe.close()
        self._listener.join(GOODBYE_SECONDS)
        if self._process.stderr:
            self._process.stderr.close()
        self._scratch.cleanup()

    def _wait(self, seconds: float) -> None:
        """Wait for the child's end, which its closed standard error announces."""
        self._listener.join(seconds)
        deadline = monotonic() + seconds
        while not self._listener.is_alive() and not self._reap(os.WNOHANG) and monotonic() < deadline:
            sleep(0.001)

    def _reap(self, options: int) -> bool:
        if self._status is None:
            # wait4 and not Popen's own wait: it alone tells the peak memory of this child.
            pid, status, usage = os.wait4(self._process.pid, options)
            if pid == 0:
                return False
            self._status = status
            self._process.returncode = os.waitstatus_to_exitcode(status)
            self._peak_mb = usage.ru_maxrss // (1024 if sys.platform == "linux" else 1 << 20)
        return True
