"""Finds the files under the given paths, in a fixed order and in bounded memory, and tells what it leaves out."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file; `path` is absolute, with symbolic links as they are."""

    path: Path


@dataclass(frozen=True, slots=True)
class Hidden:
    """A file or folder whose name begins with a dot."""

    path: Path


@dataclass(frozen=True, slots=True)
class Unreadable:
    path: Path
    reason: str


def walk(paths: Iterable[Path], *, hidden: bool = False) -> Iterator[Found | Hidden | Unreadable]:
    """Walk files and folders recursively.

    What is named explicitly is taken even if it is hidden. Symbolic links are followed; a folder that contains itself
    through one is entered once. Sockets, pipes and devices are never opened.
    """
    for path in paths:
        yield from _visit(Path(os.path.abspath(path)), hidden, frozenset())  # noqa: PTH100 (resolve() would follow links)


def _visit(path: Path, hidden: bool, above: frozenset[tuple[int, int]]) -> Iterator[Found | Hidden | Unreadable]:
    try:
        status = path.stat()
    except OSError as error:
        reason = "a broken link" if path.is_symlink() and isinstance(error, FileNotFoundError) else error.strerror
        yield Unreadable(path, str(reason))
        return
    if stat.S_ISREG(status.st_mode):
        yield Found(path)
    elif not stat.S_ISDIR(status.st_mode):
        yield Unreadable(path, "neither a file nor a folder")
    elif (status.st_dev, status.st_ino) not in above:
        yield from _enter(path, hidden, above | {(status.st_dev, status.st_ino)})


def _enter(folder: Path, hidden: bool, above: frozenset[tuple[int, int]]) -> Iterator[Found | Hidden | Unreadable]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 (names alone: a folder may hold a million)
    except OSError as error:
        yield Unreadable(folder, f"the folder cannot be listed: {error.strerror}")
        return
    for name in names:
        if name.startswith(".") and not hidden:
            yield Hidden(folder / name)
        else:
            yield from _visit(folder / name, hidden, above)
