import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.numbers import DocumentNumber, NumberPattern, PageText, find_document_number
from pipeline.reading.tasks import tasks
from pipeline.reading.types import WordRow

GLYPH, HEIGHT = 6.0, 10.0
"""Points: how wide a character and how high a line is on the pages that are laid out here."""


def of_text(text: str) -> DocumentNumber | None:
    return find_document_number([PageText(1, text, [])])


def laid_out(*placed: tuple[float, float, str], confidence: float = 0.9) -> PageText:
    """A page with texts at (x, y), the words of each a glyph apart; the text is in the order given."""
    words: list[WordRow] = []
    for left, top, text in placed:
        at = left
        for word in text.split():
            words.append((word, at, top, at + GLYPH * len(word), top + HEIGHT, confidence))
            at += GLYPH * (len(word) + 1)
    return PageText(1, "\n".join(text for _, _, text in placed), words)


LETTERS_ID = [
    ("Nomor: 045/2026/DIR-ARSIP", "045/2026/DIR-ARSIP", "letter"),
    ("No. : 12/SK/IX/2024", "12/SK/IX/2024", "letter"),
    ("No: 12/SK/IX/2024", "12/SK/IX/2024", "letter"),
    ("Nomor    : 421.3 / 118 / SMPN.2 / 2023     Surabaya, 12 Mei 2023", "421.3/118/SMPN.2/2023", "letter"),
    ("NOMOR 31 /POJK.05/2016", "31/POJK.05/2016", "letter"),
    ("PERATURAN OTORITAS JASA KEUANGAN NOMOR 31 /POJK.05/2016 TENTANG USAHA", "31/POJK.05/2016", "letter"),
    ("Surat Keputusan Direksi Nomor: KEP-012/DIR/2021", "KEP-012/DIR/2021", "letter"),
    ("SURAT EDARAN\nNOMOR SE-24/PJ/2019", "SE-24/PJ/2019", "letter"),
    ("Nomor : S - 1123/WPJ.12/2020", "S-1123/WPJ.12/2020", "letter"),
    ("Nomor : B.1247/UN7.5.3/KM/2022", "B.1247/UN7.5.3/KM/2022", "letter"),
    ("Nomor : B. 1247/UN7/2022", "B.1247/UN7/2022", "letter"),
    ("Nomor : 005/D&R/III/2018", "005/D&R/III/2018", "letter"),
    ("Nomor : 18/SK DIR/2024", "18/SK DIR/2024", "letter"),
    ("N0mor ; 7/BA/2020", "7/BA/2020", "letter"),
    ("Nornor : 7/BA/2020", "7/BA/2020", "letter"),
    ("Nomor : UND-215", "UND-215", "letter"),
    ("Nomor Surat: 778812", "778812", "letter"),
    ("PERATURAN PRESIDEN REPUBLIK INDONESIA\nNOMOR 12 TAHUN 2019\nTENTANG", "12 TAHUN 2019", "regulation"),
    ("UNDANG-UNDANG REPUBLIK INDONESIA NOMOR 11 TAHUN 2020 TENTANG CIPTA KERJA", "11 TAHUN 2020", "regulation"),
    ("Nomor 5 Tahun 2014", "5 TAHUN 2014", "regulation"),
    ("No. Faktur : FJ-2024-00123", "FJ-2024-00123", "invoice"),
    ("Faktur Penjualan No. 0012/FP/2024", "0012/FP/2024", "invoice"),
    ("Kode dan Nomor Seri Faktur Pajak : 010.000-24.12345678", "010.000-24.12345678", "invoice"),
    ("No. Invoice: INV/2024/VII/0031", "INV/2024/VII/0031", "invoice"),
    ("Nomor Tagihan 889120", "889120", "invoice"),
    ("Kontrak Nomor: 027/KTR/PPK/2022", "027/KTR/PPK/2022", "contract"),
    ("Perjanjian Kerja Sama No. 14/PKS/2023", "14/PKS/2023", "contract"),
    ("No. Kontrak : KTR-2022-17", "KTR-2022-17", "contract"),
    ("No. PO : 4500012345", "4500012345", "purchase_order"),
    ("Nomor Pesanan Pembelian: PB-0081", "PB-0081", "purchase_order"),
    ("No. Dokumen : FM-HRD-07", "FM-HRD-07", "document"),
    ("Referensi : 88/A/2020", "88/A/2020", "reference"),
    ("Bukti Pembayaran No. 00981", "00981", "receipt"),
]
LETTERS_EN = [
    ("Invoice No: INV-2024-0017", "INV-2024-0017", "invoice"),
    ("Invoice Number: 42183017", "42183017", "invoice"),
    ("INVOICE #1042", "1042", "invoice"),
    ("TAX INVOICE\nInvoice No.: A/2023-24/118   Dated 12-May-2023", "A/2023-24/118", "invoice"),
    ("lnvoice N0. 55120", "55120", "invoice"),
    ("Invoice INV/2023/03/0008", "INV/2023/03/0008", "invoice"),
    ("Invoice no.......... 55120", "55120", "invoice"),
    ("INV NO: CS-SA-0079030 DATE: 18/04/2017", "CS-SA-0079030", "invoice"),
    ("Contract No. 98-ER-40763", "98-ER-40763", "contract"),
    ("Agreement Number: MSA-2021-044", "MSA-2021-044", "contract"),
    ("Our ref: GS/mk/2021-88", "GS/mk/2021-88", "reference"),
    ("Ref. No. 12345", "12345", "reference"),
    ("Reference: HR/114/B", "HR/114/B", "reference"),
    ("Purchase Order No. PO-77812", "PO-77812", "purchase_order"),
    ("PO Number: 4500098121", "4500098121", "purchase_order"),
    ("P.O. # 66123", "66123", "purchase_order"),
    ("Document No. QA-PR-004", "QA-PR-004", "document"),
    ("Receipt #: CS00677115", "CS00677115", "receipt"),
]


