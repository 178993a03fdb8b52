"""The child's tasks with one failure each, which no document can be relied on to provoke. Page 2 is the guilty one."""

import os
import time
from collections.abc import Callable
from typing import Any

from pipeline.reading.tasks import tasks

GUILTY = 2


def _before_recognition(harm: Callable[[], object], *, from_scale: float = 0) -> dict[str, Callable[..., Any]]:
    healthy = tasks()

    def recognize_pages(*, numbers: list[int], raster: dict[str, Any], **arguments: Any) -> Any:
        if GUILTY in numbers and raster["scale"] >= from_scale:
            harm()
        return healthy["recognize_pages"](numbers=numbers, raster=raster, **arguments)

    return healthy | {"recognize_pages": recognize_pages}


def engine_segfault() -> dict[str, Callable[..., Any]]:
    return _before_recognition(lambda: os.kill(os.getpid(), 11))


def engine_hang() -> dict[str, Callable[..., Any]]:
    return _before_recognition(lambda: time.sleep(600))


def engine_memory_hunger() -> dict[str, Callable[..., Any]]:
    return _before_recognition(lambda: bytearray(1 << 40))


def engine_memory_hunger_at_full_resolution() -> dict[str, Callable[..., Any]]:
    return _before_recognition(lambda: bytearray(1 << 40), from_scale=1)


def text_layer_segfault() -> dict[str, Callable[..., Any]]:
    healthy = tasks()

    def read_pages(*, first: int, last: int, **arguments: Any) -> Any:
        if first <= GUILTY <= last:
            os.kill(os.getpid(), 11)
        return healthy["read_pages"](first=first, last=last, **arguments)

    return healthy | {"read_pages": read_pages}


def inspect_segfault() -> dict[str, Callable[..., Any]]:
    return tasks() | {"inspect": lambda **_: os.kill(os.getpid(), 11)}


def tesseract_segfault() -> dict[str, Callable[..., Any]]:
    healthy = tasks()

    def recognize_pages(*, engine: dict[str, Any], **arguments: Any) -> Any:
        if engine["name"] == "tesseract":
            os.kill(os.getpid(), 11)
        return healthy["recognize_pages"](engine=engine, **arguments)

    return healthy | {"recognize_pages": recognize_pages}
