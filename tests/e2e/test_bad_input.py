"""What goes wrong in one file, or under it, is told, and costs nothing else: each case between two good letters."""

import json
import os
import signal
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.database import Database
from pipeline.errors import StorageUnavailable
from pipeline.settings import Settings
from pipeline.stack import ensure_running, open_stack
from pipeline.stack.postgres import SOCKET
from pipeline.stack.server import socket_directory
from tests.disks import enlarge, small_disk
from tests.e2e.conftest import Arsip
from tests.factories import RICH, letter_picture, letter_pictures, save_pdf, save_scan
from tests.processes import ARSIP


def empty(path: Path) -> None:
    path.with_suffix(".png").touch()


def truncated_pdf(path: Path) -> None:
    whole = save_pdf(path.with_suffix(".pdf"), RICH, RICH)
    whole.write_bytes(whole.read_bytes()[:300])


def encrypted_pdf(path: Path) -> None:
    canvas = Canvas(str(path.with_suffix(".pdf")), encrypt=StandardEncryption("a password"))
    canvas.drawString(100, 100, "secret")
    canvas.save()


def text_named_pdf(path: Path) -> None:
    path.with_suffix(".pdf").write_text("Dear Sir or Madam")


def pdf_without_pages(path: Path) -> None:
    path.with_suffix(".pdf").write_bytes(
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
        b"trailer<</Root 1 0 R/Size 3>>\n%%EOF\n"
    )


def png_bomb(path: Path) -> None:
    """60,000 x 60,000 pixels declared in 1 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    path.with_suffix(".png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.fixture
def ingest(environment: dict[str, str], tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """`arsip ingest --json` of a folder; every line that it writes."""

    def run(folder: Path, *options: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [ARSIP, "ingest", folder, "--json", "--workers", "2", *options],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good letters, before and after whatever comes between."""
    folder = tmp_path / "in"
    folder.mkdir()
    save_scan(folder / "a-good.png")
    save_pdf(folder / "z-good.pdf", RICH)
    return folder


Case = tuple[Callable[[Path], None], str, str]

REFUSED: list[Case] = [
    (empty, "empty_file", "empty"),
    (text_named_pdf, "unsupported_type", "plain text"),
]
FAILED: list[Case] = [
    (truncated_pdf, "corrupt_document", "damaged"),
    (encrypted_pdf, "encrypted_document", "password"),
    (pdf_without_pages, "no_pages", "no pages"),
    (png_bomb, "too_large", "60,000 x 60,000"),
]


def test_each_bad_file_is_told_and_the_others_are_done(
    ingest: Callable[..., list[dict[str, Any]]], folder: Path
) -> None:
    for make, _, _ in REFUSED + FAILED:
        make(folder / make.__name__)
    told = ingest(folder)

    files = {Path(line["path"]).stem: line for line in told if "path" in line}
    for make, code, words in REFUSED:
        assert files[make.__name__]["error"]["code"] == code
        assert words in files[make.__name__]["error"]["message"]
    documents = {Path(line["document"]["name"]).stem: line["document"] for line in told if "document" in line}
    for make, code, words in FAILED:
        assert (documents[make.__name__]["status"], documents[make.__name__]["failure_code"]) == ("FAILED", code)
        assert words in documents[make.__name__]["failure_reason"]
    assert documents["a-good"]["status"] == documents["z-good"]["status"] == "PROCESSED"


def test_a_tiff_with_a_broken_second_page_is_partial(ingest: Callable[..., list[dict[str, Any]]], folder: Path) -> None:
    path = folder / "broken.tif"
    page = letter_picture()
    page.save(path, save_all=True, append_images=[page, page], compression="tiff_adobe_deflate")
    data = bytearray(path.read_bytes())
    with Image.open(path) as whole:
        whole.seek(1)
        offset = whole.tag_v2[273][0]
    data[offset : offset + 40] = b"\xff" * 40
    path.write_bytes(data)

    documents = {line["document"]["name"]: line["document"] for line in ingest(folder) if "document" in line}
    assert documents["broken.tif"]["page_count"] == 3
    assert documents["broken.tif"]["status"] == "PARTIAL"
    assert documents["broken.tif"]["failure_code"] == "corrupt_page"
    assert documents["broken.tif"]["failure_reason"].startswith("page 2 of 3 could not be read; page 2: ")
    assert documents["a-good.png"]["status"] == documents["z-good.pdf"]["status"] == "PROCESSED"


