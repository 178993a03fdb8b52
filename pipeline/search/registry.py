"""Search backends by name: entry points of the group `arsip.search_indexes`."""

from importlib.metadata import entry_points

from pipeline.database import Database
from pipeline.errors import ConfigurationError
from pipeline.search.contract import SearchIndex
from pipeline.settings import Settings

GROUP = "arsip.search_indexes"


def open_index(settings: Settings, database: Database) -> SearchIndex:
    """Open the backend that `settings.search_index` names.

    Raises:
        ConfigurationError: there is no such backend, it cannot be imported, or it is no backend.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    name = settings.search_index
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise ConfigurationError(f"ARSIP_SEARCH_INDEX is {name!r}, which is not installed; installed: {known}")
    try:
        found = points[name].load()
    except Exception as error:
        raise ConfigurationError(f"search index {name!r} ({points[name].value}) cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, SearchIndex)):
        raise ConfigurationError(f"search index {name!r} ({points[name].value}) is not a subclass of SearchIndex")
    return found.connect(settings, database)
