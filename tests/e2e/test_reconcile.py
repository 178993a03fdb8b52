"""`arsip reconcile`: each way in which a file can be missing is told apart."""

import os
from pathlib import Path

from sqlalchemy import text

from pipeline.database import Database
from tests.e2e.conftest import Arsip
from tests.factories import RICH, save_pdf
from tests.processes import lines


def letter(path: Path, words: str) -> Path:
    return save_pdf(path, (*RICH, words))


def test_every_reason_for_which_a_file_is_not_in_the_archive(arsip: Arsip, tmp_path: Path, database: Database) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("fine", "changed", "failed", "partial", "unfinished", "no-original", "not-indexed"):
        letter(folder / f"{name}.pdf", name)
    failed = folder / "failed.pdf"
    failed.write_bytes(failed.read_bytes()[:200])
    arsip("ingest", folder, "--workers", "1")

    letter(folder / "changed.pdf", "something else")
    letter(folder / "new.pdf", "new")
    (folder / "notes.txt").write_text("a shopping list")
    (folder / "empty.pdf").touch()
    (folder / ".hidden.pdf").write_bytes(b"x")
    (folder / "copy.pdf").write_bytes((folder / "fine.pdf").read_bytes())
    os.utime(folder / "fine.pdf")
    of = "(SELECT document_id FROM document_sources WHERE path LIKE '%/{}.pdf')"
    with database.session() as session:
        session.execute(text(f"UPDATE documents SET status = 'PROCESSING' WHERE id = {of.format('unfinished')}"))
        session.execute(
            text(
                "UPDATE documents SET status = 'PARTIAL', failure_code = 'engine_crashed', "
                f"failure_reason = 'page 1 of 1 could not be read; it died' WHERE id = {of.format('partial')}"
            )
        )
        session.execute(text(f"DELETE FROM search_pages WHERE document_id = {of.format('not-indexed')}"))
        sha256 = session.scalar(text(f"SELECT sha256 FROM documents WHERE id = {of.format('no-original')}"))
    (original,) = (tmp_path / "home").rglob(str(sha256))
    original.unlink()

    done = arsip("reconcile", folder, "--json", "--all")
    assert done.returncode == 1
    *found, summary = lines(done)
    by_name = {Path(finding["path"]).name: finding for finding in found}
    assert {name: finding["verdict"] for name, finding in by_name.items()} == {
        ".hidden.pdf": "skipped",
        "changed.pdf": "changed",
        "copy.pdf": "archived",
        "empty.pdf": "rejected",
        "failed.pdf": "failed",
        "fine.pdf": "archived",
        "new.pdf": "not_submitted",
        "no-original.pdf": "original_missing",
        "not-indexed.pdf": "index_differs",
        "notes.txt": "rejected",
        "partial.pdf": "partial",
        "unfinished.pdf": "unfinished",
    }
    assert by_name["notes.txt"]["code"] == "unsupported_type"
    assert by_name["empty.pdf"]["code"] == "empty_file"
    assert by_name["failed.pdf"]["code"] == "corrupt_document"
    assert by_name["copy.pdf"]["document_id"] == by_name["fine.pdf"]["document_id"]
    assert by_name["partial.pdf"]["reason"] == "page 1 of 1 could not be read; it died"
    assert summary["summary"]["files"] == 12
    assert summary["summary"]["archived"] == 2

    told = arsip("reconcile", folder).stdout
    assert "nobody has ingested it" in told
    assert "fine.pdf" not in told
    assert "12 files" in told


def test_all_is_well(arsip: Arsip, folder: Path) -> None:
    assert arsip("ingest", folder, "--workers", "1").returncode == 0
    done = arsip("reconcile", folder, "--rehash")
    assert (done.returncode, done.stdout) == (0, "2 files: 2 archived\n")
    assert arsip("reconcile", folder / "nowhere").returncode == 1
