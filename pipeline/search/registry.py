"""Search backends by name: entry points of the group `arsip.search_indexes`."""

import inspect
from importlib.metadata import entry_points

from pipeline.database import Database
from pipeline.errors import ConfigurationError
from pipeline.search.contract import SearchIndex
from pipeline.settings import Settings

GROUP = "arsip.search_indexes"


def open_index(settings: Settings, database: Database) -> SearchIndex:
    """Open the backend that `settings.search_index` names.

    Raises:
        ConfigurationError: there is no such backend, two have the name, it cannot be imported, or it is no backend.
    """
    name = settings.search_index
    # An editable install may list its entry points twice.
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise ConfigurationError(f"ARSIP_SEARCH_INDEX is {name!r}, which is not installed; {_known()}")
    if len(points) > 1:
        raise ConfigurationError(f"several plug-ins name their search index {name!r}: {', '.join(sorted(points))}")
    ((value, point),) = points.items()
    try:
        found = point.load()
    except Exception as error:
        raise ConfigurationError(f"search index {name!r} ({value}) cannot be imported: {error}; {_known()}") from error
    if not (inspect.isclass(found) and issubclass(found, SearchIndex)):
        raise ConfigurationError(f"search index {name!r} ({value}) is not a subclass of SearchIndex; {_known()}")
    if missing := getattr(found, "__abstractmethods__", None):
        raise ConfigurationError(f"search index {name!r} ({value}) lacks {', '.join(sorted(missing))}; {_known()}")
    return found.connect(settings, database)


def _known() -> str:
    return f"installed: {', '.join(sorted({point.name for point in entry_points(group=GROUP)})) or 'none'}"
