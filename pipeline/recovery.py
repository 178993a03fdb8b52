"""Recovery: what Postgres knows to be unfinished and nobody works on."""

from pipeline.archive import Archive


def recover(archive: Archive) -> None: ...
