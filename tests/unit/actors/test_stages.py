"""The actors as dramatiq is told of them."""

from contextlib import closing

import pytest

from actors.broker import build_broker
from actors.stages import declare_actors
from pipeline.errors import PermanentError
from pipeline.settings import Settings

MINUTE = 60_000


@pytest.mark.parametrize(
    ("queue", "priority", "minutes", "retries", "seconds"),
    [("ingest", 0, 30, 3, 15), ("ocr.tesseract", 0, 60, 2, 60), ("index", 50, 10, 3, 15)],
)
def test_each_queue_has_its_limits(queue: str, priority: int, minutes: int, retries: int, seconds: int) -> None:
    with closing(build_broker(Settings(), "redis://127.0.0.1:1/0")) as broker:
        declare_actors(broker, Settings(), lambda _: None)
        actor = broker.get_actor(f"work.{queue}")
    assert actor.queue_name == queue
    assert actor.priority == priority
    assert actor.options == {
        "time_limit": minutes * MINUTE,
        "max_retries": retries,
        "min_backoff": seconds * 1000,
        "max_backoff": 60 * MINUTE,
        "throws": PermanentError,
    }
