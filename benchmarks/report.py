"""Rounds of measuring, and the table that comes out.

The contenders take turns within a round, and what counts is the median over the rounds of the ratio within each:
so a machine that is busy for a while slows all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table


def race(
    title: str, contenders: Mapping[str, Callable[[], float]], *, pages: int, rounds: int, baselines: Sequence[str]
) -> None:
    """Run the contenders in turn and print pages/s, and how many times as fast as each baseline each of them is."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            seconds[name].append(run())
    table = Table("contender", "seconds", "pages/s", *(f"times as fast as {name}" for name in baselines), title=title)
    for name, taken in seconds.items():
        ratios = (
            f"{median(base / own for base, own in zip(seconds[baseline], taken, strict=True)):.2f}"
            for baseline in baselines
        )
        table.add_row(name, f"{median(taken):.1f}", f"{pages / median(taken):.2f}", *ratios)
    Console().print(table)
