"""The type of a file from its first bytes; its name does not count. It parses nothing, so intake may call it too."""

from pipeline.errors import EmptyFile, UnsupportedType

HEAD = 4096
"""Bytes that `media_type` wants to see."""

SUPPORTED = "PDF, TIFF, PNG, JPEG, WebP, BMP and GIF"

_PDF_WITHIN = 1024
"""Readers accept junk of so many bytes ahead of a PDF's header (ISO 32000, annex H of Adobe's implementation notes)."""

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"II+\0", "image/tiff"),
    (b"MM\0+", "image/tiff"),
)

_STRANGERS = (
    (b"PK\x03\x04", "a zip archive or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "PostScript"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def media_type(head: bytes) -> str:
    """The media type of a file.

    Args:
        head: its first `HEAD` bytes, or all if it is shorter.

    Raises:
        EmptyFile: there are no bytes.
        UnsupportedType: arsip does not read this type; the message says what it looks like.
    """
    if not head:
        raise EmptyFile("the file is empty")
    for prefix, found in _PREFIXES:
        if head.startswith(prefix):
            return found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if _is_bitmap(head):
        return "image/bmp"
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return "application/pdf"
    raise UnsupportedType(f"looks like {_looks_like(head)}; arsip reads {SUPPORTED}")


def _is_bitmap(head: bytes) -> bool:
    """`BM` alone begins many a text; the size of the header that follows settles it."""
    return (
        head.startswith(b"BM")
        and len(head) >= 18
        and int.from_bytes(head[14:18], "little") in {12, 40, 52, 56, 64, 108, 124}
    )


def _looks_like(head: bytes) -> str:
    for prefix, name in _STRANGERS:
        if head.startswith(prefix):
            return name
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if start.startswith((b"from ", b"received:", b"return-path:", b"mime-version:", b"message-id:")):
        return "an e-mail"
    if b"\0" not in head:
        try:
            head[:-4].decode()
        except UnicodeDecodeError:
            return "data of an unknown type"
        return "plain text"
    return "data of an unknown type"
