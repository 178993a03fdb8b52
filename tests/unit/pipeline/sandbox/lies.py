"""A child that answers what its document says it should: the path that it is given is the answer, as JSON."""

import json
from collections.abc import Callable
from typing import Any


def _answer(*, path: str, **_: Any) -> Any:
    return json.loads(path)


def tasks() -> dict[str, Callable[..., Any]]:
    return dict.fromkeys(
        ("inspect", "read_pages", "draw_page", "recognize_pages", "check_text_layer", "describe_engine"), _answer
    )
