"""Where dramatiq on Redis loses (L), strands (S) or repeats (D) messages: each is provoked, each document ends once.

The jobs are rows in Postgres and a message only rings for one, so each of these costs time and nothing else.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Callbacks, Middleware, Pipelines
from pydantic import SecretStr

from actors.broker import build_broker
from actors.doorbell import Doorbell, actor_name
from actors.workbench import open_workbench
from pipeline.archive import Archive
from pipeline.errors import EngineCrashed
from pipeline.reading.types import DocumentInfo
from pipeline.sandbox.reader import DocumentReader
from pipeline.settings import Settings
from pipeline.stack import valkey
from tests.factories import RICH, save_pdf, take_in
from tests.processes import count, statuses, wait_until
from tests.workers import threads, working

QUEUE = "ingest"
LIST, MESSAGES = f"arsip:{QUEUE}", f"arsip:{QUEUE}.msgs"

FailOnce = Callable[[Callable[[], object]], None]


class OwnValkey:
    """A Valkey that the test may stop, fill and stall; with its settings a reply is awaited for a second."""

    def __init__(self, data: Path, settings: Settings) -> None:
        self._data = data
        url = SecretStr(f"{valkey.start(data)}?socket_timeout=1")
        self.settings = settings.model_copy(update={"redis_url": url})
        self.client: redis.Redis[Any] = redis.Redis.from_url(url.get_secret_value())

    def stop(self) -> None:
        valkey.stop(self._data)

    def start(self) -> None:
        valkey.start(self._data)


@pytest.fixture
def own_valkey(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[OwnValkey]:
    own = OwnValkey(tmp_path_factory.mktemp("v") / "valkey", settings)
    yield own
    own.stop()


@pytest.fixture
def job_id(archive: Archive, tmp_path: Path) -> int:
    """The ingest job of a document that nobody has rung for yet."""
    take_in(archive, save_pdf(tmp_path / "letter.pdf", RICH))
    return count(archive.database, "SELECT id FROM jobs")


@pytest.fixture
def fail_once(monkeypatch: pytest.MonkeyPatch) -> FailOnce:
    """Has the first inspection do something and then fail as when its child dies."""

    def arm(meanwhile: Callable[[], object]) -> None:
        inspect = DocumentReader.inspect
        left = [meanwhile]

        def fail_first(self: DocumentReader, path: Path, *, seconds: float) -> DocumentInfo:
            if left:
                left.pop()()
                raise EngineCrashed("the child died, this once")
            return inspect(self, path, seconds=seconds)

        monkeypatch.setattr(DocumentReader, "inspect", fail_first)

    return arm


def tries(archive: Archive) -> int:
    """How often the ingest job was started."""
    return count(archive.database, "SELECT attempts FROM jobs WHERE stage = 'ingest'")


def wait_until_processed(archive: Archive) -> None:
    wait_until(lambda: statuses(archive.database) == {"PROCESSED"}, 60)
    assert count(archive.database, "SELECT count(*) FROM jobs WHERE status <> 'COMPLETED'") == 0


def other_broker(settings: Settings) -> RedisBroker:
    """As another worker has it."""
    assert settings.redis_url
    return build_broker(settings, settings.redis_url.get_secret_value())


def message(job_id: int) -> "dramatiq.Message[None]":
    return dramatiq.Message(queue_name=QUEUE, actor_name=actor_name(QUEUE), args=(job_id,), kwargs={}, options={})


def test_l1_redis_is_down_when_a_job_fails(
    archive: Archive, own_valkey: OwnValkey, job_id: int, fail_once: FailOnce
) -> None:
    fail_once(own_valkey.stop)
    with working(own_valkey.settings):
        wait_until(lambda: count(archive.database, "SELECT count(*) FROM jobs WHERE failure_code = 'engine_crashed'"))
        own_valkey.start()
        wait_until_processed(archive)
    assert tries(archive) == 2


def test_l2_a_retry_policy_that_raises(archive: Archive, settings: Settings, job_id: int, fail_once: FailOnce) -> None:
    def broken_policy(retries: int, error: BaseException) -> bool:
        raise RuntimeError("the policy is broken")

    fail_once(lambda: None)
    with open_workbench(settings) as bench:
        bench.broker.get_actor(actor_name(QUEUE)).options["retry_when"] = broken_policy
        with threads(bench, settings):
            wait_until_processed(archive)
    assert tries(archive) == 2


class _SlowHook(Middleware):
    """An after-hook that takes longer than the time limit of the message."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.done = 0

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        time.sleep(self.seconds)
        self.done += 1


def test_l3_the_time_limit_does_not_strike_in_a_hook(archive: Archive, settings: Settings, job_id: int) -> None:
    hasty = settings.model_copy(update={"ingest_queue": settings.ingest_queue.model_copy(update={"time_limit": 2.0})})
    hook = _SlowHook(3.5)
    with working(hasty, hook) as worker:
        wait_until_processed(archive)
        wait_until(lambda: hook.done == 2)
        assert all(thread.is_alive() for thread in worker.workers)


def test_l4_nothing_is_chained_by_messages(archive: Archive, settings: Settings, job_id: int) -> None:
    with open_workbench(settings) as bench:
        assert not any(isinstance(middleware, Callbacks | Pipelines) for middleware in bench.broker.middleware)
        with threads(bench, settings):
            wait_until_processed(archive)


