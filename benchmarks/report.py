"""Rounds of measuring, and the table that comes out.

The contenders take turns within a round, and what counts is the median over the rounds of the ratio within each:
so a machine that is busy for a while slows all of them.
"""

from collections.abc import Callable, Mapping
from statistics import median

from rich.console import Console
from rich.table import Table


def race(title: str, contenders: Mapping[str, Callable[[], float]], *, pages: int, rounds: int) -> None:
    """Run the contenders in turn and print pages/s, and how many times as fast as each the first one is."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            seconds[name].append(run())
    first = next(iter(contenders))
    table = Table("contender", "seconds", "pages/s", f"{first} is so many times as fast", title=title)
    for name, taken in seconds.items():
        ratio = median(other / own for other, own in zip(taken, seconds[first], strict=True))
        table.add_row(name, f"{median(taken):.1f}", f"{pages / median(taken):.2f}", f"{ratio:.2f}")
    Console().print(table)
