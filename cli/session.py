"""What a command works with: the archive and the way to ring for its jobs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from actors.broker import build_broker
from actors.doorbell import Doorbell
from pipeline.archive import Archive, open_archive
from pipeline.settings import Settings
from pipeline.stack import open_stack


@dataclass(frozen=True, slots=True)
class Session:
    archive: Archive
    doorbell: Doorbell


@contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """Open the archive; the embedded servers are started if no others are configured."""
    with (
        open_stack(settings) as urls,
        open_archive(settings, urls.database) as archive,
        closing(build_broker(settings, urls.redis)) as broker,
    ):
        yield Session(archive=archive, doorbell=Doorbell(broker, archive.database, settings))
