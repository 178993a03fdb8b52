"""Real trees with everything in them that a file server has."""

import inspect
import os
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.intake.walk import Found, Hidden, Repeated, Unreadable, walk
from tests.rights import rights_of_nobody


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.pdf", "a/2.pdf", "a/10.pdf", "a/.hidden.pdf", ".git/config", "c/d/e.pdf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * len(name))
    return tmp_path


def told(tree: Path, **options: bool) -> list[tuple[type, str]]:
    return [(type(step), os.path.relpath(step.path, tree)) for step in walk([tree], **options)]


def test_files_come_in_one_order_and_hidden_ones_are_told(tree: Path) -> None:
    assert told(tree) == [
        (Hidden, ".git"),
        (Hidden, "a/.hidden.pdf"),
        (Found, "a/10.pdf"),
        (Found, "a/2.pdf"),
        (Found, "b.pdf"),
        (Found, "c/d/e.pdf"),
    ]


def test_hidden_files_are_taken_when_asked_for(tree: Path) -> None:
    assert (Found, ".git/config") in told(tree, hidden=True)
    assert not [name for kind, name in told(tree, hidden=True) if kind is Hidden]


def test_what_is_named_is_taken_even_if_it_is_hidden(tree: Path) -> None:
    steps = list(walk([tree / ".git", tree / "a/.hidden.pdf"]))
    assert [(type(step), step.path) for step in steps] == [
        (Found, str(tree / ".git/config")),
        (Found, str(tree / "a/.hidden.pdf")),
    ]


def test_size_and_time_are_those_of_the_file_behind_a_link(tree: Path) -> None:
    (tree / "link.pdf").symlink_to("b.pdf")
    status = (tree / "b.pdf").stat()
    assert list(walk([tree / "link.pdf"])) == [Found(str(tree / "link.pdf"), status.st_size, status.st_mtime_ns)]


def test_relative_paths_become_absolute(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "a")
    assert [step.path for step in walk([Path("2.pdf"), Path("../b.pdf")])] == [
        str(tree / "a/2.pdf"),
        str(tree / "b.pdf"),
    ]


def test_links_in_a_circle_end_and_are_told(tree: Path) -> None:
    (tree / "c/d/up").symlink_to("../..")
    (tree / "self").symlink_to("self")
    steps = told(tree)
    assert [name for kind, name in steps if kind is Found] == ["a/10.pdf", "a/2.pdf", "b.pdf", "c/d/e.pdf"]
    assert (Repeated, "c/d/up") in steps
    assert (Unreadable, "self") in steps


def test_a_folder_outside_is_entered_through_a_link_once(tree: Path) -> None:
    outside = tree / "outside"
    outside.mkdir()
    (outside / "f.pdf").write_bytes(b"x")
    (tree / "c/first").symlink_to(outside)
    (tree / "c/second").symlink_to(outside)
    assert [(type(step), step.path) for step in walk([tree / "c"])][-2:] == [
        (Found, str(tree / "c/first/f.pdf")),
        (Repeated, str(tree / "c/second")),
    ]


@pytest.mark.timeout(20)
def test_many_links_between_folders_do_not_multiply_them(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(20)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "f.pdf").write_bytes(b"x")
        for other in names:
            (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other)
    found = [step.path for step in walk([tmp_path]) if isinstance(step, Found)]
    assert {str(tmp_path / name / "f.pdf") for name in names} <= set(found)
    assert len(found) <= 2 * len(names)


@pytest.mark.timeout(20)
def test_pipes_sockets_and_devices_are_told_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    (tmp_path / "zero.pdf").symlink_to("/dev/zero")
    (tmp_path / "broken.pdf").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.pdf"))
        assert list(walk([tmp_path])) == [
            Unreadable(str(tmp_path / "broken.pdf"), "a broken link"),
            Unreadable(str(tmp_path / "pipe.pdf"), "neither a file nor a folder"),
            Unreadable(str(tmp_path / "socket.pdf"), "neither a file nor a folder"),
            Unreadable(str(tmp_path / "zero.pdf"), "neither a file nor a folder"),
        ]


def test_a_path_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert list(walk([tmp_path / "nothing"])) == [Unreadable(str(tmp_path / "nothing"), "No such file or directory")]


def test_a_path_that_cannot_be_is_told() -> None:
    assert list(walk([Path("/a\0b")])) == [Unreadable("/a\0b", "embedded null byte")]


def test_folders_deeper_than_the_stack_of_python(tmp_path: Path) -> None:
    # A lower limit instead of a thousand folders, which Python's own recursive clean-up could not remove.
    depth = 150
    deepest = tmp_path / "/".join("d" * depth)
    deepest.mkdir(parents=True)
    (deepest / "f.pdf").write_bytes(b"x")
    limit = sys.getrecursionlimit()
    steps = walk([tmp_path])
    sys.setrecursionlimit(len(inspect.stack()) + depth // 2)
    try:
        found = [step for step in steps if isinstance(step, Found)]
    finally:
        sys.setrecursionlimit(limit)
    assert [step.path for step in found] == [str(deepest / "f.pdf")]


def test_a_folder_that_may_not_be_listed_is_told_and_the_rest_goes_on() -> None:
    with TemporaryDirectory() as name:
        folder, locked = Path(name), Path(name, "locked")
        folder.chmod(0o755)
        locked.mkdir()
        (folder / "rest.pdf").write_bytes(b"x")
        locked.chmod(0)
        with rights_of_nobody():
            steps = list(walk([folder]))
        locked.chmod(0o700)
    assert steps[0] == Unreadable(str(locked), "Permission denied")
    assert [type(step) for step in steps[1:]] == [Found]
