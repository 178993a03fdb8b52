"""The protocol of leases as a state machine: whatever order workers, clocks and people act in, on a real PostgreSQL."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test
from sqlalchemy import func, insert, select, text, update

from pipeline.archive import Archive
from pipeline.database import Database
from pipeline.errors import EngineCrashed, LeaseLost, WorkerDied
from pipeline.reading.types import PageReading
from pipeline.states import JOB_MOVES, JobStatus, PageStatus, Stage
from pipeline.store import documents, jobs, pages
from pipeline.store.jobs import Lease
from pipeline.tables import Document, Job
from tests.factories import save_pdf, take_in

WORKERS = ("host:1", "host:2", "host:3")
QUEUE = "ingest"


@dataclass
class Expected:
    """What a job's row must say."""

    status: JobStatus = JobStatus.PENDING
    token: int = 0
    attempts: int = 0
    deaths: int = 0
    worker: str = ""
    expired: bool = False

    @property
    def is_free(self) -> bool:
        return self.status == JobStatus.PENDING or (self.status == JobStatus.RUNNING and self.expired)

    def is_held_by(self, lease: Lease) -> bool:
        return self.status == JobStatus.RUNNING and self.token == lease.token


class Protocol(RuleBasedStateMachine):
    database: Database

    job_ids = Bundle("job_ids")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.expected: dict[int, Expected] = {}
        self.before: dict[int, JobStatus] = {}
        with self.database.session() as session:
            session.execute(text("TRUNCATE documents CASCADE"))

    @rule(target=job_ids)
    def add(self) -> int:
        job_id = add_job(self.database, f"content {len(self.expected)}")
        self.expected[job_id] = Expected()
        return job_id

    @rule(target=leases, job_id=job_ids, worker=st.sampled_from(WORKERS))
    def claim(self, job_id: int, worker: str) -> Any:
        with self.database.session() as session:
            lease = jobs.claim(session, job_id, worker, 60)
        job = self.expected[job_id]
        assert (lease is not None) == job.is_free
        if lease is None:
            return multiple()
        job.deaths += job.status == JobStatus.RUNNING
        job.status, job.worker, job.expired = JobStatus.RUNNING, worker, False
        job.token += 1
        job.attempts += 1
        assert (lease.token, lease.attempts, lease.deaths) == (job.token, job.attempts, job.deaths)
        return lease

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        job = self.expected[lease.job_id]
        with self.database.session() as session:
            assert jobs.renew(session, lease, 60) == job.is_held_by(lease)
        if job.is_held_by(lease):
            job.expired = False

    @rule(job_id=job_ids)
    def let_the_lease_run_out(self, job_id: int) -> None:
        with self.database.session() as session:
            past = func.now() - timedelta(seconds=1)
            session.execute(update(Job).where(Job.id == job_id, Job.status == "RUNNING").values(leased_until=past))
        job = self.expected[job_id]
        job.expired = job.status == JobStatus.RUNNING

    @rule(lease=leases)
    def complete(self, lease: Lease) -> None:
        self.write(lease, jobs.complete, JobStatus.COMPLETED)

    @rule(lease=leases)
    def fail(self, lease: Lease) -> None:
        self.write(lease, lambda session, held: jobs.fail(session, held, EngineCrashed("x")), JobStatus.FAILED)

    @rule(lease=leases)
    def release(self, lease: Lease) -> None:
        def release(session: Any, held: Lease) -> None:
            jobs.release(session, held, EngineCrashed("x"), wait=0)

        self.write(lease, release, JobStatus.PENDING)

    @rule(lease=leases)
    def hand_back(self, lease: Lease) -> None:
        held = self.expected[lease.job_id].is_held_by(lease)
        self.write(lease, jobs.hand_back, JobStatus.PENDING)
        self.expected[lease.job_id].attempts -= held

    def write(self, lease: Lease, result: Callable[[Any, Lease], None], status: JobStatus) -> None:
        """A result, written as the stages do: by whoever holds the job, and by nobody else."""
        job = self.expected[lease.job_id]
        if not job.is_held_by(lease):
            with pytest.raises(LeaseLost), self.database.session() as session:
                jobs.hold(session, lease)
            # And without the lock that was refused, nothing changes either; the invariant sees it.
            with self.database.session() as session:
                result(session, lease)
            return
        with self.database.session() as session:
            jobs.hold(session, lease)
            result(session, lease)
        job.status, job.expired = status, False

    @rule(worker=st.sampled_from(WORKERS))
    def bury(self, worker: str) -> None:
        with self.database.session() as session:
            freed = jobs.bury(session, worker, WorkerDied("it was killed"))
        held = [j for j in self.expected.values() if j.status == JobStatus.RUNNING and j.worker == worker]
        assert freed == (frozenset({QUEUE}) if held else frozenset())
        for job in held:
            job.status, job.expired = JobStatus.PENDING, False
            job.deaths += 1

    @rule()
    def ring(self) -> None:
        with self.database.session() as session:
            found = jobs.take_waiting(session, QUEUE, 100, again_after=0)
        assert found == [job_id for job_id, job in self.expected.items() if job.is_free]

    @rule(job_id=job_ids, ago=st.integers(0, 2))
    def send_again(self, job_id: int, ago: int) -> None:
        job = self.expected[job_id]
        with self.database.session() as session:
            sent = jobs.send_again(session, job_id, job.token - ago)
        assert (sent is not None) == (job.status == JobStatus.FAILED and ago == 0)
        if sent:
            job.status, job.attempts, job.deaths = JobStatus.PENDING, 0, 0

    @invariant()
    def the_rows_are_as_expected(self) -> None:
        with self.database.session() as session:
            rows = session.execute(select(Job.id, Job.status, Job.token, Job.attempts, Job.deaths).order_by(Job.id))
            found = {job_id: tuple(row) for job_id, *row in rows}
        assert found == {
            job_id: (job.status, job.token, job.attempts, job.deaths) for job_id, job in self.expected.items()
        }

    @invariant()
    def each_step_is_a_move_of_the_table(self) -> None:
        for job_id, job in self.expected.items():
            before = self.before.get(job_id, job.status)
            assert job.status == before or job.status in JOB_MOVES[before]
            self.before[job_id] = job.status


