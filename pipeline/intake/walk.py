"""Finds the files under the given paths, in a fixed order and in bounded memory, and tells what it leaves out."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file; `path` is absolute, with symbolic links as they are."""

    path: str
    size: int
    """In bytes."""
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """A file or folder whose name begins with a dot."""

    path: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """A folder behind a symbolic link that was entered before, under its own name or another."""

    path: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    path: str
    reason: str


Step = Found | Hidden | Repeated | Unreadable


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    names: Iterator[str]
    linked: bool
    """It was reached through a symbolic link."""


def walk(paths: Iterable[Path], *, hidden: bool = False) -> Iterator[Step]:
    """Walk files and folders recursively.

    What is named explicitly is taken even if it is hidden. Symbolic links are followed, but no folder is entered
    through one a second time: links in a circle end, and many links between folders do not multiply them.
    Sockets, pipes and devices are never opened.
    """
    for path in paths:
        yield from _Walk(hidden).start(os.path.abspath(path))  # noqa: PTH100 (resolve() would follow links)


class _Walk:
    def __init__(self, hidden: bool) -> None:
        self._hidden = hidden
        self._entered: set[tuple[int, int]] = set()
        """Device and inode of every folder."""
        # Not recursive: folders may be nested deeper than Python's stack.
        self._open: list[_Folder] = []

    def start(self, path: str) -> Iterator[Step]:
        yield from self._visit(path, linked=False)
        while self._open:
            folder = self._open[-1]
            name = next(folder.names, None)
            if name is None:
                self._open.pop()
                continue
            path = os.path.join(folder.path, name)  # noqa: PTH118 (a Path for each of a million names is slow)
            if name.startswith(".") and not self._hidden:
                yield Hidden(path)
            else:
                yield from self._visit(path, folder.linked)

    def _visit(self, path: str, linked: bool) -> Iterator[Step]:
        try:
            status = os.stat(path)  # noqa: PTH116
            if stat.S_ISREG(status.st_mode):
                yield Found(path, status.st_size, status.st_mtime_ns)
            elif stat.S_ISDIR(status.st_mode):
                yield from self._enter(path, (status.st_dev, status.st_ino), linked or os.path.islink(path))  # noqa: PTH114
            else:
                yield Unreadable(path, "neither a file nor a folder")
        except FileNotFoundError as error:
            yield Unreadable(path, "a broken link" if os.path.islink(path) else str(error.strerror))  # noqa: PTH114
        except OSError as error:
            yield Unreadable(path, error.strerror or str(error))
        except ValueError as error:
            yield Unreadable(path, str(error))

    def _enter(self, path: str, identity: tuple[int, int], linked: bool) -> Iterator[Step]:
        if linked and identity in self._entered:
            yield Repeated(path)
            return
        names = sorted(os.listdir(path))  # noqa: PTH208 (names alone: a folder may hold a million)
        self._entered.add(identity)
        self._open.append(_Folder(path, iter(names), linked))
