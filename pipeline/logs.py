"""How arsip logs: one line per event on standard error."""

import logging


def configure_logging(level: str) -> None:
    """Set up the root logger.

    Args:
        level: a level's name, such as INFO.
    """
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s", force=True
    )