def add_job(database: Database, content: str) -> int:
    with database.session() as session:
        values = {"sha256": content, "name": content, "media_type": "text/plain", "size_bytes": 1}
        document_id = session.execute(
            insert(Document).values(**values, languages="eng", ocr_queue="ocr.tesseract").returning(Document.id)
        ).scalar_one()
        jobs.add(session, document_id, Stage.INGEST, QUEUE)
        return session.scalars(select(Job.id).where(Job.document_id == document_id)).one()


def test_whatever_happens_in_whatever_order_only_the_holder_writes(database: Database) -> None:
    run_state_machine_as_test(
        type("ProtocolOnADatabase", (Protocol,), {"database": database}),
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_workers_that_hammer_on_the_same_jobs_never_hold_one_together(database: Database) -> None:
    job_ids = [add_job(database, f"content {number}") for number in range(3)]
    results: list[tuple[int, int]] = []

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(60):
            job_id = chance.choice(job_ids)
            # A lease that is over at once is that of a worker which is too slow.
            seconds = chance.choice([-1, 30])
            with database.session() as session:
                lease = jobs.claim(session, job_id, f"host:{number}", seconds)
            if lease is None:
                continue
            try:
                with database.session() as session:
                    jobs.hold(session, lease)
                    # Ended by one transaction, begun again by a person: so there is always something to do.
                    chance.choice([jobs.complete, jobs.hand_back])(session, lease)
                    session.execute(update(Job).where(Job.id == job_id).values(status=JobStatus.PENDING))
                results.append((job_id, lease.token))
            except LeaseLost:
                pass

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(results) > 30
    assert len(set(results)) == len(results), "one token wrote two results"
    with database.session() as session:
        tokens = dict(iter(session.execute(select(Job.id, Job.token))))
    assert all(token <= tokens[job_id] for job_id, token in results)


@pytest.mark.parametrize("round_", range(15))
def test_two_workers_that_finish_the_last_two_pages_at_once_move_the_document_on_once(
    database: Database, round_: int
) -> None:
    first = add_job(database, "content")
    with database.session() as session:
        lease = jobs.claim(session, first, "host:1", 60)
        assert lease
        document = documents.load(session, lease.document_id, lock=True)
        documents.start(session, document, media_type="application/pdf", page_count=2)
        jobs.add_ocr(session, lease.document_id, "ocr.tesseract", [(1, 1), (2, 2)])
        jobs.complete(session, lease)
    with database.session() as session:
        ids = session.scalars(select(Job.id).where(Job.stage == Stage.OCR).order_by(Job.id)).all()
    together = Barrier(2)

    def finish(job_id: int) -> frozenset[str]:
        with database.session() as session:
            held = jobs.claim(session, job_id, f"host:{job_id}", 60)
        assert held
        assert held.first_page
        with database.session() as session:
            jobs.hold(session, held)
            done = PageReading(number=held.first_page, status=PageStatus.DONE, text="x")
            pages.save(session, held.document_id, [done])
        together.wait()
        with database.session() as session:
            document = documents.load(session, held.document_id, lock=True)
            jobs.hold(session, held)
            jobs.complete(session, held)
            return documents.advance(session, document)

    with ThreadPoolExecutor(2) as pool:
        queues = list(pool.map(finish, ids))
    assert sorted(map(len, queues)) == [0, 1]


@pytest.mark.parametrize("round_", range(15))
def test_the_same_file_taken_in_twice_at_once_is_one_document(archive: Archive, tmp_path: Path, round_: int) -> None:
    one, other = (save_pdf(tmp_path / name, ("the same words",)) for name in ("one.pdf", "other.pdf"))
    together = Barrier(2)

    def submit(path: Path) -> str:
        together.wait()
        (result,) = take_in(archive, path)
        return str(result.outcome)

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(submit, (one, other)))
    assert outcomes == ["accepted", "duplicate"]
    with archive.database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM documents")) == 1
        assert session.scalar(text("SELECT count(*) FROM jobs")) == 1
        assert session.scalar(text("SELECT count(*) FROM document_sources")) == 2
