"""Workers as processes: how they start, stop, die and are replaced."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import redis
from PIL import Image
from sqlalchemy import text

from pipeline.database import Database
from tests.e2e.conftest import Arsip
from tests.factories import RICH, letter_pictures, save_pdf, save_scan
from tests.processes import ARSIP, alive, children, count, running, statuses, wait_until

DONE_PAGES = "SELECT count(*) FROM pages WHERE status = 'DONE'"
RUNNING_JOBS = "SELECT count(*) FROM jobs WHERE status = 'RUNNING'"


def save_slow_scan(path: Path) -> Path:
    """Specks everywhere, which Tesseract takes minutes for."""
    specks = np.random.default_rng(7).integers(0, 2, (6000, 6000), dtype=np.uint8) * 255
    Image.fromarray(specks).save(path, dpi=(300, 300))
    return path


def test_without_waiting_the_documents_wait_for_a_worker(
    arsip: Arsip, folder: Path, environment: dict[str, str], database: Database
) -> None:
    done = arsip("ingest", folder, "--no-wait")
    assert done.returncode == 0
    assert "arsip worker" in done.stdout
    assert statuses(database) == {"PENDING"}
    with running([ARSIP, "worker", "--processes", "2"], environment) as worker:
        wait_until(lambda: statuses(database) == {"PROCESSED"})
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0


def test_dramatiq_s_own_command_line_works_too(
    arsip: Arsip, folder: Path, environment: dict[str, str], database: Database
) -> None:
    arsip("ingest", folder, "--no-wait")
    command = [ARSIP.with_name("dramatiq"), "actors.app:setup", "--processes", "1", "--threads", "1"]
    with running(command, environment) as dramatiq:
        wait_until(lambda: statuses(database) == {"PROCESSED"})
        dramatiq.send_signal(signal.SIGTERM)
        assert dramatiq.wait(60) == 0


def test_a_worker_that_is_killed_is_replaced(
    arsip: Arsip, folder: Path, environment: dict[str, str], database: Database
) -> None:
    with running([ARSIP, "worker", "--processes", "1", "--no-scheduler"], environment) as supervisor:
        (victim,) = wait_until(lambda: children(supervisor.pid))
        os.kill(victim, signal.SIGKILL)
        arsip("ingest", folder, "--no-wait")
        wait_until(lambda: statuses(database) == {"PROCESSED"})
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(60) == 0


def test_workers_leave_when_their_supervisor_is_killed(environment: dict[str, str]) -> None:
    with running([ARSIP, "worker", "--processes", "1", "--no-scheduler"], environment) as supervisor:
        (worker,) = wait_until(lambda: children(supervisor.pid))
        supervisor.kill()
        supervisor.wait()
        wait_until(lambda: not alive(worker))


def test_a_lost_message_is_only_late(
    arsip: Arsip, folder: Path, environment: dict[str, str], redis_url: str, database: Database
) -> None:
    arsip("ingest", folder, "--no-wait")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with database.session() as session:
        session.execute(text("UPDATE jobs SET rung_at = now() - interval '1 hour'"))
    with running([ARSIP, "worker", "--processes", "1", "--no-scheduler"], environment):
        wait_until(lambda: statuses(database) == {"PROCESSED"})


def test_the_job_of_a_killed_worker_is_done_long_before_its_lease_ends(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database
) -> None:
    arsip("ingest", save_pdf(tmp_path / "long.pdf", *letter_pictures(6)), "--no-wait")
    patient = environment | {"ARSIP_LEASE_SECONDS": "3600", "ARSIP_PAGES_PER_JOB": "6"}
    with running([ARSIP, "worker", "--processes", "1", "--no-scheduler"], patient) as supervisor:
        wait_until(lambda: count(database, DONE_PAGES) >= 1)
        (victim,) = children(supervisor.pid)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: statuses(database) == {"PROCESSED"})
    with database.session() as session:
        job = session.execute(text("SELECT deaths, attempts, death_facts FROM jobs WHERE stage = 'ocr'")).one()
    assert (job.deaths, job.attempts) == (1, 2)
    assert job.death_facts["signal"] == "SIGKILL"
    assert 30 < job.death_facts["peak_memory_mb"] < 1000


def test_when_worker_and_supervisor_are_killed_the_next_worker_goes_on_after_the_lease(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database
) -> None:
    arsip("ingest", save_pdf(tmp_path / "long.pdf", *letter_pictures(6)), "--no-wait")
    short = environment | {"ARSIP_LEASE_SECONDS": "4", "ARSIP_LEASE_RENEW_SECONDS": "1"}
    with running([ARSIP, "worker", "--processes", "1", "--no-scheduler"], short) as supervisor:
        wait_until(lambda: count(database, DONE_PAGES) >= 1)
        (victim,) = children(supervisor.pid)
        supervisor.kill()
        os.kill(victim, signal.SIGKILL)
    assert count(database, RUNNING_JOBS) == 1
    with running([ARSIP, "worker", "--processes", "1", "--no-scheduler"], short):
        wait_until(lambda: statuses(database) == {"PROCESSED"})
    assert count(database, "SELECT max(deaths) FROM jobs") == 1


def test_a_worker_that_is_told_to_stop_hands_the_rest_back(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database
) -> None:
    arsip("ingest", save_pdf(tmp_path / "long.pdf", *letter_pictures(12)), "--no-wait")
    with running([ARSIP, "worker", "--processes", "1"], environment | {"ARSIP_PAGES_PER_JOB": "12"}) as worker:
        wait_until(lambda: count(database, DONE_PAGES) >= 1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    assert count(database, DONE_PAGES) < 12
    with database.session() as session:
        job = session.execute(text("SELECT status, attempts, deaths FROM jobs WHERE stage = 'ocr'")).one()
    assert tuple(job) == ("PENDING", 0, 0)


def test_ctrl_c_twice_does_not_wait_for_the_page_in_hand(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database
) -> None:
    arsip("ingest", save_slow_scan(tmp_path / "slow.png"), "--no-wait")
    patient = environment | {"ARSIP_WORKER_GRACE_SECONDS": "3600"}
    with running([ARSIP, "worker", "--processes", "1"], patient) as worker:
        wait_until(lambda: count(database, "SELECT count(*) FROM jobs WHERE stage = 'ocr' AND status = 'RUNNING'"))
        worker.send_signal(signal.SIGINT)
        assert worker.stderr
        assert any(b"once more stops at once" in line for line in worker.stderr)
        worker.send_signal(signal.SIGINT)
        assert worker.wait(20) == 0
    assert statuses(database) == {"PROCESSING"}, "the page was done all the same"
    assert count(database, RUNNING_JOBS) == 0


def test_workers_are_replaced_after_some_jobs_and_nothing_is_cut(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database
) -> None:
    scans = [save_scan(tmp_path / f"{number}.png", (f"Letter number {number}",)) for number in range(4)]
    arsip("ingest", *scans, "--no-wait")
    with running([ARSIP, "worker", "--processes", "1"], environment | {"WORKER_MAX_JOBS": "5"}) as supervisor:
        wait_until(lambda: statuses(database) == {"PROCESSED"})
        supervisor.send_signal(signal.SIGTERM)
        _, log = supervisor.communicate(timeout=60)
    assert count(database, "SELECT count(DISTINCT worker) FROM jobs") >= 2
    assert count(database, "SELECT max(attempts) FROM jobs") == 1
    assert b"it has worked on 5 jobs" in log
    assert b"starts again in" not in log, "a pause, as after a failure"


def test_a_worker_that_uses_too_much_memory_is_replaced_after_its_job(
    arsip: Arsip, folder: Path, environment: dict[str, str], database: Database
) -> None:
    arsip("ingest", folder, "--no-wait")
    with running([ARSIP, "worker", "--processes", "1"], environment | {"WORKER_MEMORY_LIMIT": "1"}) as supervisor:
        wait_until(lambda: statuses(database) == {"PROCESSED"})
        supervisor.send_signal(signal.SIGTERM)
        _, log = supervisor.communicate(timeout=60)
    assert b"more than WORKER_MEMORY_LIMIT=1" in log
    assert count(database, "SELECT max(attempts) FROM jobs") == 1


def test_a_poisonous_a_slow_and_a_huge_document_hold_nobody_up(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database
) -> None:
    slow = save_slow_scan(tmp_path / "1-slow.png")
    broken = save_pdf(tmp_path / "2-broken.pdf", RICH)
    broken.write_bytes(broken.read_bytes()[:300])
    huge = save_pdf(tmp_path / "3-huge.pdf", *[RICH] * 300)
    letters = [save_scan(tmp_path / f"letter-{number}.png", (f"Letter number {number}",)) for number in range(8)]
    arsip("ingest", slow, broken, huge, *letters, "--no-wait")

    with running([ARSIP, "worker", "--processes", "2"], environment):
        query = "SELECT count(*) FROM documents WHERE name LIKE 'letter%' AND status = 'PROCESSED'"
        wait_until(lambda: count(database, query) == len(letters))
        with database.session() as session:
            rest = session.execute(text("SELECT name, status FROM documents WHERE name NOT LIKE 'letter%'"))
            assert dict(iter(rest))["1-slow.png"] == "PROCESSING"
        wait_until(lambda: count(database, "SELECT count(*) FROM documents WHERE status <> 'PROCESSING'") == 10)
    with database.session() as session:
        ended = dict(iter(session.execute(text("SELECT name, status FROM documents"))))
    assert (ended["2-broken.pdf"], ended["3-huge.pdf"]) == ("FAILED", "PROCESSED")


THREAD_DIES = """
import sys
from dramatiq.worker import WorkerThread
WorkerThread.run = lambda self: None
from actors.worker import main
sys.exit(main())
"""


def test_a_worker_whose_thread_died_exits_so_that_it_is_started_anew(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREAD_DIES], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 69
    assert "a worker thread died" in done.stderr
