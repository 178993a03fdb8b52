"""Makes docs/tour.svg: what a terminal shows when the samples are taken in and searched."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
COMMANDS = (
    ["ingest", "samples"],
    ["search", '"acid-free boxes" OR pemeliharaan', "--limit", "2"],
    ["documents", "list"],
)


def main() -> None:
    screen = Console(record=True, width=110, file=open(os.devnull, "w"), force_terminal=True)  # noqa: PTH123, SIM115
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        environment = os.environ | {"ARSIP_HOME": home, "FORCE_COLOR": "1", "COLUMNS": "110"}
        for arguments in COMMANDS:
            done = subprocess.run(  # noqa: S603
                [Path(sys.executable).with_name("arsip"), *arguments],
                env=environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=True,
            )
            typed = " ".join(f"'{word}'" if " " in word else word for word in arguments)
            screen.print(Text(f"$ arsip {typed}", style="bold"))
            screen.print(Text.from_ansi(done.stdout))
    (ROOT / "docs/tour.svg").write_text(screen.export_svg(title="arsip"))


if __name__ == "__main__":
    main()
