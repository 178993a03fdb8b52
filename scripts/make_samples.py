"""Makes the sample documents: `python scripts/make_samples.py [FOLDER]`. The same bytes' contents come out every time.

Everything in them is invented. Scans are rendered from a PDF and then degraded as a scanner or a camera would.
"""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image, ImageFilter
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

SEED = 20260417
LEFT, TOP, LEADING = 72, 770, 17

COMPANY = "PT Arsip Nusantara Contoh"
SURAT = [
    COMPANY, "Jalan Contoh Raya 12, Jakarta 10110", "", "Nomor: 045/2026/DIR-ARSIP", "Lampiran: 1 berkas",
    "Perihal: Undangan rapat pemeliharaan arsip", "", "Kepada Yth. Kepala Bagian Umum", "di tempat", "",
    "Dengan hormat,", "Bersama surat ini kami mengundang Saudara untuk menghadiri rapat koordinasi tentang",
    "pemeliharaan arsip statis dan jadwal alih media dokumen tahun 2026.", "",
    "Hari, tanggal: Senin, 20 April 2026", "Waktu: pukul 09.00 sampai selesai", "Tempat: Ruang Rapat Utama, lantai 3", "",
    "Atas perhatian Saudara kami ucapkan terima kasih.", "", "Direktur Arsip", "", "Siti Contohwati",
]  # fmt: skip
LETTER = [
    "Meridian Paper Example Ltd", "7 Harbour Lane, Exampleton EX1 2MP", "", "Our ref: MPE/2026/0311", "11 March 2026", "",
    "Dear Mr Hartono,", "", "Thank you for your order of archival paper. We confirm that the goods will leave our",
    "warehouse on 18 March and should reach Jakarta before the end of the month.", "",
    "Please note that acid-free boxes are out of stock until May. We suggest the linen boxes of",
    "the same size, which meet the same permanence standard and cost a little less.", "",
    "We look forward to hearing from you.", "", "Yours sincerely,", "", "Eleanor Sample", "Head of Export Sales",
]  # fmt: skip
CONTRACT = [
    [
        "MAINTENANCE AGREEMENT", "", "Contract No.: K-118/2026", "", f"between {COMPANY}, the Client,",
        "and Presisi Mesin Contoh, the Contractor.", "", "Article 1. Subject",
        "The Contractor carries out the preventive maintenance (pemeliharaan) of four document",
        "scanners and two microfilm cameras at the premises of the Client.", "", "Article 2. Term",
        "This agreement starts on 1 May 2026 and ends on 30 April 2028.",
    ],
    [
        "Article 3. Schedule", "Every machine is inspected once in each quarter. Worn parts are replaced at once.",
        "The Contractor keeps a log of each visit and hands a copy to the Client.", "", "Article 4. Price",
        "The yearly price is 48,000,000 rupiah and is paid in four equal instalments.", "", "Article 5. Liability",
        "The Contractor answers for damage to originals caused by negligence.",
    ],
    [
        "Article 6. Confidentiality", "The Contractor does not read, copy or remove any document of the Client.", "",
        "Article 7. Termination", "Either party may terminate with three months' written notice.", "",
        "Jakarta, 14 April 2026", "", "Siti Contohwati                    Bambang Teladan",
    ],
]  # fmt: skip
NOTULEN = [
    [
        "NOTULEN RAPAT BULANAN", "", "Tanggal: 6 April 2026", "Pimpinan rapat: Siti Contohwati", "Peserta: 8 orang", "",
        "1. Anggaran pemeliharaan tahun ini disetujui sebesar 48 juta rupiah.",
        "2. Alih media arsip statis dimulai pada bulan Mei dengan dua pemindai.",
        "3. Bagian umum menyiapkan ruang penyimpanan dengan suhu yang terkendali.",
    ],
    [
        "Tindak lanjut", "", "Bagian umum: daftar arsip vital, selesai tanggal 20 April.",
        "Bagian keuangan: pencairan anggaran tahap pertama.", "Direktur arsip: penandatanganan kontrak pemeliharaan.", "",
        "Rapat ditutup pukul 11.30.",
    ],
]  # fmt: skip
ORDER = [
    "PURCHASE ORDER", "", "PO Number: PO-2026-0093", "Date: 2 March 2026", f"Buyer: {COMPANY}",
    "Supplier: Meridian Paper Example Ltd", "", "120 reams    archival paper, acid-free, A4", "40 pieces    linen boxes, large",
    "10 rolls     repair tissue", "", "Delivery: Jakarta, before 31 March 2026", "Payment: 30 days after receipt",
]  # fmt: skip
MEMO = [
    "MEMO", "", "To: all staff of the reading room", "From: Dewi Misal", "Date: 9 April 2026", "",
    "The reading room stays closed on Friday while the new shelves", "are installed. Requests for photocopies can be left at",
    "the front desk and will be ready on Monday afternoon.",
]  # fmt: skip
INVOICE_ROWS = [
    ("Description", "Quantity", "Price", "Amount"),
    ("Archival paper, A4", "120", "14.50", "1,740.00"),
    ("Linen box, large", "40", "22.00", "880.00"),
    ("Repair tissue, roll", "10", "9.80", "98.00"),
    ("Total", "", "", "2,718.00"),
]


