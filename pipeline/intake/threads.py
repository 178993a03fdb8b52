"""Files are read and stored by threads, a bounded number ahead of what is recorded."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Self

from pipeline.blobs.store import BlobStore
from pipeline.errors import PermanentError
from pipeline.intake.results import IntakeResult, failed
from pipeline.intake.taking import take
from pipeline.store.intake import Arrival

AHEAD = 256
"""At most so many files are with the threads or wait to be recorded: enough to keep the threads busy meanwhile."""
TICK = 0.5
"""Seconds after which a wait for a slow file is interrupted, so that what is there can be recorded."""


class TakingThreads:
    """Reads and stores files a bounded number ahead; the results come in the order of the paths."""

    def __init__(self, blobs: BlobStore, max_mb: int) -> None:
        self._blobs = blobs
        self._max_mb = max_mb
        self._stopping = Event()
        self._pool = ThreadPoolExecutor(blobs.parallel, thread_name_prefix="intake")
        self._window: deque[IntakeResult | Future[Arrival | IntakeResult]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def results(self, asked: Iterator[str | IntakeResult]) -> Iterator[Arrival | IntakeResult | None]:
        """What became of each path, and in their places the results that need no reading. None: nothing is ready yet.

        Raises:
            DiskFull, StorageUnavailable: a blob cannot be stored; `finished` has the others.
        """
        for item in asked:
            self._window.append(item if isinstance(item, IntakeResult) else self._pool.submit(self._take, item))
            if len(self._window) >= AHEAD:
                yield from self._next()
        while self._window:
            yield from self._next()

    def finished(self) -> Iterator[Arrival | IntakeResult]:
        """Stop, and give what is done already."""
        self._stop()
        for waiting in self._window:
            if isinstance(waiting, IntakeResult):
                yield waiting
            elif not waiting.cancelled() and waiting.exception() is None:
                yield waiting.result()

    def _next(self) -> Iterator[Arrival | IntakeResult | None]:
        first = self._window[0]
        while isinstance(first, Future) and not first.done():
            if not wait([first], timeout=TICK).done:
                yield None
        self._window.popleft()
        yield first.result() if isinstance(first, Future) else first

    def _take(self, path: str) -> Arrival | IntakeResult:
        try:
            return take(path, self._blobs, max_mb=self._max_mb, stopping=self._stopping)
        except PermanentError as error:
            return failed(path, error)

    def _stop(self) -> None:
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)
