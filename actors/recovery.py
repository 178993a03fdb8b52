"""Recovery from whatever died: what nobody works on is found in Postgres and rung for."""

import logging

from actors.doorbell import Doorbell
from pipeline.archive import Archive
from pipeline.errors import TransientError
from pipeline.recovery import recover

logger = logging.getLogger(__name__)


class Recovery:
    """Done every minute by the scheduler, and once by each worker that starts."""

    def __init__(self, archive: Archive, doorbell: Doorbell) -> None:
        self._archive = archive
        self._doorbell = doorbell

    def run(self) -> None:
        """A part that is away is logged, never raised: the next run finds what this one did not."""
        try:
            recover(self._archive)
        except TransientError as error:
            logger.warning("recovery has to wait: %s", error)
        self._doorbell.ring_all()
