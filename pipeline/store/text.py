"""What PostgreSQL's text and JSON can hold."""

from typing import Any


def storable(value: Any) -> Any:
    """The value with its texts, in lists and dictionaries too, without NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, list | tuple):
        return [storable(part) for part in value]
    if isinstance(value, dict):
        return {storable(key): storable(part) for key, part in value.items()}
    return value