def test_l5_keys_are_evicted(archive: Archive, settings: Settings, job_id: int) -> None:
    broker = other_broker(settings)
    assert Doorbell(broker, archive.database, settings).ring_all() == 1
    broker.client.delete(LIST, MESSAGES)
    with working(settings):
        wait_until_processed(archive)
    assert broker.client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_s1_redis_restarts_while_a_retry_waits(
    archive: Archive, own_valkey: OwnValkey, job_id: int, fail_once: FailOnce
) -> None:
    fail_once(lambda: None)
    slow = own_valkey.settings.ingest_queue.model_copy(update={"min_backoff": 3.0})
    with working(own_valkey.settings.model_copy(update={"ingest_queue": slow})):
        wait_until(lambda: own_valkey.client.hlen(f"{LIST}.DQ.msgs") == 1)
        own_valkey.stop()
        own_valkey.start()
        wait_until_processed(archive)


def test_s2_the_reply_to_a_fetch_is_lost(archive: Archive, settings: Settings, job_id: int) -> None:
    with open_workbench(settings) as bench:
        wait_until(lambda: bench.broker.client.llen(LIST) == 1)
        bench.broker.do_fetch(QUEUE, 1)
        with threads(bench, settings):
            wait_until_processed(archive)
    assert tries(archive) == 1


def test_s3_an_undecodable_message_strands_its_neighbours(archive: Archive, settings: Settings, job_id: int) -> None:
    with open_workbench(settings) as bench:
        wait_until(lambda: bench.broker.client.llen(LIST) == 1)
        bench.broker.client.hset(MESSAGES, "garbage", b"\xff\x00 this is no message")
        bench.broker.client.lpush(LIST, "garbage")
        with threads(bench, settings):
            wait_until_processed(archive)
    assert tries(archive) == 1


class _RedisStallsBeforeTheAck(Middleware):
    def __init__(self, own: OwnValkey) -> None:
        self.own = own
        self.stalled = False

    def before_ack(self, broker: Any, message: Any) -> None:
        if not self.stalled:
            self.stalled = True
            self.own.client.client_pause(2500)


def test_s4_an_ack_times_out(archive: Archive, own_valkey: OwnValkey, job_id: int) -> None:
    hook = _RedisStallsBeforeTheAck(own_valkey)
    with working(own_valkey.settings, hook):
        wait_until_processed(archive)
    assert hook.stalled
    assert tries(archive) == 1


def test_s5_redis_is_full(archive: Archive, own_valkey: OwnValkey, job_id: int) -> None:
    own_valkey.client.config_set("maxmemory", 1)
    with working(own_valkey.settings):
        wait_until(lambda: "errorstat_OOM" in own_valkey.client.info("errorstats"))
        assert tries(archive) == 0
        own_valkey.client.config_set("maxmemory", 0)
        wait_until_processed(archive)


def test_s6_a_worker_is_killed_with_its_message(archive: Archive, settings: Settings, job_id: int) -> None:
    dead = other_broker(settings)
    Doorbell(dead, archive.database, settings).ring_all()
    assert dead.do_fetch(QUEUE, 1)
    with working(settings):
        wait_until_processed(archive)


def steal(other: RedisBroker, *, clock_ahead: float, late_heartbeats: bool) -> list[bytes]:
    """Have dramatiq's maintenance take the messages of a worker that it thinks dead, and fetch the first one."""
    heartbeats, now = "arsip:__heartbeats__", round((time.time() + clock_ahead) * 1000)
    arguments = ["fetch", now, QUEUE, other.broker_id, other.heartbeat_timeout, other.dead_message_ttl, 1, 1000, 1]
    with other.client.pipeline() as transaction:
        if late_heartbeats:
            for worker in other.client.zrange(heartbeats, 0, -1):
                transaction.zadd(heartbeats, {worker: 0})
        other.scripts["dispatch"](keys=["arsip"], args=arguments, client=transaction)
        return list(transaction.execute()[-1])


@pytest.mark.parametrize(("clock_ahead", "late_heartbeats"), [(0, True), (120, False)], ids=["d1", "d2"])
def test_d1_d2_a_running_job_s_message_is_given_to_another(
    archive: Archive,
    settings: Settings,
    job_id: int,
    monkeypatch: pytest.MonkeyPatch,
    clock_ahead: float,
    late_heartbeats: bool,
) -> None:
    other = other_broker(settings)
    inspect = DocumentReader.inspect
    stolen: list[bytes] = []

    def inspect_meanwhile(self: DocumentReader, path: Path, *, seconds: float) -> DocumentInfo:
        stolen.extend(steal(other, clock_ahead=clock_ahead, late_heartbeats=late_heartbeats))
        other.enqueue(dramatiq.Message.decode(stolen[0]))
        return inspect(self, path, seconds=seconds)

    monkeypatch.setattr(DocumentReader, "inspect", inspect_meanwhile)
    with working(settings):
        wait_until_processed(archive)
    assert stolen
    assert tries(archive) == 1


@pytest.mark.parametrize("copies", [2, 20])
def test_d4_d5_a_message_comes_more_than_once(archive: Archive, settings: Settings, job_id: int, copies: int) -> None:
    broker = other_broker(settings)
    for _ in range(copies):
        broker.enqueue(message(job_id))
    with working(settings), working(settings):
        wait_until_processed(archive)
        wait_until(lambda: broker.client.hlen(MESSAGES) == 0)
    assert tries(archive) == 1
    assert count(archive.database, "SELECT count(*) FROM jobs WHERE stage = 'index'") == 1
