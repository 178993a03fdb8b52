"""Intake when something stops it half-way, or another intake is at it too: nothing is lost, nothing is there twice."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import text

from pipeline.archive import Archive
from pipeline.blobs.local import LocalBlobs
from pipeline.blobs.store import BlobStore, Source, StoredBlob
from pipeline.database import Database
from pipeline.errors import DiskFull, QueueUnavailable, StorageUnavailable
from pipeline.intake.intake import BATCH_FILES, IntakeResult
from tests.disks import enlarge, small_disk
from tests.submissions import ACCEPTED, MANY, UNCHANGED, intake, many_files, outcomes, rows, sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "scans"


class SlowBlobs(LocalBlobs):
    def put(self, source: Source) -> StoredBlob:
        time.sleep(0.01)
        return super().put(source)


def test_a_slow_store_is_recorded_in_batches_by_their_age(
    archive: Archive, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.intake.intake.BATCH_SECONDS", 0.2)
    many_files(folder, 190)
    commits: list[object] = []
    slow = replace(archive, blobs=SlowBlobs(tmp_path / "home/blobs"))
    started = time.monotonic()
    list(intake(slow, commits.append).submit([folder]))
    oldest = (time.monotonic() - started) / 0.2
    assert 2 <= len(commits) <= oldest + 1


def test_without_redis_everything_is_recorded_and_one_warning_given(
    archive: Archive, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many_files(folder)

    def ring(_: Collection[str]) -> None:
        raise QueueUnavailable("Redis is not reachable")

    with caplog.at_level(logging.WARNING):
        assert len(list(intake(archive, ring).submit([folder]))) == MANY
    assert sum("Redis is not reachable" in record.message for record in caplog.records) == 1
    assert sound(archive) == MANY


def test_two_ingests_of_one_folder_at_the_same_moment_make_each_document_once(archive: Archive, folder: Path) -> None:
    many_files(folder)
    start = Barrier(3)

    def submit(paths: list[Path]) -> list[IntakeResult]:
        start.wait()
        return list(intake(archive).submit(paths))

    parts = sorted(folder.iterdir())
    with ThreadPoolExecutor(3) as threads:
        told = [*threads.map(submit, [[folder], parts, parts[::-1]])]
    results = [result for part in told for result in part]
    assert Counter(result.outcome for result in results)[ACCEPTED] == MANY
    assert {result.outcome for result in results} <= {ACCEPTED, UNCHANGED}
    assert sound(archive) == MANY


class BlobsThatCall(LocalBlobs):
    """Calls a function once, when so many blobs are stored."""

    def __init__(self, folder: Path, after: int, function: Callable[[], object]) -> None:
        super().__init__(folder)
        self._left = after
        self._function = function

    def put(self, source: Source) -> StoredBlob:
        self._left -= 1
        if self._left == 0:
            self._function()
        return super().put(source)


def until_it_ends(results: Iterable[IntakeResult], error: type[BaseException]) -> list[IntakeResult]:
    told: list[IntakeResult] = []
    with pytest.raises(error):  # noqa: PT012
        for result in results:
            told.append(result)  # noqa: PERF402 (extend() would lose them with the error)
    return told


def test_ctrl_c_records_and_tells_what_is_stored_and_the_next_run_goes_on(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    many_files(folder)
    blobs = BlobsThatCall(tmp_path / "home/blobs", BATCH_FILES + 50, lambda: os.kill(os.getpid(), signal.SIGINT))
    interrupted = replace(archive, blobs=blobs)
    told = until_it_ends(intake(interrupted).submit([folder]), KeyboardInterrupt)
    assert {result.outcome for result in told} == {ACCEPTED}
    assert BATCH_FILES < len(told) < MANY
    assert sound(archive) == len(told)
    assert not list((tmp_path / "home/blobs/incoming").iterdir())
    again = Counter(outcomes(intake(archive).submit([folder])).values())
    assert again == {UNCHANGED: len(told), ACCEPTED: MANY - len(told)}
    assert sound(archive) == MANY


PROGRAM = """
import sys
from pathlib import Path
from pipeline.archive import open_archive
from pipeline.intake.intake import Intake
from pipeline.settings import Settings

settings = Settings(home=Path(sys.argv[1]))
with open_archive(settings, sys.argv[2]) as archive:
    for result in Intake(archive.database, archive.blobs, settings, ring=lambda _: None).submit([Path(sys.argv[3])]):
        print(result.path, flush=True)
"""


def test_a_killed_process_leaves_no_document_without_its_original(
    archive: Archive, folder: Path, database_url: str
) -> None:
    many_files(folder, 3000)
    command = [sys.executable, "-c", PROGRAM, archive.settings.home, database_url, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout
        for _ in range(BATCH_FILES + 1):
            process.stdout.readline()
        process.kill()
    done = sound(archive)
    assert BATCH_FILES <= done < 3000
    list(intake(archive).submit([folder]))
    assert sound(archive) == 3000


def test_a_full_disk_ends_the_run_with_everything_told_and_more_space_lets_it_go_on(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    many_files(folder, 300, kilobytes=30)
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        narrow = replace(archive, blobs=BlobStore.open((disk / "blobs").as_uri()))
        told = until_it_ends(intake(narrow).submit([folder]), DiskFull)
        assert 30 < len(told) < 300
        assert {result.outcome for result in told} == {ACCEPTED}
        assert sound(narrow) == len(told)
        enlarge(disk, megabytes=64)
        assert Counter(outcomes(intake(narrow).submit([folder])).values()) == {
            UNCHANGED: len(told),
            ACCEPTED: 300 - len(told),
        }
        assert sound(narrow) == 300


def test_a_database_that_goes_away_ends_the_run_and_the_next_one_goes_on(
    archive: Archive, folder: Path, empty_database_url: str
) -> None:
    many_files(folder)
    (name,) = rows(archive.database, "SELECT current_database()")[0]
    elsewhere = Database(empty_database_url)

    def closed_after_the_first_batch(_: Collection[str]) -> None:
        with elsewhere.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )

    told = until_it_ends(intake(archive, closed_after_the_first_batch).submit([folder]), StorageUnavailable)
    with elsewhere.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    elsewhere.close()
    assert BATCH_FILES <= len(told) < MANY
    assert sound(archive) == len(told)
    list(intake(archive).submit([folder]))
    assert sound(archive) == MANY
