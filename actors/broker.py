"""The broker and the order of its middleware.

`before_*` hooks run in list order and `after_*` hooks in reverse. The order, and why:

1. `Retries`: its after-hook decides between retry and failure, so it must run after the time limit is lifted.
2. `TimeLimit` last: its after-hook runs first, so the limit cannot strike inside another hook (which would lose the
   message and kill the worker's thread).

A worker adds `DeadLetters` and `Recycling` before them. The one writes in `before_nack`, a hook that no other has; the
other's after-hook runs last, when the message's fate is decided.

Left out on purpose: AgeLimit, Pipelines, Callbacks and GroupCallbacks. The steps are chained through rows in Postgres.
"""

from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, Retries, TimeLimit

from pipeline.settings import Settings

SOCKET_TIMEOUT = 10
"""Seconds; without it a stalled connection would hold a worker for ever."""


def build_broker(settings: Settings, redis_url: str, *extra: Middleware) -> RedisBroker:
    """A broker without actors; `extra` middleware stands before the ones above.

    The URL form is used since it alone retries nothing by itself: a repeated enqueue would run a message twice.
    """
    separator = "&" if "?" in redis_url else "?"
    timeouts = f"socket_timeout={SOCKET_TIMEOUT}&socket_connect_timeout={SOCKET_TIMEOUT}"
    return RedisBroker(  # type: ignore[no-untyped-call]
        url=f"{redis_url}{separator}{timeouts}",
        namespace=settings.redis_namespace,
        middleware=[*extra, Retries(), TimeLimit()],
    )
