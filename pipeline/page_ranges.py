"""Page numbers as ranges, which is how jobs and calls name them."""

from collections.abc import Iterable, Iterator
from itertools import groupby


def page_ranges(numbers: Iterable[int], size: int) -> Iterator[tuple[int, int]]:
    """Page numbers in ascending order as ranges (first, last) of at most `size` pages that follow each other."""
    for _, run in groupby(enumerate(numbers), key=lambda item: item[1] - item[0]):
        consecutive = [number for _, number in run]
        first, last = consecutive[0], consecutive[-1]
        for start in range(first, last + 1, size):
            yield start, min(start + size - 1, last)
