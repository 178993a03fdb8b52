"""The soak: documents come in waves, faults strike at random, and in the end everything is audited."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from threading import Event, Thread
from typing import Self

from sqlalchemy import text

from pipeline.blobs.store import BlobStore
from pipeline.errors import StorageUnavailable
from tests.chaos import audit, documents, faults
from tests.chaos.world import World

WAVE = 8
"""Documents of a wave."""
BACKLOG = 60
"""Jobs that wait or are worked on; with fewer, the next wave comes."""
MEAN_PAUSE = 4.0
"""Seconds between two faults."""
SETTLING = 240.0
"""Seconds after the last fault until all must be at its end."""
RECOVERY = 120.0
"""Seconds for which the jobs that a fault struck are watched."""
LIVE = "status IN ('PENDING', 'RUNNING')"


@dataclass
class Outcome:
    seed: int
    minutes: float
    documents: int = 0
    pages: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[float]] = field(default_factory=dict)
    """By fault: seconds from its end until the jobs that were in hand when it struck are done."""
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    violations: dict[str, list[str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not (self.lost or self.duplicated or self.violations)

    @property
    def recovery_times(self) -> list[float]:
        return sorted(seconds for times in self.recoveries.values() for seconds in times)

    def recovery(self, name: str) -> tuple[float, float] | None:
        """Median and maximum of a fault."""
        times = self.recoveries.get(name)
        return (median(times), max(times)) if times else None


def soak(home: Path, toxiproxy: Path, *, minutes: float, seed: int, say: Callable[[str], None]) -> Outcome:
    """
    Args:
        home: an empty folder for everything.
        toxiproxy: the program.
        say: told what happens.
    """
    outcome = Outcome(seed, minutes)
    random = Random(seed)
    world = World(home, toxiproxy)
    try:
        submission = _Submission(world, Random(seed))
        for _ in range(2):
            world.start_supervisor()
        with submission:
            _inject(world, random, outcome, time.monotonic() + minutes * 60, say)
        world.heal()
        say("the last fault is over; waiting until everything is at its end")
        submission.finish()
        _settle(world, say)
        _audit(world, submission, outcome)
    finally:
        world.close()
    return outcome


class _Submission:
    """Submits waves of documents until told to stop; a wave that is not accepted is submitted again in the end."""

    def __init__(self, world: World, random: Random) -> None:
        self._world, self._random = world, random
        self._folder = world.home / "in"
        self._folder.mkdir()
        self._done = Event()
        self._thread = Thread(target=self._run, name="submission")
        self.accepted: set[str] = set()
        self.count = 0

    def __enter__(self) -> None:
        self._wave()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def finish(self) -> None:
        """Submit everything once more: what was taken in is only recognised."""
        self._submit(self._folder)
        assert len(self.accepted) == self.count, "with everything well, a file was not accepted"

    def _run(self) -> None:
        while not self._done.wait(0.5):
            with suppress(StorageUnavailable):
                if _jobs(self._world, LIVE) < BACKLOG:
                    self._wave()

    def _wave(self) -> None:
        numbers = range(self.count, self.count + WAVE)
        self.count += WAVE
        paths = [documents.write(self._folder, number, self._random) for number in numbers]
        deadly = [path for path in paths if documents.DEADLY in path.name]
        self._submit(*[path for path in paths if path not in deadly])
        if deadly:
            self._submit(*deadly, queue=f"ocr.{documents.DEADLY}")

    def _submit(self, *paths: Path, queue: str = "ocr.tesseract") -> None:
        for line in self._world.ingest(*paths, queue=queue):
            if line["document_id"] is not None:
                self.accepted.add(str(line["path"]))


def _inject(world: World, random: Random, outcome: Outcome, ends_at: float, say: Callable[[str], None]) -> None:
    """Faults in an order that the seed gives: each kind once, then again in another order."""
    kinds: list[faults.Fault] = []
    with _Recoveries(world, outcome) as recoveries:
        while time.monotonic() < ends_at:
            time.sleep(random.expovariate(1 / MEAN_PAUSE))
            if not kinds:
                kinds = random.sample(faults.FAULTS, k=len(faults.FAULTS))
            fault = kinds.pop()
            in_hand = _running(world)
            fault(world, random)
            name = fault.__name__
            outcome.faults[name] += 1
            recoveries.watch(name, in_hand)
            say(f"{outcome.faults.total():4}  {name.replace('_', ' ')}, with {len(in_hand)} jobs in hand")


class _Recoveries:
    """Takes the time from the end of a fault until the jobs that were in hand when it struck are done."""

    def __init__(self, world: World, outcome: Outcome) -> None:
        self._world, self._outcome = world, outcome
        self._watched: list[tuple[str, list[int], float]] = []
        self._stop = Event()
        self._thread = Thread(target=self._run, name="recoveries")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def watch(self, name: str, job_ids: list[int]) -> None:
        if job_ids:
            self._watched.append((name, job_ids, time.monotonic()))

    def _run(self) -> None:
        """Goes on after the last fault until all are done, or their time is up."""
        while not self._stop.wait(0.1) or self._watched:
            for watched in list(self._watched):
                name, job_ids, since = watched
                seconds = time.monotonic() - since
                with suppress(StorageUnavailable):
                    if self._are_done(job_ids) or seconds > RECOVERY:
                        self._watched.remove(watched)
                        self._outcome.recoveries.setdefault(name, []).append(seconds)
            time.sleep(0.1)

    def _are_done(self, job_ids: list[int]) -> bool:
        with self._world.database.session() as session:
            query = text("SELECT count(*) FROM jobs WHERE id = ANY(:ids) AND status IN ('PENDING', 'RUNNING')")
            return session.scalar(query, {"ids": job_ids}) == 0


def _running(world: World) -> list[int]:
    with world.database.session() as session:
        return list(session.scalars(text("SELECT id FROM jobs WHERE status = 'RUNNING'")))


def _jobs(world: World, condition: str) -> int:
    with world.database.session() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM jobs WHERE {condition}")) or 0)


def _settle(world: World, say: Callable[[str], None]) -> None:
    """Wait until nothing is left to do, and dead letters had their time to be written."""
    deadline = time.monotonic() + SETTLING
    said = time.monotonic()
    while time.monotonic() < deadline:
        left = _jobs(world, LIVE)
        with world.database.session() as session:
            unfinished = session.scalar(
                text("SELECT count(*) FROM documents WHERE status NOT IN ('PROCESSED', 'PARTIAL', 'FAILED')")
            )
        if not left and not unfinished and "a failed job has no dead letter" not in _violations(world):
            return
        if time.monotonic() - said > 10:
            said = time.monotonic()
            say(f"{unfinished} documents, {left} jobs are left")
        time.sleep(0.5)


def _violations(world: World) -> dict[str, list[str]]:
    return audit.violations(world.database, BlobStore.open((world.home / "blobs").as_uri()))


def _audit(world: World, submission: _Submission, outcome: Outcome) -> None:
    outcome.lost = audit.lost(world.database, submission.accepted)
    outcome.duplicated = audit.duplicated(world.database)
    outcome.violations = _violations(world)
    with world.database.session() as session:
        rows = session.execute(text("SELECT status, count(*) FROM documents GROUP BY status"))
        outcome.statuses = Counter(dict(iter(rows)))
        outcome.pages = session.scalar(text("SELECT count(*) FROM pages")) or 0
    outcome.documents = outcome.statuses.total()
    if outcome.documents != submission.count:
        outcome.violations["the number of documents"] = [f"{outcome.documents} of {submission.count} contents"]
