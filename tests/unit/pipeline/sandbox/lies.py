"""A child that answers what its document says it should: the path or text that it is given is the answer, as JSON."""

import json
from collections.abc import Callable, Sequence
from typing import Any


def _answer(*, path: str = "", pages: Sequence[dict[str, Any]] = (), **_: Any) -> Any:
    return json.loads(path or pages[0]["text"])


def tasks() -> dict[str, Callable[..., Any]]:
    return dict.fromkeys(
        (
            "inspect",
            "read_pages",
            "draw_page",
            "recognize_pages",
            "check_text_layer",
            "describe_engine",
            "find_number",
        ),
        _answer,
    )
