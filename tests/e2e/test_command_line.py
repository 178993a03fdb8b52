"""The `arsip` command as a person or a script runs it: separate processes, real servers, real workers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import text

from pipeline.database import Database
from tests.factories import LETTER, letter_picture, save_pdf, save_scan

ARSIP = Path(sys.executable).with_name("arsip")
RICH = tuple(f"{line} {number}" for number, line in enumerate(LETTER * 2))

Arsip = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def arsip(environment: dict[str, str], tmp_path: Path) -> Arsip:
    def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ARSIP, *arguments],
            env=environment | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "letters"
    (folder / "old").mkdir(parents=True)
    save_scan(folder / "surat.png")
    save_pdf(folder / "old" / "mixed.pdf", RICH, letter_picture())
    return folder


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_folder_becomes_a_searchable_archive(arsip: Arsip, folder: Path) -> None:
    done = arsip("ingest", folder, "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 files: 2 accepted" in done.stdout
    assert "2 documents: 2 PROCESSED" in done.stdout
    assert "3 pages in" in done.stdout

    found = arsip("search", "jadwal pemeliharaan")
    assert found.returncode == 0
    assert "surat.png" in found.stdout
    assert "045/2026/DIR-ARSIP" in found.stdout

    hits = lines(arsip("search", "pemeliharaan", "--json"))
    assert {"document_id", "name", "page", "score", "snippet", "extracted_doc_number"} == hits[0].keys()
    assert {(hit["name"], hit["page"]) for hit in hits} == {("surat.png", 1), ("mixed.pdf", 1), ("mixed.pdf", 2)}
    assert arsip("search", "nowhere-to-be-found").returncode == 1

    listed = lines(arsip("documents", "list", "--json"))
    assert {row["name"]: row["page_count"] for row in listed} == {"surat.png": 1, "mixed.pdf": 2}
    mixed = next(str(row["id"]) for row in listed if row["name"] == "mixed.pdf")
    printed = arsip("documents", "text", mixed).stdout
    assert printed.count("\f") == 1
    assert printed.lower().count("pemeliharaan") >= 4
    shown = lines(arsip("documents", "show", mixed, "--json", "--words"))
    assert shown[0]["paths"] == [str(folder / "old" / "mixed.pdf")]
    assert [page["method"] for page in shown[1:]] == ["text_layer", "ocr"]
    assert all(len(word) == 6 for word in shown[2]["words"])
    assert "045/2026/DIR-ARSIP" in arsip("documents", "show", mixed).stdout

    redone = lines(arsip("documents", "reprocess", mixed, "--workers", "1", "--json"))
    assert [line["document"]["status"] for line in redone] == ["PROCESSED"]


def test_json_tells_each_file_and_the_same_command_resumes(arsip: Arsip, folder: Path) -> None:
    (folder / "copy.png").write_bytes((folder / "surat.png").read_bytes())
    (folder / ".hidden.png").write_bytes((folder / "surat.png").read_bytes())
    (folder / "notes.pdf").write_text("only words")
    done = arsip("ingest", folder, "--json", "--workers", "1")
    assert done.returncode == 1
    told = lines(done)
    outcomes = {Path(line["path"]).name: line for line in told if "path" in line}
    assert {name: line["outcome"] for name, line in outcomes.items()} == {
        ".hidden.png": "skipped",
        "copy.png": "accepted",
        "surat.png": "duplicate",
        "mixed.pdf": "accepted",
        "notes.pdf": "failed",
    }
    assert outcomes["notes.pdf"]["error"]["code"] == "unsupported_type"
    assert outcomes["surat.png"]["document_id"] == outcomes["copy.png"]["document_id"]
    ended = [line["document"] for line in told if "document" in line]
    assert {document["status"] for document in ended} == {"PROCESSED"}
    assert told[-1]["summary"]["accepted"] == 2
    assert told[-1]["summary"]["pages"] == 3

    again = lines(arsip("ingest", folder / "old", folder / "surat.png", "--json", "--workers", "0"))
    assert [line["outcome"] for line in again if "path" in line] == ["unchanged", "unchanged"]
    assert again[-1]["summary"]["unchanged"] == 2


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
    with running([ARSIP, "worker", "--processes", "1"], environment) as supervisor:
        (victim,) = wait_until(lambda: children(supervisor.pid))
        os.kill(victim, signal.SIGKILL)
        arsip("ingest", folder, "--no-wait")
        wait_until(lambda: statuses(database) == {"PROCESSED"})
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(60) == 0


def test_workers_leave_when_their_supervisor_is_killed(environment: dict[str, str]) -> None:
    with running([ARSIP, "worker", "--processes", "1"], environment) as supervisor:
        (worker,) = wait_until(lambda: children(supervisor.pid))
        supervisor.kill()
        supervisor.wait()
        wait_until(lambda: not alive(worker))


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database
) -> None:
    scan = save_pdf(tmp_path / "long.pdf", *[letter_picture()] * 12)
    with running([ARSIP, "ingest", scan, "--workers", "1"], environment) as ingest:
        wait_until(lambda: count(database, "SELECT count(*) FROM pages WHERE status = 'DONE'") >= 2)
        ingest.send_signal(signal.SIGINT)
        output, complaint = ingest.communicate(timeout=90)
        assert ingest.returncode == 130
    assert b"nothing is lost" in complaint
    assert b"Traceback" not in output + complaint
    assert count(database, "SELECT count(*) FROM jobs WHERE status = 'RUNNING'") == 0
    kept = count(database, "SELECT count(*) FROM pages WHERE status = 'DONE'")
    assert 2 <= kept < 12

    done = arsip("ingest", scan, "--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert count(database, "SELECT count(*) FROM pages WHERE status = 'DONE'") == 12


def test_a_lost_message_is_only_late(
    arsip: Arsip, folder: Path, environment: dict[str, str], redis_url: str, database: Database
) -> None:
    arsip("ingest", folder, "--no-wait")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with database.session() as session:
        session.execute(text("UPDATE jobs SET rung_at = now() - interval '1 hour'"))
    with running([ARSIP, "worker", "--processes", "1"], environment):
        wait_until(lambda: statuses(database) == {"PROCESSED"})


def test_mistakes_are_told_in_one_line(arsip: Arsip, folder: Path) -> None:
    wrong_queue = arsip("ingest", folder, "--queue", "ocr.nobody")
    assert (wrong_queue.returncode, wrong_queue.stdout) == (78, "")
    assert "ocr.tesseract" in wrong_queue.stderr

    wrong_setting = arsip("search", "x", ARSIP_RASTER_DPI="3")
    assert wrong_setting.returncode == 78
    assert "ARSIP_RASTER_DPI" in wrong_setting.stderr

    unknown = arsip("documents", "show", "4711")
    assert unknown.returncode == 1
    assert "no document 4711" in unknown.stderr

    nowhere = arsip("search", "x", ARSIP_DATABASE_URL="postgresql://arsip:secret-word@127.0.0.1:1/arsip")
    assert nowhere.returncode == 69
    assert "not reachable" in nowhere.stderr
    for done in (wrong_queue, wrong_setting, unknown, nowhere):
        assert "Traceback" not in done.stderr
        assert "secret-word" not in done.stderr


def test_a_database_without_the_schema_says_what_to_do(arsip: Arsip, empty_database_url: str) -> None:
    refused = arsip("search", "x", ARSIP_DATABASE_URL=empty_database_url)
    assert refused.returncode == 78
    assert "arsip db upgrade" in refused.stderr
    assert arsip("db", "current", ARSIP_DATABASE_URL=empty_database_url).returncode == 1
    upgraded = arsip("db", "upgrade", "--json", ARSIP_DATABASE_URL=empty_database_url)
    assert lines(upgraded)[0]["up_to_date"] is True
    assert arsip("search", "x", ARSIP_DATABASE_URL=empty_database_url).returncode == 1


class running:  # noqa: N801
    """A process that does not outlive the `with` block."""

    def __init__(self, command: list[Any], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                self._process.kill()


def wait_until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def statuses(database: Database) -> set[str]:
    with database.session() as session:
        return set(session.scalars(text("SELECT status FROM documents")))


def count(database: Database, query: str) -> int:
    with database.session() as session:
        return int(session.scalar(text(query)) or 0)


def children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
