"""The lease: who may work on a job, and whose results count. On a real PostgreSQL and its clock."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, text

from pipeline.archive import Archive
from pipeline.database import Database
from pipeline.errors import EngineCrashed, LeaseLost
from pipeline.states import Stage
from pipeline.store import jobs
from pipeline.store.jobs import Lease
from tests.factories import save_pdf, take_in


@pytest.fixture
def job_id(archive: Archive, tmp_path: Path) -> int:
    take_in(archive, save_pdf(tmp_path / "letter.pdf", ("some words",)))
    with archive.database.session() as session:
        (found,) = jobs.take_waiting(session, "ingest", 10, again_after=60)
    return found


def claim(database: Database, job_id: int, *, seconds: float = 60) -> Lease | None:
    with database.session() as session:
        return jobs.claim(session, job_id, "worker", seconds)


def status(database: Database, job_id: int) -> str:
    with database.session() as session:
        return str(session.scalar(text("SELECT status FROM jobs WHERE id = :id"), {"id": job_id}))


def test_only_one_of_many_workers_gets_a_job(archive: Archive, job_id: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda _: claim(archive.database, job_id), range(8)))
    (lease,) = [lease for lease in leases if lease]
    assert (lease.stage, lease.token, lease.attempts) == (Stage.INGEST, 1, 1)


def test_a_lease_that_ran_out_goes_to_another_and_the_late_result_is_refused(archive: Archive, job_id: int) -> None:
    late = claim(archive.database, job_id, seconds=-1)
    fresh = claim(archive.database, job_id)
    assert late
    assert fresh
    assert (fresh.token, fresh.attempts) == (2, 2)
    with pytest.raises(LeaseLost, match="taken by another worker"), archive.database.session() as session:
        jobs.hold(session, late)
    with archive.database.session() as session:
        jobs.complete(session, late)
    assert status(archive.database, job_id) == "RUNNING"


def test_a_living_worker_renews_and_keeps_its_job(archive: Archive, job_id: int) -> None:
    lease = claim(archive.database, job_id, seconds=-1)
    assert lease
    with archive.database.session() as session:
        assert jobs.renew(session, lease, 60)
    assert claim(archive.database, job_id) is None


def test_a_renewal_tells_that_the_lease_is_lost(archive: Archive, job_id: int) -> None:
    late = claim(archive.database, job_id, seconds=-1)
    assert claim(archive.database, job_id)
    assert late
    with archive.database.session() as session:
        assert not jobs.renew(session, late, 60)


def test_a_done_job_is_nobodys(archive: Archive, job_id: int) -> None:
    lease = claim(archive.database, job_id)
    assert lease
    with archive.database.session() as session:
        jobs.complete(session, lease)
    assert claim(archive.database, job_id) is None


def test_a_released_job_waits_before_somebody_rings_for_it(archive: Archive, job_id: int) -> None:
    lease = claim(archive.database, job_id)
    assert lease
    with archive.database.session() as session:
        jobs.release(session, lease, EngineCrashed("it died"), wait=60)
        assert jobs.take_waiting(session, "ingest", 10, again_after=0) == []
        session.execute(text("UPDATE jobs SET not_before = now() - interval '1 s', rung_at = NULL"))
        assert jobs.take_waiting(session, "ingest", 10, again_after=60) == [job_id]


def test_a_handed_back_try_does_not_count(archive: Archive, job_id: int) -> None:
    lease = claim(archive.database, job_id)
    assert lease
    with archive.database.session() as session:
        jobs.hand_back(session, lease)
    again = claim(archive.database, job_id)
    assert again
    assert (again.attempts, again.token) == (1, 2)


def test_a_job_is_rung_for_once_until_its_message_counts_as_lost(archive: Archive, job_id: int) -> None:
    with archive.database.session() as session:
        assert jobs.take_waiting(session, "ingest", 10, again_after=60) == []
        assert jobs.take_waiting(session, "ingest", 10, again_after=-1) == [job_id]


def test_a_running_job_whose_worker_died_is_rung_for_again(archive: Archive, job_id: int) -> None:
    assert claim(archive.database, job_id, seconds=-1)
    with archive.database.session() as session:
        assert jobs.take_waiting(session, "ingest", 10, again_after=-1) == [job_id]


def test_jobs_to_ring_for_are_found_without_a_look_at_those_that_are_done(database: Database) -> None:
    asked: list[tuple[str, object]] = []
    with database.session() as session:
        session.execute(
            text(
                "INSERT INTO documents (media_type, sha256, name, size_bytes, status, languages, ocr_queue) "
                "SELECT 'application/pdf', i::text, 'x', 1, 'PROCESSED', 'eng', 'q' FROM generate_series(1, 20000) i"
            )
        )
        for stage, status in (("ingest", "COMPLETED"), ("index", "PENDING")):
            session.execute(
                text(
                    "INSERT INTO jobs (document_id, stage, queue, status) "
                    f"SELECT id, '{stage}', '{stage}', '{status}' FROM documents"
                )
            )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE jobs"))
    event.listen(database.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    with database.session() as session:
        assert jobs.take_waiting(session, "ingest", 1000, again_after=60) == []
    statement, parameters = asked[-1]
    with closing(database.engine.raw_connection()) as connection, connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "ix_jobs_pending" in plan, plan
    assert "Seq Scan on jobs" not in plan, plan
