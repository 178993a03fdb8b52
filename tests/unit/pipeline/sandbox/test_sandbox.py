"""What becomes of a call when its child crashes, hangs, bloats, or is killed, and what is left behind: nothing."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import psutil
import pytest

from pipeline.errors import (
    ArsipError,
    CorruptDocument,
    EncryptedDocument,
    EngineCrashed,
    EngineTimedOut,
    Interrupted,
    OutOfMemory,
)
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from tests.unit.pipeline.sandbox.conftest import HARM, PATIENCE, assert_ends

Heard = Callable[[str], int]


def pid_of(sandbox: Sandbox) -> int:
    return int(sandbox.call("process", {}, seconds=PATIENCE)["pid"])


def failure(sandbox: Sandbox, task: str, seconds: float = PATIENCE, **arguments: object) -> ArsipError:
    with pytest.raises(ArsipError) as caught:
        sandbox.call(task, arguments, seconds=seconds)
    return caught.value


def assert_works(sandbox: Sandbox) -> None:
    assert sandbox.call("echo", {"value": [1, "é", None]}, seconds=PATIENCE) == [1, "é", None]


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGKILL", "SIGTERM"])
def test_a_crash_is_told_with_its_signal_and_the_next_call_works(sandbox: Sandbox, name: str) -> None:
    error = failure(sandbox, "die_of_signal", number=signal.Signals[name])
    assert isinstance(error, EngineCrashed)
    assert name in str(error)
    assert "allowed 512 MB" in str(error)
    assert_works(sandbox)


def test_an_exit_is_told_with_its_code_and_last_words(sandbox: Sandbox) -> None:
    error = failure(sandbox, "exit_with", code=3, words="first\nlibfoo: \x1b[31mtable\x00 is damaged")
    assert isinstance(error, EngineCrashed)
    assert "exited with 3" in str(error)
    assert str(error).endswith("first / libfoo:  [31mtable  is damaged"), "no control characters in a message"


def test_last_words_of_earlier_calls_are_not_blamed(sandbox: Sandbox) -> None:
    failure(sandbox, "trip")
    sandbox.call("flood_stderr", {"megabytes": 1}, seconds=PATIENCE)
    assert_works(sandbox)
    assert "KeyError" not in str(failure(sandbox, "die_of_signal", number=signal.SIGSEGV))


def test_a_hang_ends_at_its_deadline_with_all_that_it_started(sandbox: Sandbox, heard: Heard) -> None:
    pid = pid_of(sandbox)
    started = monotonic()
    error = failure(sandbox, "hang_with_a_program", seconds=1.5)
    assert isinstance(error, EngineTimedOut)
    assert "1.5 s" in str(error)
    assert monotonic() - started < 4
    assert_ends(pid)
    assert_ends(heard("program"))
    assert_works(sandbox)


def test_a_crash_takes_along_what_the_child_had_started(sandbox: Sandbox, heard: Heard) -> None:
    assert "SIGSEGV" in str(failure(sandbox, "crash_and_leave_a_program"))
    assert_ends(heard("program"))


def test_a_program_that_escapes_with_the_pipe_does_not_hold_up_the_parent(sandbox: Sandbox, heard: Heard) -> None:
    started = monotonic()
    assert "exited with 1" in str(failure(sandbox, "escape_with_stderr"))
    assert monotonic() - started < 10
    os.kill(heard("program"), signal.SIGKILL)
    assert_works(sandbox)


def test_a_child_that_does_not_read_is_stopped_at_the_deadline(sandbox: Sandbox) -> None:
    os.kill(pid_of(sandbox), signal.SIGSTOP)
    error = failure(sandbox, "echo", seconds=1, value="x" * (1 << 20))
    assert isinstance(error, EngineTimedOut)
    assert_works(sandbox)


def more_than_this_process(megabytes: int) -> int:
    """What a child must take for its peak to be told: the peak of the process that starts it is the floor."""
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return max(megabytes, mine + 200)


@pytest.mark.parametrize(
    ("task", "arguments"), [("eat_numpy", {"gigabytes": 64}), ("eat_bytes_in_bites", {}), ("eat_in_cpp", {})]
)
def test_too_much_memory_is_told_with_the_limit(sandbox: Sandbox, task: str, arguments: dict[str, object]) -> None:
    pid = pid_of(sandbox)
    error = failure(sandbox, task, **arguments)
    assert isinstance(error, OutOfMemory), error
    assert "allowed 512 MB" in str(error)
    assert "ARSIP_SANDBOX_MEMORY_MB" in str(error)
    assert_ends(pid)
    assert_works(sandbox)


def test_a_crash_with_the_memory_all_but_full_is_lack_of_memory() -> None:
    megabytes = more_than_this_process(580)
    with closing(Sandbox(HARM, SandboxLimits(memory_mb=megabytes + 60, max_pages=10))) as sandbox:
        error = failure(sandbox, "die_full", megabytes=megabytes)
        assert isinstance(error, OutOfMemory), error
        assert_works(sandbox)


def test_the_peak_memory_of_a_crash_is_told() -> None:
    megabytes = more_than_this_process(600)
    with closing(Sandbox(HARM, SandboxLimits(memory_mb=megabytes * 4, max_pages=10))) as sandbox:
        error = failure(sandbox, "die_full", megabytes=megabytes)
        assert isinstance(error, EngineCrashed)
        peak = int(str(error).split("peak memory ")[1].split(" MB")[0])
        assert megabytes <= peak < megabytes + 100


def test_a_typed_error_keeps_its_code(sandbox: Sandbox) -> None:
    error = failure(sandbox, "raise_error", code="encrypted_document", message="it needs a password")
    assert isinstance(error, EncryptedDocument)
    assert str(error) == "it needs a password"


def test_a_parser_that_trips_is_the_documents_fault(sandbox: Sandbox) -> None:
    pid = pid_of(sandbox)
    error = failure(sandbox, "trip")
    assert isinstance(error, CorruptDocument)
    assert "KeyError: 'missing'" in str(error)
    assert pid_of(sandbox) == pid, "the child is not worse for it"


def test_what_libraries_print_does_not_disturb(sandbox: Sandbox) -> None:
    assert sandbox.call("print_on_stdout", {}, seconds=PATIENCE) == "done"
    assert sandbox.call("read_stdin", {}, seconds=PATIENCE) == ""
    assert_works(sandbox)


def test_a_flood_on_stderr_neither_blocks_nor_is_kept(sandbox: Sandbox) -> None:
    before = psutil.Process().memory_info().rss
    assert sandbox.call("flood_stderr", {"megabytes": 200}, seconds=PATIENCE) == "done"
    assert psutil.Process().memory_info().rss - before < 50 << 20
    assert_works(sandbox)


def test_a_worn_out_child_is_replaced_between_calls() -> None:
    with closing(Sandbox(HARM, SandboxLimits(memory_mb=512, max_pages=20))) as sandbox:
        pids = [sandbox.call("process", {}, seconds=PATIENCE, pages=16)["pid"] for _ in range(4)]
        assert pids[0] == pids[1] != pids[2] == pids[3]
        assert_ends(pids[0])


def test_a_child_that_died_between_calls_is_replaced(sandbox: Sandbox) -> None:
    pid = pid_of(sandbox)
    os.kill(pid, signal.SIGKILL)
    assert_ends(pid)
    assert_works(sandbox)


def test_the_child_may_die_with_the_thread_that_started_it(sandbox: Sandbox) -> None:
    pids: list[int] = []
    thread = threading.Thread(target=lambda: pids.append(pid_of(sandbox)))
    thread.start()
    thread.join()
    if sys.platform == "linux":
        assert_ends(pids[0])
    assert_works(sandbox)


def test_an_interrupt_while_waiting_kills_the_child(sandbox: Sandbox, heard: Heard) -> None:
    def press_control_c() -> None:
        heard("hangs")
        os.kill(os.getpid(), signal.SIGINT)

    pid = pid_of(sandbox)
    presser = threading.Thread(target=press_control_c)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        sandbox.call("hang", {"announce": "hangs"}, seconds=PATIENCE)
    presser.join()
    assert_ends(pid)
    assert_works(sandbox)


def test_an_exception_from_another_thread_kills_the_child(sandbox: Sandbox, heard: Heard) -> None:
    """dramatiq's TimeLimit raises like this."""

    class TimeLimitExceeded(BaseException):
        pass

    caught: list[BaseException] = []

    def work() -> None:
        try:
            sandbox.call("hang", {"announce": "hangs"}, seconds=PATIENCE)
        except BaseException as error:  # noqa: BLE001
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pid = heard("hangs")
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    raise_in(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeLimitExceeded))
    thread.join(5)
    assert [type(error) for error in caught] == [TimeLimitExceeded]
    assert_ends(pid)
    assert_works(sandbox)


