"""The pictures of a document's pages: drawn when they are asked for, or ahead of it while an engine is busy."""

from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

from pipeline.reading.documents import OpenDocument, Raster
from pipeline.reading.types import RasterRules


class Rasters:
    """Keeps what was drawn until it is taken. The document itself is never used by two threads at once."""

    def __init__(self, document: OpenDocument) -> None:
        self._document = document
        self._drawn: dict[tuple[int, RasterRules], Future[Raster]] = {}
        self._thread = ThreadPoolExecutor(1, "draw")

    def get(self, number: int, rules: RasterRules) -> Raster:
        """
        Raises:
            CorruptPage, TooLarge: the page cannot be drawn.
        """
        try:
            return self._future(number, rules).result()
        except BaseException:
            del self._drawn[number, rules]
            raise

    def keep_only(self, numbers: Collection[int]) -> None:
        """Forget the pictures of other pages: those of pages that were known already were never taken."""
        for number, rules in [key for key in self._drawn if key[0] not in numbers]:
            self._drawn.pop((number, rules)).cancel()

    def take(self, number: int, rules: RasterRules) -> Raster:
        """As `get`, and the picture is forgotten."""
        raster = self.get(number, rules)
        del self._drawn[number, rules]
        return raster

    def draw_ahead(self, numbers: Sequence[int], rules: RasterRules) -> None:
        for number in numbers:
            self._future(number, rules)

    def forget(self) -> None:
        """Forget what nobody took, and wait until nothing is drawn any more."""
        self.keep_only(())
        self._thread.submit(lambda: None).result()

    def close(self) -> None:
        self.forget()
        self._thread.shutdown()

    def _future(self, number: int, rules: RasterRules) -> "Future[Raster]":
        key = number, rules
        if key not in self._drawn:
            self._drawn[key] = self._thread.submit(self._draw, number, rules)
        return self._drawn[key]

    def _draw(self, number: int, rules: RasterRules) -> Raster:
        started = monotonic()
        raster = self._document.raster(number, rules)
        raster.seconds = monotonic() - started
        return raster
