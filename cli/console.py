"""What the commands print: results on standard output, for people or as JSON Lines; all else on standard error."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON Lines to standard output and nothing else.")]

STATUS_STYLES = {"PROCESSED": "green", "PARTIAL": "yellow", "FAILED": "red", "DONE": "green"}


def out() -> Console:
    """For people; a pipe gets lines of up to 200 characters."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


def err() -> Console:
    return Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    err().print(f"[red]arsip:[/red] {escape(message)}", soft_wrap=True)


def write_json(thing: Mapping[str, Any]) -> None:
    """One object on one line; written out at once, so that a reader at the other end of a pipe sees it."""
    sys.stdout.write(json.dumps(thing, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def counted(number: int, thing: str) -> str:
    """Such as `1 page` or `2,000 pages`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def status_text(status: str) -> str:
    style = STATUS_STYLES.get(status, "cyan")
    return f"[{style}]{status}[/{style}]"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