def test_an_abandoned_call_is_interrupted_and_none_follows(sandbox: Sandbox, heard: Heard) -> None:
    caught: list[ArsipError] = []
    thread = threading.Thread(target=lambda: caught.append(failure(sandbox, "hang", announce="hangs")))
    thread.start()
    pid = heard("hangs")
    sandbox.abandon()
    thread.join(5)
    assert [type(error) for error in caught] == [Interrupted]
    assert_ends(pid)
    assert isinstance(failure(sandbox, "echo"), Interrupted)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_the_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import logging, sys\n"
        "logging.basicConfig(level='DEBUG', stream=sys.stdout)\n"
        "from pipeline.sandbox.sandbox import Sandbox, SandboxLimits\n"
        f"Sandbox({HARM!r}, SandboxLimits(512, 10)).call('hang', {{'announce': 'hangs'}}, seconds=600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with parent:
        assert parent.stdout
        pid = next(int(line.split()[-1]) for line in parent.stdout if "hangs" in line)
        parent.kill()
    assert_ends(pid)


@pytest.mark.parametrize(
    ("tasks", "words"),
    [("no_such_module:tasks", "ModuleNotFoundError"), (HARM.replace(":tasks", ":nothing"), "AttributeError")],
)
def test_tasks_that_cannot_be_loaded_are_named(tasks: str, words: str) -> None:
    with closing(Sandbox(tasks, SandboxLimits(memory_mb=512, max_pages=10))) as sandbox:
        error = failure(sandbox, "echo")
        assert isinstance(error, EngineCrashed)
        assert words in str(error)


def test_an_interpreter_that_does_not_start_is_a_clear_error(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    error = failure(sandbox, "echo")
    assert isinstance(error, EngineCrashed)
    assert "/nowhere/python" in str(error)


def test_fifty_crashes_leave_nothing_behind(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    myself = psutil.Process()
    before = myself.num_fds(), threading.active_count(), myself.children()
    for _ in range(50):
        failure(sandbox, "die_of_signal", number=signal.SIGSEGV)
    sandbox.close()
    assert (myself.num_fds(), threading.active_count(), myself.children()) == before
    assert list(tmp_path.iterdir()) == []


def test_closing_is_quick_and_can_be_repeated(sandbox: Sandbox) -> None:
    pid = pid_of(sandbox)
    started = monotonic()
    sandbox.close()
    sandbox.close()
    assert monotonic() - started < 1
    assert_ends(pid)