@pytest.mark.parametrize(("text", "value", "pattern"), LETTERS_ID + LETTERS_EN)
def test_numbers_of_real_kinds(text: str, value: str, pattern: str) -> None:
    found = of_text(text)
    assert found
    assert (found.value, found.pattern) == (value, pattern)


@pytest.mark.parametrize(
    "text",
    [
        "Page 1 of 3",
        "Halaman 2 dari 12",
        "No. 1 Meja\nNo. 2 Kursi\nNo. 3 Lemari",
        "No.: 1\nNo.: 2",
        "Date: 12/05/2024\nNo. 12/05/2024",
        "Invoice No: 12-May-2024",
        "Invoice No: 12.05.2024",
        "Invoice 1,200.00",
        "Total tagihan Rp1.500.000",
        "Nomor: Rp1.500.000",
        "Invoice No: 279.84",
        "Phone No. 0812-3456-7890",
        "Nomor : 0812-3456-7890",
        "No: 021-5551234",
        "No. Telp/Fax : 021-555/556",
        "Ref: billing2024@example.com",
        "NPWP : 01.234.567.8-901.000",
        "Nomor : 01.234.567.8-901.000",
        "No. Rekening 123-00-0987654-3",
        "Bank account number: 00030340067212",
        "Jl. Merdeka No. 12/A",
        "No. 42/1 & 43, Kacherakanahalli Village",
        "Your ref: AB/2020/12",
        "Invoice number\nContract no. see below",
        "P.O. Box 1234",
        "Vol. 85, No. 152/Thursday, August 6, 2020",
        "Menunjuk surat Saudara nomor 12/AB/2024 tanggal 5 Mei 2024",
        "sebagaimana dimaksud dalam Undang-Undang Nomor 21 Tahun 2011 tentang Otoritas",
        "Nomor 21 Tahun 2011 tentang Otoritas Jasa Keuangan (Lembaran Negara",
        "FAX NO: 816/545-7473",
        "",
    ],
)
def test_what_is_no_document_number(text: str) -> None:
    assert of_text(text) is None


def test_the_letter_s_own_number_comes_before_those_it_names() -> None:
    text = (
        "PT Contoh Sejahtera\nNomor: 045/2026/DIR-ARSIP\nPerihal: tagihan\n"
        "Menunjuk surat Saudara nomor 12/AB/2024 dan Perjanjian Nomor 7/PKS/2023, invoice No. INV-77 belum dibayar."
    )
    found = of_text(text)
    assert found
    assert found.value == "045/2026/DIR-ARSIP"


def test_an_invoice_s_own_number_comes_before_the_order_s() -> None:
    found = of_text("PO Number: 4500098121\nOrder ID: 8812-1\nInvoice Number: 4711-22")
    assert found
    assert found.value == "4711-22"


def test_value_right_of_its_label_in_another_column() -> None:
    page = laid_out(
        (50, 100, "Invoice Number"), (50, 115, "Due date"), (300, 101, "INV-0099"), (300, 116, "12/05/2024")
    )
    found = find_document_number([page])
    assert found
    assert found.value == "INV-0099"
    assert found.box == (300, 101, 348, 111)


def test_value_below_its_label_between_other_columns() -> None:
    page = laid_out(
        (50, 100, "Date"), (150, 100, "Invoice No."), (300, 100, "Amount"),
        (50, 114, "12/05/2024"), (150, 114, "A-20931"), (300, 114, "1,200.00"),
    )  # fmt: skip
    found = find_document_number([page])
    assert found
    assert found.value == "A-20931"


def test_value_below_its_label_with_another_column_s_lines_between() -> None:
    page = laid_out(
        (300, 100, "Nomor Invoice"),
        (50, 93, "PT Contoh"),
        (50, 107, "Jalan Raya 5"),
        (300, 115, "77120"),
        (50, 121, "60111"),
    )
    found = find_document_number([page])
    assert found
    assert found.value == "77120"


def test_value_far_below_is_not_the_label_s() -> None:
    page = laid_out((50, 100, "Invoice No."), (50, 400, "A-20931"))
    assert find_document_number([page]) is None


