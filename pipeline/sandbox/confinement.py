"""What the child takes from itself. Nothing here can be taken back, by the child or by what it starts."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CAPABILITY_VERSION = 0x20080522
READ_ANY_FILE = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
OPEN_FILES = 256

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_VERSION = 1
LANDLOCK_PATH_BENEATH = 1
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
CHANGE_FOLDER = sum(1 << bit for bit in range(4, 14))
"""Remove, make and move files and folders of every kind."""
TCP = 0b11
SIGNALS_AND_ABSTRACT_SOCKETS = 0b11
DEVICES = ("null", "dri", "kfd", "nvidia*")
"""What else in /dev a child may write to, where it exists: a GPU is used by writing to its devices."""


def limit(memory_mb: int, parent: int) -> None:
    """No core dumps, few files, private files; on Linux also limited memory, and death with the parent.

    The memory limit is on address space. Resident memory (RLIMIT_RSS) is not enforced by Linux, the data segment
    leaves out shared mappings, and a cgroup needs rights that a laptop's user does not have. 0 is no limit: CUDA maps
    far more than it uses.
    """
    _set_limit(resource.RLIMIT_CORE, 0)
    _set_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    os.umask(0o077)
    if sys.platform == "linux":
        if memory_mb:
            _set_limit(resource.RLIMIT_AS, memory_mb << 20)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It died before its signal was asked for.
        sys.exit(1)


def isolate(writable: Path) -> None:
    """On Linux: no new privileges, no network, no writing outside `writable`, no look into other processes.

    An unprivileged user gets a network namespace only with a user namespace of its own, which many containers forbid;
    Landlock (Linux 5.13, TCP 6.7, signals 6.12) needs no privilege. Each is taken where it is to be had. Root keeps
    its user namespace and the right to read the files of other owners, such as a mounted folder of code, and loses
    all other rights: since Linux 6.14 that to profile is enough to read the memory of any process.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.unshare(CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER)
    _drop_capabilities(libc)
    devices = [path for name in DEVICES for path in Path("/dev").glob(name)]
    _restrict_writing(libc, [writable, *devices])


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """The system's structure is effective, permitted, inheritable: first the lower half of each, then the upper."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    had = (ctypes.c_uint32 * 6)()
    libc.capget(header, had)
    some = had[1] & READ_ANY_FILE
    libc.capset(header, (ctypes.c_uint32 * 6)(some, some, 0, 0, 0, 0))


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def _restrict_writing(libc: ctypes.CDLL, writable: Iterable[Path]) -> None:
    """A process in a Landlock domain may not trace those outside either, so it cannot read its parent's environment."""
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    if version < 1:
        return
    on_files = WRITE_FILE | (TRUNCATE if version >= 3 else 0)
    on_folders = on_files | (CHANGE_FOLDER if version >= 2 else CHANGE_FOLDER & ~(1 << 13))
    wanted = _Ruleset(
        files=on_folders,
        network=TCP if version >= 4 else 0,
        scopes=SIGNALS_AND_ABSTRACT_SOCKETS if version >= 6 else 0,
    )
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(ctypes.sizeof(wanted)), 0)
    for path in writable:
        descriptor = os.open(path, os.O_PATH)
        rule = _PathRule(on_folders if path.is_dir() else on_files, descriptor)
        libc.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(descriptor)
    libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    if ruleset >= 0:
        os.close(ruleset)


def _set_limit(kind: int, value: int) -> None:
    """Both limits, as far down as `value`; only root could raise the hard one."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
