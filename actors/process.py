"""What the worker's and the scheduler's process have in common: their exit codes."""

import sys
from collections.abc import Callable

from pipeline.errors import ConfigurationError, StorageUnavailable
from pipeline.logs import configure_logging
from pipeline.settings import Settings, read_settings

EXIT_UNAVAILABLE = 69
"""EX_UNAVAILABLE of sysexits.h: a server is away, or the worker's threads died; starting again may help."""
EXIT_RECYCLED = 75
"""EX_TEMPFAIL of sysexits.h: the worker has done its share, and a new one is to take its place."""
EXIT_CONFIGURATION = 78
"""EX_CONFIG of sysexits.h: starting again does not help."""


def exit_code_of(name: str, run: Callable[[Settings], int]) -> int:
    """Run with settings from the environment; what keeps it from running is told on standard error, and by the code.

    Args:
        name: of the process, as in `arsip worker`.
    """
    try:
        settings = read_settings()
        configure_logging(settings.log_level)
        return run(settings)
    except ConfigurationError as error:
        print(f"arsip {name}: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_CONFIGURATION
    except StorageUnavailable as error:
        print(f"arsip {name}: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_UNAVAILABLE
