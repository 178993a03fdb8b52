"""`arsip engines`: which OCR engines are installed, and whether they work."""

from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.console import JsonOption, out, write_json
from engines.registry import engine_names
from engines.types import ENOUGH
from pipeline.errors import ArsipError, ConfigurationError
from pipeline.queue_settings import OcrQueueSettings
from pipeline.reading.types import EngineSpec
from pipeline.sandbox.reader import DESCRIBE_SECONDS, DocumentReader, open_reader
from pipeline.settings import Settings

app = typer.Typer(no_args_is_help=True, help="See which OCR engines there are, and whether they work.")

CHECK_SECONDS = 600
"""Loading models onto a GPU takes a while, and reading on a CPU a minute."""
LANGUAGES_SHOWN = 8


@app.command("list")
def list_engines(context: typer.Context, json: JsonOption = False) -> None:
    """List the installed engines, their versions, languages, and the queues that use them.

    Examples: `arsip engines list`, `arsip engines list --json`
    """
    settings: Settings = context.obj
    with closing(open_reader(settings)) as reader:
        rows = [_described(settings, reader, name) for name in engine_names()]
    if json:
        for row in rows:
            write_json(row)
        return
    table = Table("engine", "version", "languages", "queues", box=None, pad_edge=False)
    for row in rows:
        languages = row["languages"]
        shown = "any" if languages is None else " ".join(languages[:LANGUAGES_SHOWN])
        more = f" and {len(languages) - LANGUAGES_SHOWN} more" if languages and len(languages) > LANGUAGES_SHOWN else ""
        if row["error"]:
            table.add_row(row["engine"], "[red]not usable[/red]", escape(row["error"]["message"]), "")
        else:
            table.add_row(row["engine"], row["version"], shown + more, " ".join(row["queues"]))
    out().print(table)


@app.command()
def check(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Queues or engines; all OCR queues if not given.")] = None,
    json: JsonOption = False,
) -> None:
    """Have engines read a small page of English text, with the options of their queue. Exits with 1 if one fails.

    Examples: `arsip engines check`, `arsip engines check ocr.tesseract rapidocr`
    """
    settings: Settings = context.obj
    well = True
    for name in names or settings.ocr_queue_names:
        row = _tried(settings, name)
        well = well and row["error"] is None
        if json:
            write_json(row)
        elif row["error"]:
            out().print(f"[red]{name}[/red]: {escape(row['error']['message'])}", soft_wrap=True)
        else:
            out().print(
                f"[green]{name}[/green]: {row['engine']} {row['version']} on {row['device']}, opened in "
                f"{row['open_seconds']:.1f} s, read a page in {row['page_seconds']:.2f} s, "
                f"found {row['found']:.0%} of its words"
            )
    if not well:
        raise typer.Exit(1)


def _described(settings: Settings, reader: DocumentReader, name: str) -> dict[str, Any]:
    queues = [queue for queue, one in settings.named_ocr_queues.items() if one.engine == name]
    row: dict[str, Any] = {"engine": name, "version": None, "languages": None, "queues": queues, "error": None}
    try:
        info = reader.describe_engine(EngineSpec(name, {}, settings.languages), seconds=DESCRIBE_SECONDS)
    except ArsipError as error:
        return row | {"error": {"code": error.code, "message": str(error)}}
    return row | {"version": info.version, "languages": info.languages}


def _tried(settings: Settings, name: str) -> dict[str, Any]:
    queue = _queue(settings, name)
    spec = queue.spec("eng")
    row: dict[str, Any] = {"name": name, "engine": queue.engine, "error": None}
    try:
        with closing(open_reader(settings)) as reader:
            info = reader.describe_engine(spec, seconds=DESCRIBE_SECONDS)
            trial = reader.try_engine(spec, seconds=CHECK_SECONDS)
    except ArsipError as error:
        return row | {"error": {"code": error.code, "message": str(error)}}
    row |= {"version": info.version, **asdict(trial)}
    if trial.found < ENOUGH and queue.engine != "null":
        row["error"] = {"code": "engine_failed", "message": f"it read only {trial.found:.0%} of the words on the page"}
    return row


def _queue(settings: Settings, name: str) -> OcrQueueSettings:
    if name in settings.named_ocr_queues:
        return settings.named_ocr_queues[name]
    if name in engine_names():
        return OcrQueueSettings(engine=name)
    raise ConfigurationError(
        f"there is no OCR queue or engine {name!r}; queues: {', '.join(settings.ocr_queue_names)}; "
        f"engines: {', '.join(engine_names())}"
    )