def test_a_full_disk_is_told_and_the_same_command_goes_on(
    arsip: Arsip,
    environment: dict[str, str],
    ingest: Callable[..., list[dict[str, Any]]],
    folder: Path,
    tmp_path: Path,
) -> None:
    (folder / "m-large.pdf").write_bytes(b"%PDF-1.4\n" + os.urandom(3 << 20))
    with small_disk(tmp_path / "disk", megabytes=2) as disk:
        environment["ARSIP_BLOB_URL"] = f"file://{disk}"
        done = arsip("ingest", folder)
        assert done.returncode == 69
        assert "the disk is full; free some space and run the command again [disk_full]" in done.stderr
        enlarge(disk, megabytes=64)
        documents = {line["document"]["name"]: line["document"] for line in ingest(folder) if "document" in line}
    assert documents["m-large.pdf"]["status"] == "FAILED"
    assert documents["a-good.png"]["status"] == documents["z-good.pdf"]["status"] == "PROCESSED"


def test_huge_pages_are_read_at_a_lower_resolution_and_say_so(
    ingest: Callable[..., list[dict[str, Any]]], folder: Path, environment: dict[str, str]
) -> None:
    picture = Image.new("1", (20_000, 20_000), 1)
    picture.paste(letter_picture().convert("1").resize((12_400, 8_000)), (2000, 2000))
    picture.save(folder / "huge.tif", compression="group4")
    five_metres = 5 / 0.0254 * 72
    canvas = Canvas(str(folder / "wall.pdf"), pagesize=(five_metres, five_metres))
    canvas.rect(100, 100, five_metres / 2, five_metres / 2, fill=1)
    canvas.save()

    documents = {line["document"]["name"]: line["document"] for line in ingest(folder) if "document" in line}
    assert {document["status"] for document in documents.values()} == {"PROCESSED"}
    for name, limit in (("huge.tif", "50%"), ("wall.pdf", "51 dpi")):
        shown = subprocess.run(
            [ARSIP, "documents", "show", str(documents[name]["id"])],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "100 megapixel" in shown or "of 100 megapixels" in shown
        assert limit in shown


@pytest.mark.parametrize("server", ["valkey-server", "postgres"])
def test_an_embedded_server_that_dies_in_the_middle_is_started_again(
    environment: dict[str, str], tmp_path: Path, server: str
) -> None:
    home = tmp_path / "embedded"
    home.mkdir()
    alone = {name: value for name, value in environment.items() if not name.endswith("_URL")} | {
        "ARSIP_HOME": str(home)
    }
    scan = save_pdf(tmp_path / "long.pdf", *letter_pictures(8))
    with start_ingest(scan, alone) as ingest:
        wait_for_page(f"postgresql://postgres@/postgres?host={socket_directory(home / 'postgres', SOCKET)}")
        kill(home, server)
        output, complaint = ingest.communicate(timeout=150)
    assert ingest.returncode == 0, output + complaint
    assert '"PROCESSED"' in output


@pytest.mark.parametrize("server", ["valkey-server", "postgres"])
def test_a_server_of_somebody_else_that_dies_is_told_and_the_same_command_goes_on(
    environment: dict[str, str], tmp_path: Path, server: str
) -> None:
    home = tmp_path / "elsewhere"
    home.mkdir()
    theirs = Settings(home=home)
    scan = save_pdf(tmp_path / "long.pdf", *letter_pictures(8))
    with open_stack(theirs) as urls:
        external = environment | {"ARSIP_DATABASE_URL": urls.database, "ARSIP_REDIS_URL": urls.redis}
        with start_ingest(scan, external) as ingest:
            wait_for_page(urls.database)
            kill(home, server)
            output, complaint = ingest.communicate(timeout=150)
        assert ingest.returncode == 69, output + complaint
        assert "not reachable" in complaint
        assert "Traceback" not in complaint
        ensure_running(theirs)
        with start_ingest(scan, external) as again:
            output, complaint = again.communicate(timeout=200)
        assert again.returncode == 0, output + complaint
        assert '"PROCESSED"' in output


def start_ingest(path: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [ARSIP, "ingest", path, "--workers", "1", "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_page(database_url: str) -> None:
    database = Database(database_url)
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline, "no page was read"
        try:
            with database.session() as session:
                if session.scalar(text("SELECT count(*) FROM pages WHERE status = 'DONE'")):
                    break
        except (StorageUnavailable, DBAPIError):
            pass  # not started or not migrated yet
        time.sleep(0.1)
    database.close()


def kill(home: Path, name: str) -> None:
    victims = servers_of(home, name)
    assert victims
    for victim in victims:
        os.kill(victim, signal.SIGKILL)


def servers_of(home: Path, name: str) -> list[int]:
    """The main process of a server whose data lies in `home`."""
    return [
        process.pid
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == name and any(str(home) in part for part in process.info["cmdline"] or ())
    ]