def test_box_and_confidence_are_those_of_the_value() -> None:
    words: list[WordRow] = [
        ("Nomor", 10, 20, 50, 30, 0.99),
        (":", 52, 20, 54, 30, 0.2),
        ("31", 60, 20, 72, 30, 0.9),
        ("/POJK.05/2016", 76, 19, 150, 31, 0.7),
        ("Jakarta,", 300, 20, 340, 30, 0.1),
    ]
    found = find_document_number([PageText(3, "Nomor : 31 /POJK.05/2016 Jakarta,", words)])
    assert found == DocumentNumber("31/POJK.05/2016", 3, (60, 19, 150, 31), 0.7, "letter")


def test_a_skewed_page_is_read_by_its_lines() -> None:
    """Three lines that rise by more than a line's height: side by side, the words of different lines stand."""
    lines = [
        "Kepada Yth. Bapak Direktur Utama",
        "Nomor : 045/2026/DIR-ARSIP tanggal 2 Mei",
        "Perihal : undangan rapat kerja",
    ]
    words: list[WordRow] = []
    for number, line in enumerate(lines):
        for position, word in enumerate(line.split()):
            left, top = 50 + 80 * position, 100 + 14 * number - 9 * position
            words.append((word, left, top, left + 60, top + HEIGHT, 0.9))
    found = find_document_number([PageText(1, "\n".join(lines), words)])
    assert found
    assert found.value == "045/2026/DIR-ARSIP"


def test_first_page_with_a_number_decides() -> None:
    pages = [PageText(1, "Lampiran", []), PageText(2, "Nomor: 1/A/2020", []), PageText(3, "Invoice No: 99-1", [])]
    found = find_document_number(pages)
    assert found
    assert (found.page, found.value) == (2, "1/A/2020")


def test_patterns_of_the_settings_replace_the_own_ones() -> None:
    patterns = [NumberPattern(name="berkas", expression=r"berkas\s(?P<number>[a-z]\d+)")]
    text = "Nomor: 1/A/2020 Berkas K77"
    found = find_document_number([PageText(1, text, [])], patterns=patterns)
    assert found
    assert (found.value, found.pattern) == ("K77", "berkas")
    assert find_document_number([PageText(1, text, [])], patterns=[]) is None


@pytest.mark.parametrize(
    "piece",
    [
        "Nomor : ",
        "No. 1 / ",
        "1/",
        "invoice no. ",
        "a",
        "A ",
        ".",
        "perjanjian abc ",
        "Nomor\n",
        "No 1/a b ",
        "po no # ",
        "_-",
    ],
)
@pytest.mark.parametrize("boxes", ["none", "in lines", "in one line", "in one place"])
def test_a_megabyte_of_hostile_text_is_done_in_a_second(piece: str, boxes: str) -> None:
    text = piece * (1_000_000 // len(piece))
    words = [] if boxes == "none" else [(word, *_box(number, boxes), 1.0) for number, word in enumerate(text.split())]
    started = time.process_time()
    find_document_number([PageText(1, text, words)])
    assert time.process_time() - started < 1


def _box(number: int, layout: str) -> tuple[float, float, float, float]:
    if layout == "in one place":
        return 0.0, 0.0, 9.0, 9.0
    column, row = (number % 50, number // 50) if layout == "in lines" else (number, 0)
    return column * 40.0, row * 12.0, column * 40.0 + 20, row * 12.0 + 10


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("folder", "field", "floor"), [("invoices", "invoice_number", 9), ("regulations-id", "number", 5)]
)
def test_real_documents(corpus: Path, folder: str, field: str, floor: int) -> None:
    right = []
    for fields in sorted((corpus / "born-digital" / folder).glob("*.fields.json")):
        wanted = json.loads(fields.read_text())[field].lstrip("#")
        found = find_document_number(first_pages(fields.with_name(fields.name.replace(".fields.json", ".pdf"))))
        right.append(found is not None and found.value == wanted)
    assert sum(right) >= floor


@pytest.mark.corpus
def test_real_documents_without_a_number(corpus: Path) -> None:
    folders = [corpus / "born-digital" / name for name in ("pdfplumber", "pypdf-samples", "camelot", "pymupdf")]
    numbers = {
        path.name: find_document_number(first_pages(path)) for folder in folders for path in folder.glob("*.pdf")
    }
    assert len(numbers) > 100
    assert sum(found is not None for found in numbers.values()) <= 2


def first_pages(path: Path) -> Iterator[PageText]:
    reader, limits = tasks(), {"max_pages": 10_000, "max_image_megapixels": 500}
    rules = {"min_characters": 50, "margin": 0.125, "max_garbled": 0.1, "image_cover": 0.7}
    count = reader["inspect"](path=str(path), limits=limits)["page_count"]
    span = {"first": 1, "last": min(5, count)}
    for page in reader["read_pages"](path=str(path), limits=limits, **span, tables=False, rules=rules):
        yield PageText(page["number"], page["text"] or "", page["words"])
