"""Reading pages with the engine of the job's queue, or taking over what was read on an equal page before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import EngineCrashed, EngineFailed, EngineTimedOut, OutOfMemory, PermanentError, TransientError
from pipeline.reading.types import Drawing, EngineSpec, PageReading
from pipeline.stages.work import Work
from pipeline.store import readings
from pipeline.tables import Document

CHILD_DIED = (EngineTimedOut, EngineCrashed, OutOfMemory)
LAST_RESORT_SCALE = 0.5
"""A page that fails again and again is tried once at half its resolution: a quarter of the memory, less time."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A page that could not be read this time, and why it is worth another try."""

    number: int
    error: TransientError

    @classmethod
    def because(cls, number: int, error: TransientError) -> "Unread":
        return cls(number, error.about(f"page {number}"))


@dataclass(frozen=True, slots=True)
class Recognizer:
    """Reads pages of one document for one job."""

    work: Work
    path: Path
    engine: EngineSpec
    batch_size: int
    page_seconds: float
    scale: float

    @classmethod
    def of(cls, work: Work, document: Document, path: Path) -> "Recognizer":
        settings = work.archive.settings
        queue = settings.named_ocr_queues[work.lease.queue]
        return cls(
            work=work,
            path=path,
            engine=queue.spec(document.languages),
            batch_size=queue.batch_size,
            page_seconds=queue.page_time_limit or settings.page_time_limit,
            scale=LAST_RESORT_SCALE if work.lease.quarantined and work.last_try else 1.0,
        )

    def read(self, numbers: Sequence[int]) -> Iterator[PageReading | Unread]:
        """What becomes of each page, as they come."""
        for start in range(0, len(numbers), self.batch_size):
            end = start + self.batch_size
            yield from self._read_batch(numbers[start:end], ahead=numbers[end : end + self.batch_size])

    def _read_batch(self, numbers: Sequence[int], ahead: Sequence[int]) -> Iterator[PageReading | Unread]:
        to_recognize: list[Drawing] = []
        for number in numbers:
            drawn = self._drawn(number, numbers)
            if isinstance(drawn, Drawing):
                to_recognize.append(drawn)
            else:
                yield drawn
        if not to_recognize:
            return
        try:
            # The next batch is drawn meanwhile only where pages come in batches: else one picture is in memory.
            yield from self._recognized(to_recognize, ahead if self.batch_size > 1 else ())
        except (*CHILD_DIED, EngineFailed) as error:
            if len(to_recognize) == 1:
                yield Unread.because(to_recognize[0].number, error)
                return
            for drawing in to_recognize:
                yield from self._read_batch([drawing.number], ())

    def _drawn(self, number: int, batch: Sequence[int]) -> Drawing | PageReading | Unread:
        """The picture that is to be recognised, or what is known of the page already."""
        try:
            drawing = self.work.reader.draw_page(
                self.path,
                number,
                self.engine,
                batch=batch,
                seconds=self.work.seconds(self.page_seconds),
                scale=self.scale,
            )
        except PermanentError as error:
            return self.work.failed_page(number, error)
        except CHILD_DIED as error:
            return Unread.because(number, error)
        if drawing.blank:
            return drawing.blank
        if not self.work.archive.settings.reuse_results:
            return drawing
        with self.work.archive.database.session() as session:
            found = readings.equal(session, drawing.result_key)
        return _placed(found, drawing) if found else drawing

    def _recognized(self, drawings: Sequence[Drawing], ahead: Sequence[int]) -> list[PageReading]:
        try:
            found = self.work.reader.recognize_pages(
                self.path,
                drawings,
                self.engine,
                seconds=self.work.seconds(self.page_seconds * len(drawings)),
                ahead=ahead,
                scale=self.scale,
            )
        except PermanentError as error:
            return [self.work.failed_page(drawing.number, error) for drawing in drawings]
        return [self._noted(reading) for reading in found]

    def _noted(self, reading: PageReading) -> PageReading:
        if self.scale == 1.0:
            return reading
        failure = self.work.lease.last_failure
        note = f"recognised at {self.scale:.0%} of the usual resolution, at which it failed: {failure}"
        return replace(reading, notes=[*reading.notes, note])


def _placed(found: PageReading, drawing: Drawing) -> PageReading:
    """The reading of an equal page, with its boxes in the units of this one."""
    x, y = drawing.width / (found.width or drawing.width), drawing.height / (found.height or drawing.height)
    words = [
        (text, round(x0 * x, 2), round(y0 * y, 2), round(x1 * x, 2), round(y1 * y, 2), confidence)
        for text, x0, y0, x1, y1, confidence in found.words
    ]
    return replace(
        found, number=drawing.number, words=words, width=drawing.width, height=drawing.height, unit=drawing.unit
    )
