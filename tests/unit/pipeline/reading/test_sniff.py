import io
import subprocess
import sys

import pytest
from PIL import Image

from pipeline.errors import EmptyFile, UnsupportedType
from pipeline.reading.sniff import HEAD, media_type
from tests.unit.pipeline.reading.documents import pdf


def picture(format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), 255).save(file, format_, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (pdf(""), "application/pdf"),
        (b"\r\n" * 500 + pdf(""), "application/pdf"),
        (picture("TIFF"), "image/tiff"),
        (picture("TIFF", big_tiff=True), "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
        (picture("WEBP"), "image/webp"),
        (picture("BMP"), "image/bmp"),
        (picture("GIF"), "image/gif"),
    ],
)
def test_types_that_are_read(content: bytes, expected: str) -> None:
    assert media_type(content[:HEAD]) == expected


@pytest.mark.parametrize(
    ("content", "looks_like"),
    [
        (b"PK\x03\x04\x14\0", "Office document"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n <html>", "web page"),
        (b"From alice@example.org Mon\nReceived: by", "e-mail"),
        (b"Return-Path: <a@b>\n", "e-mail"),
        ("Grüße aus Wien, ohne Ende".encode(), "plain text"),
        (b"BM is how this letter begins", "plain text"),
        (b"\0\x01\x02\xfe\xff", "unknown type"),
        (b" " * 1025 + b"%PDF-1.7", "plain text"),
        (b"RIFF\0\0\0\0WAVEfmt ", "unknown type"),
    ],
)
def test_others_are_refused_with_what_they_look_like(content: bytes, looks_like: str) -> None:
    with pytest.raises(UnsupportedType, match=rf"{looks_like}.*arsip reads PDF, TIFF, PNG, JPEG, WebP, BMP and GIF"):
        media_type(content)


def test_empty_file() -> None:
    with pytest.raises(EmptyFile):
        media_type(b"")


def test_sniffing_loads_no_parser() -> None:
    # Intake calls it in the process that holds the credentials.
    parsers = {"PIL", "pypdfium2", "numpy", "pdfplumber"}
    code = f"import sys, pipeline.reading.sniff; print(sorted({parsers} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
