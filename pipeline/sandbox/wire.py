"""Frames of JSON over a pipe: eight bytes of length, then as many of UTF-8.

JSON and not pickle: a child that a document has taken over can send wrong data, but no code.
"""

import json
import os
import select
import struct
from time import monotonic

HEADER = struct.Struct(">Q")
MAX_FRAME = 64 << 20
"""Bytes; a longer frame is refused. JSON can take 20 times as much memory once it is parsed, so not more than needed:
a million words are 60 MB, a usual page has 500."""
SLICE = 0.5
"""Seconds of one wait: an exception that another thread sends (dramatiq's time limit) arrives between two of them."""
CHUNK = 1 << 16
"""Bytes; what a pipe holds."""


class EndOfStream(Exception):
    """The other side has closed the pipe."""


class DeadlinePassed(Exception):
    """The other side did not read, or did not write, a whole frame in time."""


class BadFrame(Exception):
    """What came is no answer; the message says why, after "the sandboxed process"."""


def encode(message: object, *, surrogates: str) -> bytes:
    """
    Args:
        surrogates: what becomes of half a surrogate pair: `backslashreplace` keeps it, as a file name that is not UTF-8
            needs; `replace` makes it a question mark, as `pydantic_core.from_json` and PostgreSQL refuse it.
    """
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", surrogates)
    return HEADER.pack(len(body)) + body


def write(descriptor: int, frame: bytes, deadline: float | None = None) -> None:
    """
    Args:
        deadline: on the clock of `time.monotonic`, for a descriptor that does not block; None waits for ever.

    Raises:
        EndOfStream, DeadlinePassed: the frame was not taken.
    """
    view = memoryview(frame)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            _wait(descriptor, select.POLLOUT, deadline)
        except BrokenPipeError:
            raise EndOfStream from None


def read(descriptor: int, deadline: float | None = None) -> bytearray:
    """The JSON of one frame; arguments and errors as in `write`.

    Raises:
        BadFrame: it is longer than allowed.
    """
    (length,) = HEADER.unpack(_exactly(descriptor, HEADER.size, deadline))
    if length > MAX_FRAME:
        raise BadFrame(f"announced an answer of {length} bytes; at most {MAX_FRAME} are taken")
    return _exactly(descriptor, length, deadline)


def _exactly(descriptor: int, length: int, deadline: float | None) -> bytearray:
    got = bytearray()
    while len(got) < length:
        if deadline is not None and monotonic() > deadline:
            raise DeadlinePassed
        try:
            part = os.read(descriptor, min(length - len(got), CHUNK))
        except BlockingIOError:
            _wait(descriptor, select.POLLIN, deadline)
            continue
        if not part:
            raise EndOfStream
        got += part
    return got


def _wait(descriptor: int, event: int, deadline: float | None) -> None:
    """Wait until the descriptor is ready; `poll` and not `select`, which fails for descriptors above 1023."""
    poller = select.poll()
    poller.register(descriptor, event)
    while True:
        left = SLICE if deadline is None else min(SLICE, deadline - monotonic())
        if left <= 0:
            raise DeadlinePassed
        if poller.poll(left * 1000):
            return
