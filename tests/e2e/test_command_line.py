"""The `arsip` command as a person or a script runs it: separate processes, real servers, real workers."""

import signal
from pathlib import Path

import pytest
from reportlab.platypus import SimpleDocTemplate, Table
from sqlalchemy import text

from pipeline.database import Database
from tests.e2e.conftest import Arsip
from tests.factories import RICH, letter_pictures, save_pdf
from tests.processes import ARSIP, count, lines, running, wait_until


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


def test_a_person_is_told_of_each_bad_file_and_what_to_do(arsip: Arsip, folder: Path) -> None:
    (folder / "notes.pdf").write_text("only words")
    cut = save_pdf(folder / "rusak.pdf", RICH)
    cut.write_bytes(cut.read_bytes()[:200])
    done = arsip("ingest", folder, "--workers", "1")
    assert done.returncode == 1
    told = done.stdout.splitlines()
    (refused,) = (line for line in told if "notes.pdf" in line)
    assert refused.startswith("failed")
    assert "plain text" in refused
    assert "[unsupported_type]" in refused
    (broken,) = (line for line in told if "rusak.pdf" in line)
    assert broken.startswith("FAILED")
    assert "qpdf" in broken
    assert "4 files: 3 accepted, 1 failed" in done.stdout
    assert "3 documents: 1 FAILED, 2 PROCESSED" in done.stdout


def test_filters_narrow_down_what_is_listed_and_found(arsip: Arsip, folder: Path, database: Database) -> None:
    minutes = [f"Notulen rapat pemeliharaan gedung arsip, acara {number}" for number in range(10)]
    save_pdf(folder / "rapat_1.pdf", tuple(minutes))
    truncated = save_pdf(folder / "rusak.pdf", tuple(minutes))
    truncated.write_bytes(truncated.read_bytes()[:200])
    assert arsip("ingest", folder, "--workers", "2").returncode == 1
    with database.session() as session:
        session.execute(text("UPDATE documents SET created_at = '2020-05-17 12:00' WHERE name = 'rapat_1.pdf'"))

    def named(*command: str) -> set[str]:
        return {row["name"] for row in lines(arsip(*command, "--json"))}

    letters = {"surat.png", "mixed.pdf"}
    for command in (("documents", "list"), ("search", "pemeliharaan")):
        assert named(*command, "--status", "processed") == {*letters, "rapat_1.pdf"}
        assert named(*command, "--name", "RAPAT_?.pdf") == {"rapat_1.pdf"}
        assert named(*command, "--number", "045/2026") == letters
        assert named(*command, "--until", "2020-05-17") == {"rapat_1.pdf"}
        assert named(*command, "--since", "2020-05-18", "--status", "processed") == letters
        assert len(named(*command, "--limit", "1", "--offset", "1")) == 1
    assert named("documents", "list", "--status", "failed") == {"rusak.pdf"}


def test_tables_are_stored_as_rows_of_cells_when_asked_for(arsip: Arsip, tmp_path: Path) -> None:
    rows = [["Uraian pekerjaan", "Jumlah"], ["Pemeliharaan mesin pemotong kertas", "12"], ["Rak arsip", "7"]]
    grid = [("GRID", (0, 0), (-1, -1), 1, "black")]
    SimpleDocTemplate(str(tmp_path / "table.pdf")).build([Table(rows, style=grid)])
    assert arsip("ingest", tmp_path / "table.pdf", "--tables", "--workers", "1").returncode == 0
    _, page = lines(arsip("documents", "show", "1", "--json", "--words"))
    assert page["tables"] == [rows]


def test_whoever_waits_for_workers_that_nobody_started_is_told(folder: Path, environment: dict[str, str]) -> None:
    with running([ARSIP, "ingest", folder, "--workers", "0"], environment) as ingest:
        assert ingest.stderr
        told = next(line for line in ingest.stderr if b"no worker takes" in line)
    assert b"no worker takes ingest: documents wait until `arsip worker` runs somewhere" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly_and_the_same_command_goes_on(
    arsip: Arsip, tmp_path: Path, environment: dict[str, str], database: Database, number: signal.Signals
) -> None:
    scan = save_pdf(tmp_path / "long.pdf", *letter_pictures(12))
    with running([ARSIP, "ingest", scan, "--workers", "1"], environment) as ingest:
        wait_until(lambda: count(database, "SELECT count(*) FROM pages WHERE status = 'DONE'") >= 2)
        ingest.send_signal(number)
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
