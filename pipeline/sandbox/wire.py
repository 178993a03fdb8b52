"""Frames of JSON over a pipe: eight bytes of length, then as many of UTF-8.

JSON and not pickle: a child that a document has taken over can send wrong data, but no code.
"""

import json
import os
import select
import struct
from time import monotonic
from typing import Any

from pipeline.errors import EngineCrashed

HEADER = struct.Struct(">Q")
MAX_FRAME = 256 << 20
"""Bytes; a longer frame is refused before memory is taken for it."""
SLICE = 0.5
"""Seconds of one wait: an exception that another thread sends (dramatiq's time limit) arrives between two of them."""
CHUNK = 1 << 20


class EndOfStream(Exception):
    """The other side has closed the pipe."""


class DeadlinePassed(Exception):
    """Nothing complete came in time."""


def encode(message: object) -> bytes:
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return HEADER.pack(len(body)) + body


def write(descriptor: int, frame: bytes) -> None:
    """
    Raises:
        BrokenPipeError: the other side is gone.
    """
    view = memoryview(frame)
    while view:
        view = view[os.write(descriptor, view) :]


def read(descriptor: int, deadline: float | None = None) -> Any:
    """Read one frame.

    Args:
        deadline: on the clock of `time.monotonic`; None waits for ever.

    Raises:
        EndOfStream, DeadlinePassed: there is no frame.
        EngineCrashed: what came is not a frame.
    """
    (length,) = HEADER.unpack(_exactly(descriptor, HEADER.size, deadline))
    if length > MAX_FRAME:
        raise EngineCrashed(f"the sandboxed process announced an answer of {length} bytes, more than {MAX_FRAME}")
    try:
        return json.loads(_exactly(descriptor, length, deadline))
    except ValueError as error:
        raise EngineCrashed(f"the sandboxed process answered something that is not JSON: {error}") from error


def _exactly(descriptor: int, length: int, deadline: float | None) -> bytes:
    parts: list[bytes] = []
    while length:
        _wait(descriptor, deadline)
        part = os.read(descriptor, min(length, CHUNK))
        if not part:
            raise EndOfStream
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _wait(descriptor: int, deadline: float | None) -> None:
    while True:
        left = SLICE if deadline is None else min(SLICE, deadline - monotonic())
        if left <= 0:
            raise DeadlinePassed
        if select.select([descriptor], [], [], left)[0]:
            return
