"""Dead letters: written before a message is rejected, found where no hook sees them, and sent again once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware
from sqlalchemy import text

from actors.broker import build_broker
from actors.doorbell import Doorbell, actor_name
from actors.strays import import_strays
from pipeline.archive import Archive
from pipeline.database import Database
from pipeline.errors import NotRetryable
from pipeline.recovery import recover
from pipeline.retry import retry
from pipeline.settings import Settings
from pipeline.store import dead_letters
from pipeline.store.dead_letters import LetterFilter
from pipeline.tables import DeadLetter
from tests.factories import RICH, letter_picture, letter_pictures, save_pdf, take_in
from tests.processes import count, statuses, wait_until
from tests.workers import working

XQ, MESSAGES = "arsip:ingest.XQ", "arsip:ingest.msgs"


@pytest.fixture
def broker(settings: Settings) -> RedisBroker:
    assert settings.redis_url
    return build_broker(settings, settings.redis_url.get_secret_value())


@pytest.fixture
def broken(archive: Archive, tmp_path: Path) -> Path:
    """A document that fails for good at its first try."""
    path = save_pdf(tmp_path / "cut.pdf", RICH)
    path.write_bytes(path.read_bytes()[:200])
    take_in(archive, path)
    return path


def letters(archive: Archive, **wanted: Any) -> list[DeadLetter]:
    with archive.database.session() as session:
        return list(dead_letters.listed(session, LetterFilter(**wanted)))


def the_letter(archive: Archive) -> DeadLetter:
    wait_until(lambda: letters(archive))
    (letter,) = letters(archive)
    return letter


def test_a_thrown_error_becomes_a_letter_that_tells_everything(
    archive: Archive, settings: Settings, broken: Path
) -> None:
    with working(settings):
        letter = the_letter(archive)
    assert (letter.error_class, letter.error_code) == ("CorruptDocument", "corrupt_document")
    assert "qpdf" in letter.error_message
    assert "Traceback" in (letter.traceback or "")
    assert "CorruptDocument" in (letter.traceback or "")
    assert (letter.queue, letter.actor, letter.attempts, letter.job_token) == ("ingest", "work.ingest", 1, 1)
    assert letter.arguments == {"args": [letter.job_id], "kwargs": {}}
    assert letter.document_id == count(archive.database, "SELECT id FROM documents")
    assert letter.worker
    assert letter.worker.startswith(f"{letter.host}:")


def test_when_all_tries_are_used_up_the_letter_tells_the_cause(
    archive: Archive, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sandbox.reader.TASKS", "tests.failing_tasks:engine_segfault")
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(2)))
    with working(settings):
        wait_until(lambda: statuses(archive.database) == {"PARTIAL"})
        letter = the_letter(archive)
    assert (letter.error_class, letter.error_code, letter.queue) == ("EngineCrashed", "engine_crashed", "ocr.tesseract")
    assert letter.error_message.startswith("page 2: ")
    assert letter.facts["signal"] == "SIGSEGV"
    assert letter.facts["peak_memory_mb"] > 10
    assert "RetriesExhausted" in (letter.traceback or "")


def test_a_message_for_an_unknown_actor(archive: Archive, settings: Settings, broker: RedisBroker) -> None:
    broker.enqueue(
        dramatiq.Message(queue_name="ingest", actor_name="nobody", args=("\ud800 \0",), kwargs={"a": 1}, options={})
    )
    with working(settings):
        letter = the_letter(archive)
    assert (letter.error_class, letter.error_code, letter.actor) == ("ActorNotFound", "unknown_actor", "nobody")
    assert letter.arguments == {"args": ["? "], "kwargs": {"a": 1}}
    assert letter.job_id is None
    with pytest.raises(NotRetryable, match="arsip queue forget"), archive.database.session() as session:
        retry(session, letter.id)


class _PostgresGoesAway(Middleware):
    """Shuts the database when the job has failed, before its message is rejected."""

    def __init__(self, administration: Database, name: str) -> None:
        self.administration, self.name = administration, name
        self.is_away = False

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        if not self.is_away:
            self.allow(connections=False)
            self.is_away = True

    def allow(self, *, connections: bool) -> None:
        with self.administration.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS {connections}"))
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                {"name": self.name},
            )


@pytest.fixture
def postgres_goes_away(servers: Any, archive: Archive) -> Iterator[_PostgresGoesAway]:
    administration = Database(servers.database)
    yield _PostgresGoesAway(administration, str(archive.database.engine.url.database))
    administration.close()


def test_without_postgres_the_message_is_not_rejected(
    archive: Archive,
    settings: Settings,
    broken: Path,
    broker: RedisBroker,
    postgres_goes_away: _PostgresGoesAway,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with working(settings, postgres_goes_away):
        wait_until(lambda: "waits until Postgres can keep it" in caplog.text)
        assert broker.client.zcard(XQ) == 0
        postgres_goes_away.allow(connections=True)
        wait_until(lambda: broker.client.zcard(XQ) == 1)
        letter = the_letter(archive)
    assert letter.error_code == "corrupt_document"
    assert "Traceback" in (letter.traceback or "")


def test_what_redis_alone_knows_is_imported_once(
    archive: Archive, settings: Settings, broken: Path, broker: RedisBroker
) -> None:
    with working(settings):
        known = the_letter(archive)
        wait_until(lambda: broker.client.zcard(XQ) == 1)
    stray = dramatiq.Message(queue_name="ingest", actor_name="of.old", args=(), kwargs={}, options={})
    broker.client.hset(f"{XQ}.msgs", "stray", stray.encode())
    broker.client.zadd(XQ, {"stray": 1})
    broker.client.hset(f"{XQ}.msgs", "garbage", b"\xff\x00")
    broker.client.zadd(XQ, {"garbage": 1})

    assert import_strays(broker, archive.database, "ingest") == 3
    assert import_strays(broker, archive.database, "ingest") == 0
    assert broker.client.exists(XQ, f"{XQ}.msgs") == 0
    found = {letter.error_code: letter for letter in letters(archive)}
    assert found.keys() == {"corrupt_document", "unexpected", "undecodable"}
    assert found["corrupt_document"].traceback == known.traceback
    assert found["unexpected"].actor == "of.old"


def test_an_undecodable_message_leaves_the_queue(archive: Archive, settings: Settings, broker: RedisBroker) -> None:
    for number, payload in enumerate((b"\xff\x00", b"{}", b"[1, 2]", b'"text"')):
        broker.client.hset(MESSAGES, f"garbage-{number}", payload)
        broker.client.rpush("arsip:ingest", f"garbage-{number}")
    broker.do_fetch("ingest", 1)
    assert import_strays(broker, archive.database, "ingest") == 4
    assert broker.client.exists("arsip:ingest", MESSAGES) == 0
    assert not list(broker.client.scan_iter("arsip:__acks__*"))
    assert {letter.error_code for letter in letters(archive)} == {"undecodable"}
    assert letters(archive)[-1].arguments == {"raw": "/wA="}


def test_l6_a_message_is_gone_between_the_dashboard_s_delete_and_its_enqueue(
    archive: Archive, settings: Settings, broken: Path, broker: RedisBroker
) -> None:
    with working(settings):
        letter = the_letter(archive)
        wait_until(lambda: broker.client.zcard(XQ) == 1)
        broker.client.delete(XQ, f"{XQ}.msgs")
        broken_again(archive, letter.id)
        wait_until(lambda: len(letters(archive, settled=True)) == 2)


def broken_again(archive: Archive, letter_id: int) -> None:
    with archive.database.session() as session:
        assert retry(session, letter_id) == "ingest"


class _AnotherWorkerIsGivenTheMessage(Middleware):
    """Moves a message away just before it is rejected, as maintenance does with those of a worker it thinks dead."""

    def __init__(self) -> None:
        self.moved = 0

    def before_nack(self, broker: Any, message: Any) -> None:
        if not self.moved:
            self.moved = broker.do_requeue("ingest", message.options["redis_message_id"]) or 1


def test_d6_a_rejection_comes_to_nothing(archive: Archive, settings: Settings, broken: Path) -> None:
    with working(settings, _AnotherWorkerIsGivenTheMessage()) as worker:
        the_letter(archive)
        wait_until(lambda: worker.broker.do_qsize("ingest") == 0)
    the_letter(archive)
    assert count(archive.database, "SELECT attempts FROM jobs") == 1


def test_a_letter_that_is_sent_twice_runs_once_and_keeps_its_history(
    archive: Archive, settings: Settings, broken: Path
) -> None:
    with working(settings):
        first = the_letter(archive)

        def send(_: int) -> str | None:
            with archive.database.session() as session:
                return retry(session, first.id)

        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(send, range(8)))
        assert sorted(outcomes, key=str) == [None] * 7 + ["ingest"]
        wait_until(lambda: len(letters(archive, settled=True)) == 2)
        second = the_letter(archive)
    assert statuses(archive.database) == {"FAILED"}
    assert (first.job_token, second.job_token) == (1, 2)
    with archive.database.session() as session:
        assert [letter.id for letter in dead_letters.of_job(session, second.job_id or 0)] == [first.id, second.id]


def test_a_page_that_is_sent_again_is_read_and_the_document_becomes_whole(
    archive: Archive, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", *letter_pictures(2)))
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.sandbox.reader.TASKS", "tests.failing_tasks:engine_segfault")
        with working(settings):
            wait_until(lambda: statuses(archive.database) == {"PARTIAL"})
            letter = the_letter(archive)
    with archive.database.session() as session:
        assert retry(session, letter.id) == "ocr.tesseract"
    assert statuses(archive.database) == {"PROCESSING"}
    with working(settings):
        wait_until(lambda: statuses(archive.database) == {"PROCESSED"})
    assert letters(archive) == []
    assert count(archive.database, "SELECT count(*) FROM search_pages") == 2


def test_a_job_that_failed_while_nobody_could_write_gets_its_letter(archive: Archive, broken: Path) -> None:
    with archive.database.session() as session:
        session.execute(text("UPDATE documents SET status = 'FAILED'"))
        session.execute(
            text(
                "UPDATE jobs SET status = 'FAILED', token = 3, attempts = 3, worker = 'host:7', "
                "failure_code = 'corrupt_document', failure_reason = 'it is cut', finished_at = now() - interval '1 h'"
            )
        )
    for _ in range(2):
        recover(archive)
        letter = the_letter(archive)
        assert (letter.error_code, letter.error_message, letter.attempts) == ("corrupt_document", "it is cut", 3)
        assert (letter.worker, letter.host, letter.job_token) == ("host:7", "host", 3)


def test_a_message_whose_job_goes_on_is_no_open_letter(
    archive: Archive, settings: Settings, broken: Path, broker: RedisBroker
) -> None:
    job_id = count(archive.database, "SELECT id FROM jobs")
    with archive.database.session() as session:
        message = {"message_id": "m", "job_id": job_id, "queue": "ingest", "actor": actor_name("ingest")}
        error = {"error_class": "X", "error_code": "x", "error_message": "Postgres was away"}
        dead_letters.add(session, message | error | {"arguments": {}, "options": {}})
    assert letters(archive) == []
    assert len(letters(archive, settled=True)) == 1
    assert Doorbell(broker, archive.database, settings).ring_all() == 1


def test_what_a_person_forgot_stays_forgotten(
    archive: Archive, settings: Settings, broken: Path, broker: RedisBroker
) -> None:
    with working(settings):
        letter = the_letter(archive)
        wait_until(lambda: broker.client.zcard(XQ) == 1)
    with archive.database.session() as session:
        assert dead_letters.forget(session, [letter.id, 4711]) == [letter.id]
        session.execute(text("UPDATE jobs SET finished_at = now() - interval '1 h'"))
    recover(archive)
    import_strays(broker, archive.database, "ingest")
    assert letters(archive, settled=True) == []
    assert statuses(archive.database) == {"FAILED"}


def test_a_job_that_failed_though_all_was_done_can_be_sent_again(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    take_in(archive, save_pdf(tmp_path / "scan.pdf", letter_picture()))
    with working(settings):
        wait_until(lambda: statuses(archive.database) == {"PROCESSED"})
    with archive.database.session() as session:
        session.execute(
            text(
                "UPDATE jobs SET status = 'FAILED', failure_code = 'engine_timed_out', failure_reason = 'too long', "
                "finished_at = now() - interval '1 h' WHERE stage = 'ocr'"
            )
        )
    recover(archive)
    with archive.database.session() as session:
        assert retry(session, the_letter(archive).id) == "ocr.tesseract"
    with working(settings):
        wait_until(lambda: statuses(archive.database) == {"PROCESSED"})
