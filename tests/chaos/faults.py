"""The faults, by name. Each strikes, lasts for as long as it says, and is over when it returns."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from threading import Thread

import psutil

from pipeline.stack import postgres, valkey
from tests.chaos.world import SETTINGS, World

Fault = Callable[[World, Random], None]

WRONG_CLOCK = Path(__file__).parent / "wrong_clock"
LEASE = float(str(SETTINGS["lease_seconds"]))


def worker_killed(world: World, random: Random) -> None:
    _strike(world.workers(), random, psutil.Process.kill)


def engine_child_killed(world: World, random: Random) -> None:
    _strike(world.children(), random, psutil.Process.kill)


def supervisor_killed(world: World, random: Random) -> None:
    victim = random.choice(world.supervisors)
    victim.kill()
    victim.wait()
    world.start_supervisor()


def workers_replaced(world: World, random: Random) -> None:
    """As a deployment does."""
    victim = random.choice(world.supervisors)
    world.start_supervisor()
    victim.send_signal(signal.SIGTERM)
    victim.wait(60)


def worker_frozen_beyond_its_lease(world: World, random: Random) -> None:
    """It comes back with results that are nobody's any more."""

    def freeze(victim: psutil.Process) -> None:
        victim.suspend()
        time.sleep(LEASE + 2)
        victim.resume()

    _strike(world.workers(), random, freeze)


def valkey_restarted(world: World, random: Random) -> None:
    valkey.stop(world.valkey)
    valkey.start(world.valkey)


def valkey_killed(world: World, random: Random) -> None:
    for process in valkey._server(world.valkey).processes():
        process.kill()
    time.sleep(random.uniform(0, 2))
    valkey.start(world.valkey)


def valkey_emptied(world: World, random: Random) -> None:
    world.redis.flushall()


def valkey_full(world: World, random: Random) -> None:
    world.redis.config_set("maxmemory", 1)
    time.sleep(random.uniform(2, 5))
    world.redis.config_set("maxmemory", 0)


def redis_cut(world: World, random: Random) -> None:
    with world.proxy.cut("redis"):
        time.sleep(random.uniform(0.1, 4))


def redis_stalled(world: World, random: Random) -> None:
    with world.proxy.stalled("redis"):
        time.sleep(random.uniform(2, 6))


def postgres_cut(world: World, random: Random) -> None:
    with world.proxy.cut("postgres"):
        time.sleep(random.uniform(0.1, 4))


def postgres_slow(world: World, random: Random) -> None:
    with world.proxy.slow("postgres", 500):
        time.sleep(random.uniform(2, 5))


def postgres_stalled(world: World, random: Random) -> None:
    with world.proxy.stalled("postgres"):
        time.sleep(random.uniform(2, 6))


def postgres_stopped(world: World, random: Random) -> None:
    postgres.stop(world.postgres)
    time.sleep(random.uniform(0, 5))
    postgres.start(world.postgres)


def postgres_crashed(world: World, random: Random) -> None:
    """An immediate shutdown: it comes up by replaying its log."""
    postgres._server(world.postgres).stop(signal.SIGQUIT)
    postgres.start(world.postgres)


def undecodable_message(world: World, random: Random) -> None:
    queue = random.choice(["ingest", "ocr.tesseract", "index"])
    name = f"garbage-{random.getrandbits(64):x}"
    world.redis.hset(f"arsip:{queue}.msgs", name, random.randbytes(20))
    world.redis.lpush(f"arsip:{queue}", name)


def message_for_nobody(world: World, random: Random) -> None:
    name = f"stray-{random.getrandbits(64):x}"
    message = (
        f'{{"queue_name":"ingest","actor_name":"nobody","args":[],"kwargs":{{}},"options":{{"redis_message_id":"{name}"}},'
        f'"message_id":"{name}","message_timestamp":0}}'
    )
    world.redis.hset("arsip:ingest.msgs", name, message)
    world.redis.rpush("arsip:ingest", name)


def same_files_submitted_twice_at_once(world: World, random: Random) -> None:
    files = sorted((world.home / "in").iterdir())
    some = random.sample(files, min(5, len(files)))
    both = [Thread(target=world.ingest, args=some) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()


def clock_skewed(world: World, random: Random) -> None:
    """A worker whose clock is minutes ahead or behind works for a while: its heartbeats and messages lie elsewhere."""
    path = os.pathsep.join([str(WRONG_CLOCK), world.environment["PYTHONPATH"]])
    odd = world.start_supervisor(PYTHONPATH=path, CHAOS_CLOCK_SKEW=str(random.choice([-86400, -150, 150, 86400])))
    time.sleep(10)
    odd.terminate()
    odd.wait(60)


def submission_killed(world: World, random: Random) -> None:
    """What it answered for stays accepted; the other files are handed in again in the end."""
    time.sleep(random.uniform(0, 2))
    for command in world.ingesting:
        command.kill()


FAULTS: Sequence[Fault] = (
    worker_killed, engine_child_killed, supervisor_killed, workers_replaced, worker_frozen_beyond_its_lease,
    valkey_restarted, valkey_killed, valkey_emptied, valkey_full, redis_cut, redis_stalled, postgres_cut,
    postgres_slow, postgres_stalled, postgres_stopped, postgres_crashed, undecodable_message, message_for_nobody,
    same_files_submitted_twice_at_once, submission_killed, clock_skewed,
)  # fmt: skip


def _strike(victims: Sequence[psutil.Process], random: Random, how: Callable[[psutil.Process], object]) -> None:
    try:
        if victims:
            how(random.choice(victims))
    except psutil.NoSuchProcess:
        pass