def write_lines(canvas: Canvas, lines: Sequence[str]) -> None:
    canvas.setFont("Times-Roman", 12)
    for position, line in enumerate(lines):
        canvas.drawString(LEFT, TOP - LEADING * position, line)


def pdf_of(*pages: Sequence[str]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    for lines in pages:
        write_lines(canvas, lines)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def scan_of(lines: Sequence[str], *, dpi: int, skew: float, noise: float, blur: float = 0.6) -> Image.Image:
    """A page as a scanner sees it: turned by `skew` degrees, soft, unevenly lit, noisy."""
    page = pypdfium2.PdfDocument(pdf_of(lines))[0].render(scale=dpi / 72, grayscale=True).to_pil()
    page = page.rotate(skew, resample=Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(blur))
    pixels = np.asarray(page, dtype=np.float32)
    shade = np.linspace(0.93, 1.0, pixels.shape[1], dtype=np.float32)
    grain = np.random.default_rng(SEED).normal(0.0, noise, pixels.shape)
    return Image.fromarray(np.clip(pixels * shade + grain, 0, 255).astype(np.uint8))


def jpeg(page: Image.Image, quality: int, **more: object) -> bytes:
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=quality, **more)
    return buffer.getvalue()


def draw_scan(canvas: Canvas, page: Image.Image) -> None:
    canvas.drawImage(ImageReader(io.BytesIO(jpeg(page, 32))), 0, 0, *A4)
    canvas.showPage()


def invoice(path: Path) -> None:
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    head = ["Meridian Paper Example Ltd", "", "INVOICE", "Invoice No: INV-2026-0417", "Invoice date: 17 April 2026"]
    write_lines(canvas, [*head, "PO Number: PO-2026-0093", f"Bill to: {COMPANY}"])
    columns = (72, 290, 370, 450, 530)
    for row, cells in enumerate(INVOICE_ROWS):
        y = 600 - 22 * row
        canvas.line(columns[0], y + 16, columns[-1], y + 16)
        for x, cell in zip(columns, cells, strict=False):
            canvas.drawString(x + 4, y, cell)
    bottom = 600 - 22 * (len(INVOICE_ROWS) - 1) - 6
    canvas.line(columns[0], bottom, columns[-1], bottom)
    for x in columns:
        canvas.line(x, 616, x, bottom)
    canvas.save()


def mixed(path: Path) -> None:
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    write_lines(canvas, ["Laporan alih media, triwulan pertama 2026", "", *SURAT[11:17], *NOTULEN[0][6:9]])
    canvas.showPage()
    draw_scan(canvas, scan_of(["Lampiran: daftar arsip vital", "", *NOTULEN[1]], dpi=200, skew=-0.7, noise=6))
    canvas.save()


def make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "surat-undangan.pdf").write_bytes(pdf_of(SURAT))
    invoice(folder / "invoice.pdf")
    mixed(folder / "laporan-campuran.pdf")
    contract = Canvas(str(folder / "contract-scan.pdf"), pagesize=A4, invariant=1)
    for lines, skew in zip(CONTRACT, (0.8, -0.5, 1.1), strict=True):
        draw_scan(contract, scan_of(lines, dpi=200, skew=skew, noise=6))
    contract.save()
    letter = scan_of(LETTER, dpi=200, skew=1.0, noise=7)
    (folder / "letter-scan.jpg").write_bytes(jpeg(letter, 55, dpi=(200, 200)))
    order = scan_of(ORDER, dpi=200, skew=-0.9, noise=0).point(lambda grey: grey // 43 * 51)
    order.save(folder / "purchase-order.png", dpi=(200, 200), optimize=True)
    first, second = (
        scan_of(lines, dpi=300, skew=skew, noise=4).point(lambda grey: 255 * (grey > 160)).convert("1")
        for lines, skew in zip(NOTULEN, (0.4, -0.6), strict=True)
    )
    first.save(
        folder / "notulen-rapat.tif", save_all=True, append_images=[second], compression="group4", dpi=(300, 300)
    )
    memo = scan_of(MEMO, dpi=200, skew=1.5, noise=8, blur=0.9).transpose(Image.Transpose.ROTATE_90)
    turned = Image.Exif()
    turned[0x0112] = 6
    (folder / "memo-photo.jpg").write_bytes(jpeg(memo, 55, exif=turned))


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "samples")
