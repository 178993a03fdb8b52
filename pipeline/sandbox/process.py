"""One child process: started without credentials, spoken to in frames, killed with all that it started."""

import os
import resource
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from time import monotonic

from pipeline.errors import EngineCrashed, OutOfMemory
from pipeline.sandbox import wire
from pipeline.sandbox.stderr import StderrTail

INHERITED = (
    "PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_NUMERIC", "TZ", "TESSDATA_PREFIX",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
"""All that a child sees of the parent's environment, which holds credentials."""
ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""A worker per CPU, and one thread in each: with OpenMP's own threads 2 cores took 50 times as long."""
NEAR_LIMIT = 0.85
"""A child that dies with so large a share of its memory in use died of it."""
OUT_OF_MEMORY_SIGNS = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory", "cannot allocate")
LAST_LINES = 3
GOODBYE_SECONDS = 2.0


class ChildProcess:
    """
    Args:
        tasks: where the child finds its tasks, as `module:function`.
        memory_mb: its address space.

    Raises:
        EngineCrashed: it cannot be started.
    """

    def __init__(self, tasks: str, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._status: int | None = None
        self._peak_mb = 0
        # On Linux the peak of a process that was started includes that of the process that started it.
        self._parents_peak_mb = megabytes(resource.getrusage(resource.RUSAGE_SELF))
        self._reaping = Lock()
        try:
            # What a child leaves may forbid its removal.
            self._scratch = TemporaryDirectory(prefix="arsip-", ignore_cleanup_errors=True)
            self._process = _start(self._scratch, [tasks, str(memory_mb), str(os.getpid())])
        except OSError as error:
            raise EngineCrashed(f"the process that works on documents cannot be started: {error}") from error
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._requests, self._answers = self._process.stdin, self._process.stdout
        for pipe in (self._requests, self._answers):
            os.set_blocking(pipe.fileno(), False)
        self.stderr = StderrTail(self._process.stderr, self._process.pid)

    @property
    def is_quiet(self) -> bool:
        """Whether it lives and says nothing, as it should between two calls."""
        return not self._says_something_within(0)

    def exchange(self, request: bytes, seconds: float) -> bytearray:
        """
        Raises:
            wire.EndOfStream, wire.DeadlinePassed, wire.BadFrame: there is no answer.
        """
        deadline = monotonic() + seconds
        wire.write(self._requests.fileno(), request, deadline)
        return wire.read(self._answers.fileno(), deadline)

    def cause_of_death(self) -> EngineCrashed | OutOfMemory:
        """Why the child, whose pipe has ended, is dead."""
        self.kill()
        lines = self.stderr.lines()
        signs = any(sign in line for line in lines for sign in OUT_OF_MEMORY_SIGNS)
        near = self._memory_mb and self._peak_mb > max(self._memory_mb * NEAR_LIMIT, self._parents_peak_mb)
        if signs or near:
            return self.out_of_memory(lines[-1] if lines else "")
        words = "".join(f": {line}" for line in [" / ".join(lines[-LAST_LINES:])] if line)
        return EngineCrashed(f"the process that worked on it {self._end} ({self._memory}){words}", facts=self._facts)

    def out_of_memory(self, details: str) -> OutOfMemory:
        """The child, which is killed, asked for more memory than it is allowed."""
        self.kill()
        return OutOfMemory(
            f"it needs more memory than the sandbox allows ({self._memory}); "
            f"raise ARSIP_SANDBOX_MEMORY_MB{': ' if details else ''}{details}",
            facts=self._facts,
        )

    def stop(self) -> None:
        """Let the idle child end by itself, which takes no time unless it is stuck."""
        self._requests.close()
        self._says_something_within(GOODBYE_SECONDS)
        self.kill()

    def send_kill(self) -> None:
        """Kill the child with all that it started; any thread may do it."""
        with self._reaping:
            # Once the child is reaped, its number may be another's.
            if self._status is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Make sure that the child is dead, take note of how it died, and clean up. Safe to call twice.

        A child that died by itself keeps its own exit status, and what it had started is killed all the same.
        """
        self.send_kill()
        self._reap()
        self._requests.close()
        self._answers.close()
        self.stderr.close()
        self._scratch.cleanup()

    def _says_something_within(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def _reap(self) -> None:
        with self._reaping:
            if self._status is None:
                # wait4 and not Popen's own wait: it alone tells the peak memory of this child.
                _, self._status, usage = os.wait4(self._process.pid, 0)
                self._process.returncode = os.waitstatus_to_exitcode(self._status)
                self._peak_mb = megabytes(usage)

    @property
    def _memory(self) -> str:
        known = self._peak_mb > self._parents_peak_mb
        allowed = f"{self._memory_mb} MB" if self._memory_mb else "any"
        return f"peak memory {'' if known else 'at most '}{self._peak_mb} MB, allowed {allowed}"

    @property
    def _facts(self) -> dict[str, object]:
        return exit_facts(self._process.returncode, self._peak_mb)

    @property
    def _end(self) -> str:
        return how_it_ended(self._process.returncode)


def how_it_ended(returncode: int) -> str:
    """The end of a process in words, from a return code as `subprocess` gives it."""
    if returncode >= 0:
        return f"exited with {returncode}"
    if -returncode == signal.SIGKILL:
        return "was killed by SIGKILL, as a system does that runs out of memory"
    return f"was killed by {_signal_name(-returncode)}"


def exit_facts(returncode: int, peak_mb: int) -> dict[str, object]:
    """The same for programs, with the most memory that the process had."""
    how: dict[str, object] = {"exit_code": returncode} if returncode >= 0 else {"signal": _signal_name(-returncode)}
    return how | {"peak_memory_mb": peak_mb}


def _signal_name(number: int) -> str:
    names = {known.value: known.name for known in signal.Signals}
    return names.get(number, f"signal {number}")


def _start(scratch: "TemporaryDirectory[str]", arguments: list[str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "pipeline.sandbox.child", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(scratch.name),
            cwd=scratch.name,
            start_new_session=True,
        )
    except OSError:
        scratch.cleanup()
        raise


def _environment(scratch: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # The folder of the packages: the child's working directory is its scratch folder.
    paths = [str(Path(__file__).parents[2]), *filter(None, [inherited.get("PYTHONPATH")])]
    return inherited | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths), "HOME": scratch, "TMPDIR": scratch}


def megabytes(usage: resource.struct_rusage) -> int:
    """The peak of resident memory."""
    return usage.ru_maxrss // (1024 if sys.platform == "linux" else 1 << 20)
