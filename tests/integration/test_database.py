"""What the way to Postgres promises: whole transactions, and arsip's own errors when the server is away."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pipeline.database import Database
from pipeline.errors import DiskFull, StorageUnavailable

INSERT = text(
    "INSERT INTO documents (sha256, name, media_type, size_bytes, languages, ocr_queue)"
    " VALUES ('ab', 'a.pdf', 'application/pdf', 1, 'eng', 'ocr.tesseract')"
)


BACKEND = text("SELECT pg_backend_pid()")


def cut_off(pid: int | None, database_url: str) -> None:
    administration = Database(database_url)
    with administration.session() as session:
        session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    administration.close()


def count(session: Session) -> int:
    return session.scalar(text("SELECT count(*) FROM documents")) or 0


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    def half_way() -> None:
        with database.session() as session:
            session.execute(INSERT)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half_way()
    with database.session() as session:
        assert count(session) == 0
        session.execute(INSERT)
    with database.session() as session:
        assert count(session) == 1


def test_a_connection_cut_in_the_middle_is_told_and_the_next_one_works(database: Database, database_url: str) -> None:
    def work() -> None:
        with database.session() as session:
            session.execute(INSERT)
            cut_off(session.scalar(BACKEND), database_url)
            count(session)

    with pytest.raises(StorageUnavailable, match="not reachable"):
        work()
    with database.session() as session:
        assert count(session) == 0


def test_a_connection_cut_while_it_is_idle_goes_unnoticed(database: Database, database_url: str) -> None:
    with database.session() as session:
        idle = session.scalar(BACKEND)
    cut_off(idle, database_url)
    with database.session() as session:
        assert session.scalar(BACKEND) != idle


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:1/arsip", "no-such-host.invalid/arsip", "/arsip?host=/no/such/directory"],
    ids=["refused", "unknown host", "no socket"],
)
def test_a_server_that_is_away_is_told_without_its_password(place: str) -> None:
    database = Database(f"postgresql://arsip:secret-word@{place}")
    with (
        pytest.raises(StorageUnavailable, match=r"not reachable.*ARSIP_DATABASE_URL") as caught,
        database.session() as session,
    ):
        count(session)
    assert "secret-word" not in str(caught.value)
    assert "secret-word" not in repr(caught.value.__cause__)
    assert "secret-word" not in repr(database.engine)


def test_a_full_disk_of_the_server_is_told_as_such(database: Database) -> None:
    full = text("DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$")
    with pytest.raises(DiskFull, match="free some space"), database.session() as session:
        session.execute(full)


def test_a_mistake_in_the_data_is_not_taken_for_a_server_that_is_away(database: Database) -> None:
    with database.session() as session:
        session.execute(INSERT)
    with pytest.raises(IntegrityError, match="uq_documents_sha256"), database.session() as session:
        session.execute(INSERT)
