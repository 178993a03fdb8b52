"""Small real things that many tests need: files, and documents that are in the archive."""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen.canvas import Canvas

from pipeline.archive import Archive
from pipeline.intake.intake import Intake, IntakeResult

LETTER = (
    "PT Contoh Sejahtera",
    "Nomor: 045/2026/DIR-ARSIP",
    "Perihal: jadwal pemeliharaan mesin pemotong kertas di gudang utama",
    "Dengan hormat, bersama ini kami sampaikan jadwal pemeliharaan berkala untuk tahun ini.",
    "Seluruh kepala bagian diminta memeriksa lampiran dan memberi tanggapan sebelum akhir bulan.",
)
RICH = tuple(f"{line} {number}" for number, line in enumerate(LETTER * 2))
"""Enough text for a good text layer."""


def letter_picture(lines: tuple[str, ...] = LETTER) -> Image.Image:
    """A 150-dpi page with some lines of text."""
    page = Image.new("L", (1240, 800), 255)
    draw = ImageDraw.Draw(page)
    for position, line in enumerate(lines):
        draw.text((80, 80 + 60 * position), line, fill=0, font=ImageFont.load_default(26))
    return page


def letter_pictures(count: int) -> list[Image.Image]:
    """So many pages of which no two are equal: an equal one would not be recognised again."""
    return [letter_picture((*LETTER, f"Halaman {number}")) for number in range(1, count + 1)]


def save_scan(path: Path, lines: tuple[str, ...] = LETTER) -> Path:
    letter_picture(lines).save(path, dpi=(150, 150))
    return path


def save_pdf(path: Path, *pages: tuple[str, ...] | Image.Image) -> Path:
    """A PDF whose pages are lines of text (a text layer) or a picture (a scan)."""
    canvas = Canvas(str(path), pagesize=(595, 420), invariant=1)
    for page in pages:
        if isinstance(page, Image.Image):
            picture = io.BytesIO()
            page.save(picture, "PNG")
            picture.seek(0)
            from reportlab.lib.utils import ImageReader

            canvas.drawImage(ImageReader(picture), 0, 0, 595, 420)
        else:
            for position, line in enumerate(page):
                canvas.drawString(90, 340 - 30 * position, line)
        canvas.showPage()
    canvas.save()
    return path


def take_in(archive: Archive, *paths: Path) -> list[IntakeResult]:
    """Hand files to the archive; nobody is rung for."""
    intake = Intake(archive.database, archive.blobs, archive.settings, ring=lambda _: None)
    return list(intake.submit(paths))
