"""Run by alembic for every command: on the connection it is given, or on ARSIP_DATABASE_URL."""

from alembic import context
from sqlalchemy import Connection

from pipeline.database import Database
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from pipeline.tables import Base


def database_url() -> str:
    url = Settings().database_url
    if url is None:
        raise ConfigurationError("set ARSIP_DATABASE_URL; the embedded database is migrated by arsip itself")
    return url.get_secret_value()


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    database = Database(database_url())
    with database.engine.begin() as own:
        run(own)
    database.close()
