"""`python -m tests.chaos --minutes 60`: soak and tell what came of it; exits with 1 if the promise was broken."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.chaos.soak import Outcome, soak
from tests.parts import find_part


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=round(time.time()))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    toxiproxy = find_part("toxiproxy-server", "server")
    if toxiproxy is None:
        sys.exit("toxiproxy is missing: go install github.com/Shopify/toxiproxy/v2/cmd/server@latest")
    home = Path(tempfile.mkdtemp(prefix="arsip-soak-"))
    home.chmod(0o755)
    console = Console(stderr=True, highlight=False)
    outcome = soak(home, toxiproxy, minutes=arguments.minutes, seed=arguments.seed, say=console.print)
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    else:
        report(outcome, Console(highlight=False))
    if outcome.holds:
        shutil.rmtree(home, ignore_errors=True)
        return 0
    console.print(f"the logs and the database are in {home}")
    return 1


def report(outcome: Outcome, console: Console) -> None:
    title = f"{outcome.minutes:g} minutes, seed {outcome.seed}"
    table = Table("fault", "times", "its jobs are done after: median", "max", title=title)
    for name, count in sorted(outcome.faults.items()):
        recovery = outcome.recovery(name)
        seconds = [f"{value:.1f} s" for value in recovery] if recovery else ["-", "-"]
        table.add_row(name.replace("_", " "), str(count), *seconds)
    console.print(table)
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(outcome.statuses.items()))
    console.print(f"faults {outcome.faults.total()}, documents {outcome.documents} ({statuses}), pages {outcome.pages}")
    if times := outcome.recovery_times:
        console.print(f"time to recover: median {median(times):.1f} s, max {times[-1]:.1f} s")
    console.print(f"lost {len(outcome.lost)}, duplicated {len(outcome.duplicated)}")
    for rule, places in outcome.violations.items():
        console.print(f"[red]{rule}[/red]: {len(places)}, such as {'; '.join(places[:5])}")


if __name__ == "__main__":
    sys.exit(main())
