"""What a child can do to its parent and its machine once a document runs code in it: as little as the system allows."""

import ctypes
import os
import socket
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from pipeline.errors import EngineCrashed, EngineTimedOut
from pipeline.sandbox import wire
from pipeline.sandbox.confinement import LANDLOCK_CREATE_RULESET, LANDLOCK_VERSION
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from tests.unit.pipeline.sandbox.conftest import HARM, PATIENCE


def landlock_version() -> int:
    if sys.platform != "linux":
        return 0
    return int(ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION))


needs_landlock = pytest.mark.skipif(landlock_version() < 6, reason="the kernel has no Landlock, or an old one")


def call(sandbox: Sandbox, task: str, **arguments: object) -> Any:
    return sandbox.call(task, arguments, seconds=PATIENCE)


@pytest.mark.parametrize(
    ("task", "text", "words"),
    [
        ("send_raw", wire.HEADER.pack(1 << 60).decode("latin-1"), "announced an answer of 1152921504606846976 bytes"),
        ("send_frame", "no JSON", "not JSON"),
        ("send_frame", '{"result": NaN}', "not JSON"),
        ("send_frame", '{"result": "\\ud800"}', "not JSON"),
        ("send_frame", "[" * 200_000, "not JSON"),
        ("send_frame", "[]", "no answer"),
        ("send_frame", '{"error": "broken"}', "no answer"),
        ("send_frame", '{"error": {"code": 1, "message": null}}', "no answer"),
        ("send_frame", '{"error": {"code": "interrupted", "message": ""}}', "'interrupted'"),
        ("send_frame", '{"error": {"code": "lease_lost", "message": ""}}', "'lease_lost'"),
    ],
)
def test_an_answer_that_is_none_ends_the_child(sandbox: Sandbox, task: str, text: str, words: str) -> None:
    before = call(sandbox, "process")["pid"]
    with pytest.raises(EngineCrashed, match=words):
        call(sandbox, task, text=text)
    assert call(sandbox, "process")["pid"] != before


def test_an_announced_giant_costs_the_parent_no_memory(sandbox: Sandbox) -> None:
    before = psutil.Process().memory_info().rss
    for length in (wire.MAX_FRAME, wire.MAX_FRAME + 1):
        with pytest.raises((EngineTimedOut, EngineCrashed)):
            sandbox.call("send_raw", {"text": wire.HEADER.pack(length).decode("latin-1")}, seconds=1)
    assert psutil.Process().memory_info().rss - before < 16 << 20


def test_a_trickling_answer_ends_at_the_deadline(sandbox: Sandbox) -> None:
    started = monotonic()
    with pytest.raises(EngineTimedOut):
        sandbox.call("trickle", {}, seconds=1)
    assert monotonic() - started < 3


def test_a_closed_pipe_ends_the_child_at_once(sandbox: Sandbox) -> None:
    started = monotonic()
    with pytest.raises(EngineCrashed):
        call(sandbox, "close_the_pipe")
    assert monotonic() - started < 5


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(sandbox: Sandbox) -> None:
    assert call(sandbox, "answer_the_next_call_too") == "forged"
    assert call(sandbox, "echo", value="true") == "true"


def test_a_message_is_short_and_printable(sandbox: Sandbox) -> None:
    text = "\0\x1b[2J\n" + "x" * 1_000_000
    with pytest.raises(Exception, match="x") as caught:
        call(sandbox, "raise_error", code="corrupt_document", message=text)
    assert len(str(caught.value)) <= 2000
    assert str(caught.value).isprintable()


def test_half_a_surrogate_pair_is_replaced_in_results_and_kept_in_arguments(sandbox: Sandbox, tmp_path: Path) -> None:
    assert call(sandbox, "echo", value="a\udcffb") == "a?b"
    path = tmp_path / os.fsdecode(b"not-utf8-\xff")
    path.write_text("letter")
    assert call(sandbox, "size_of", path=str(path)) == 6


def test_the_environment_holds_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARSIP_DATABASE_URL", "postgresql://u:secret@h/d")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("TESSDATA_PREFIX", "/models")
    with closing(Sandbox(HARM, SandboxLimits(memory_mb=512, max_pages=10))) as sandbox:
        child = call(sandbox, "process")
        seen = child["environment"]
        if sys.platform == "linux":
            assert "secret" not in Path(f"/proc/{child['pid']}/environ").read_text()
    assert "secret" not in str(seen)
    assert not any(name.startswith(("ARSIP_", "AWS_")) for name in seen)
    assert seen["TESSDATA_PREFIX"] == "/models"
    assert seen["OMP_THREAD_LIMIT"] == "1"


def test_what_the_child_leaves_is_removed(sandbox: Sandbox) -> None:
    scratch = Path(call(sandbox, "process")["scratch"])
    call(sandbox, "write_file", path=str(scratch / "left"))
    assert (scratch / "left").read_text() == "harm"
    sandbox.close()
    assert not scratch.exists()


@needs_landlock
def test_the_child_writes_only_into_its_scratch_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    original = tmp_path / "original.pdf"
    original.write_text("intact")
    for path in (original, tmp_path / "new"):
        assert call(sandbox, "attempt", harm="write_file", path=str(path)) == "PermissionError"
    assert original.read_text() == "intact"
    assert call(sandbox, "attempt", harm="write_file", path="/dev/null") == "done"


@needs_landlock
def test_the_child_reads_no_other_environment_and_signals_nobody(sandbox: Sandbox) -> None:
    assert call(sandbox, "attempt", harm="read_environment_of", pid=os.getpid()) == "PermissionError"
    assert call(sandbox, "attempt", harm="send_signal", pid=os.getpid()) == "PermissionError"


@needs_landlock
def test_the_child_has_no_network(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert call(sandbox, "attempt", harm="connect", port=port) != "done"
