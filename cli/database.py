"""`arsip db`: the schema of the database."""

import typer

from cli.console import JsonOption, out, write_json
from pipeline import migrate
from pipeline.settings import Settings
from pipeline.stack import open_stack

app = typer.Typer(no_args_is_help=True, help="Bring the database's schema up to date, or tell where it is.")


@app.command()
def upgrade(context: typer.Context, json: JsonOption = False) -> None:
    """Bring the schema up to date. The embedded database does this by itself.

    Example: `ARSIP_DATABASE_URL=postgresql://... arsip db upgrade`
    """
    settings: Settings = context.obj
    with open_stack(settings) as urls:
        migrate.upgrade(urls.database)
        _tell(urls.database, json=json)


@app.command()
def current(context: typer.Context, json: JsonOption = False) -> None:
    """Tell the schema's revision and the newest one; exits with 1 if they differ.

    Example: `arsip db current`
    """
    settings: Settings = context.obj
    with open_stack(settings) as urls:
        if not _tell(urls.database, json=json):
            raise typer.Exit(1)


def _tell(url: str, *, json: bool) -> bool:
    revision, newest = migrate.current(url), migrate.head()
    if json:
        write_json({"revision": revision, "newest": newest, "up_to_date": revision == newest})
    else:
        state = "up to date" if revision == newest else f"the newest is {newest}: run `arsip db upgrade`"
        out().print(f"schema revision {revision or 'none'}: {state}")
    return revision == newest
