"""The tests that every search backend passes. A third party subclasses the suite where pytest collects it:

from pipeline.search.contract_suite import SearchIndexContract

class TestMyIndex(SearchIndexContract):
    @pytest.fixture
    def index(self):
        index = MyIndex(...)
        yield index
        index.close()
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from importlib.metadata import entry_points

import pytest

from pipeline.search.contract import IndexedDocument, IndexedPage, SearchHit, SearchIndex, SearchQuery
from pipeline.search.registry import GROUP

LETTER = IndexedDocument(
    id=1,
    name="surat-keluar_2026.pdf",
    status="PROCESSED",
    languages=("ind", "eng"),
    extracted_doc_number="045/2026/DIR-ARSIP",
    created_on=date(2026, 3, 15),
    pages=(
        IndexedPage(1, "Nomor: 045/2026/DIR-ARSIP\nPerihal: jadwal pemeliharaan mesin pemotong kertas"),
        IndexedPage(2, "Lampiran: daftar mesin, lihat juga surat 31/POJK.05/2016 tanggal 2 Mei."),
    ),
)
INVOICE = IndexedDocument(
    id=2,
    name="Invoice 100%.pdf",
    status="PARTIAL",
    languages=("eng",),
    extracted_doc_number="INV-2024-0017",
    created_on=date(2026, 4, 1),
    pages=(IndexedPage(1, "Invoice INV-2024-0017 for two paper cutting machines and their maintenance contracts."),),
)
HOSTILE = (
    "", " ", "-", "--", '"', '""', '"""', '-"', "OR", "OR OR", "a OR", "OR a", "*", "**", "a**b", "-*",
    "'", "''", "\\", "\\'", "& | ! <-> ( ) :*", "a & b | !c", "a:*ABCD", "<2>", ":* x", "zzprefixzz",
    "%", "_", "$1 :name %(x)s %s {0} {x}", ";--", "/*", "\0", "a\0b", "\ud800", "\ue000 \ue001 \ue002", "\u200b",
    "x" * 5000, "\u00e9" * 3000, "a " * 5000, "(" * 3000, '"' * 3001, "-a " * 500, "\u0301\u0316" * 5000,
    "\U0001f600", "\u5317\u4eac", "http://a.b/c?d=e&f", "a@b.c", "1e400 -1 +1 0x1", "<b>&amp;</b>",
)  # fmt: skip


class SearchIndexContract:
    """Override the fixture `index`, and `store` where the backend keeps only a part of a document itself."""

    @pytest.fixture
    def index(self) -> SearchIndex:
        """An empty index."""
        raise NotImplementedError

    def store(self, document: IndexedDocument) -> None:
        """Called before each upsert: make the document exist wherever else the backend reads."""

    @pytest.fixture(name="filled")
    def _filled(self, index: SearchIndex) -> SearchIndex:
        """An index that holds `LETTER` and `INVOICE`."""
        for document in (LETTER, INVOICE):
            self.put(index, document)
        return index

    def put(self, index: SearchIndex, document: IndexedDocument) -> None:
        self.store(document)
        index.upsert(document)

    def put_texts(self, index: SearchIndex, *texts: str, language: str = "eng", first_id: int = 10) -> None:
        """A document of one page for each text, with ids from `first_id` on."""
        for number, text in enumerate(texts, first_id):
            document = replace(LETTER, id=number, name=f"{number}.pdf", extracted_doc_number=None)
            self.put(index, replace(document, languages=(language,), pages=(IndexedPage(1, text),)))

    def test_is_declared_under_its_name(self, index: SearchIndex) -> None:
        (point,) = {point.value: point for point in entry_points(group=GROUP, name=index.name)}.values()
        assert point.load() is type(index)

    def test_text_is_found_on_its_page(self, filled: SearchIndex) -> None:
        (hit,) = filled.search(SearchQuery("lampiran")).hits
        assert (hit.document_id, hit.page, hit.name) == (LETTER.id, 2, LETTER.name)
        assert hit.extracted_doc_number == LETTER.extracted_doc_number

    @pytest.mark.parametrize(
        ("text", "documents"),
        [
            ("MESIN Pemotong", {1}),
            ("mesin machines", set()),
            ("mesin OR machines", {1, 2}),
            ("mesin kertas OR paper cutting", {1, 2}),
            ("mesin kertas OR paper nowhere", {1}),
            ('"pemotong kertas"', {1}),
            ('"kertas pemotong"', set()),
            ('"paper cutting', {2}),
            ("paper -contracts", set()),
            ("paper -mesin", {2}),
            ('mesin -"daftar mesin"', {1}),
            ("pemot*", {1}),
            ("mach* inv*", {2}),
            ('"mesin pemot*"', {1}),
            ("mesin -jadw* -daft*", set()),
            ("nowhere", set()),
            ("-mesin", set()),
            ("mesin OR -paper", {1}),
        ],
    )
    def test_operators(self, filled: SearchIndex, text: str, documents: set[int]) -> None:
        assert found(filled, text) == documents

    @pytest.mark.parametrize(
        "text",
        [
            "045/2026/DIR-ARSIP",
            "dir-arsip",
            "DIR",
            "045/2026*",
            '"2026 DIR"',
            "POJK",
            "31/POJK.05/2016",
            "surat-keluar",
        ],
    )
    def test_numbers_and_names_are_found_by_their_parts(self, filled: SearchIndex, text: str) -> None:
        assert found(filled, text) == {LETTER.id}

    def test_parts_of_a_number_must_follow_each_other(self, filled: SearchIndex) -> None:
        assert found(filled, "2026/045") == set()

    @pytest.mark.parametrize(
        ("language", "text", "query"),
        [
            ("eng", "The machines were maintained", "machine maintaining"),
            ("ind", "Pemeliharaan mesin", "memelihara"),
            ("ind", "Kami sudah memelihara mesin", "pemeliharaan"),
            ("deu", "Die Rechnungen liegen bei", "rechnung"),
            ("fra", "Les factures jointes", "facture"),
        ],
    )
    def test_other_forms_of_a_word_are_found(self, index: SearchIndex, language: str, text: str, query: str) -> None:
        self.put_texts(index, text, language=language)
        assert found(index, query) == {10}

    def test_both_languages_of_a_document_count(self, filled: SearchIndex) -> None:
        self.put(
            filled, replace(LETTER, id=7, languages=("eng", "ind"), pages=(IndexedPage(1, "Pemeliharaan letters"),))
        )
        assert found(filled, "memelihara letter") == {7}

    def test_not_excludes_every_form_of_a_word(self, index: SearchIndex) -> None:
        self.put_texts(index, "one letter of thanks", "two letters of thanks", "three words of thanks")
        for excluded in ("letter", "letters"):
            assert found(index, f"thanks -{excluded}") == {12}

    def test_a_stop_word_is_found_when_nothing_else_is_asked(self, index: SearchIndex) -> None:
        self.put_texts(index, "the and of", "nothing of that kind")
        assert found(index, "the") == {10}
        assert found(index, "the nothing") == {11}

    def test_upsert_replaces(self, filled: SearchIndex) -> None:
        self.put(filled, replace(LETTER, name="neu.pdf", pages=(IndexedPage(2, "Anggaran baru"),)))
        assert found(filled, "mesin OR keluar") == set()
        assert [(hit.page, hit.name) for hit in filled.search(SearchQuery("anggaran")).hits] == [(2, "neu.pdf")]

    def test_delete_forgets(self, filled: SearchIndex) -> None:
        filled.delete([LETTER.id, 4711])
        filled.delete([])
        assert found(filled, "mesin OR machines") == {INVOICE.id}

    def test_it_tells_the_pages_that_it_holds(self, filled: SearchIndex) -> None:
        assert filled.pages([1, 2, 4711]) == {1: {1, 2}, 2: {1}}
        filled.delete([1])
        assert filled.pages([1, 2]) == {2: {1}}
        assert filled.pages([]) == {}

    def test_a_document_without_text_has_a_first_page(self, index: SearchIndex) -> None:
        self.put(index, replace(LETTER, pages=()))
        assert index.pages([1]) == {1: {1}}

    def test_a_document_without_text_is_found_by_its_name(self, index: SearchIndex) -> None:
        self.put(index, replace(LETTER, name="foto gudang.jpg", pages=()))
        (hit,) = index.search(SearchQuery("gudang")).hits
        assert (hit.page, hit.snippet.text, hit.snippet.marks) == (1, "", ())

    @pytest.mark.parametrize(
        ("filters", "documents"),
        [
            ({"number": "045/20"}, {1}),
            ({"number": "inv-2024-0017"}, {2}),
            ({"number": "2024"}, set()),
            ({"number": "INV_2024"}, set()),
            ({"status": "PARTIAL"}, {2}),
            ({"name": "SURAT*"}, {1}),
            ({"name": "*.pdf"}, {1, 2}),
            ({"name": "surat-keluar?2026.pdf"}, {1}),
            ({"name": "invoice 100%.pdf"}, {2}),
            ({"name": "%"}, set()),
            ({"name": "surat"}, set()),
            ({"since": date(2026, 3, 16)}, {2}),
            ({"until": date(2026, 3, 15)}, {1}),
            ({"since": date(2026, 3, 15), "until": date(2026, 4, 1)}, {1, 2}),
            ({"since": date(2026, 3, 16), "until": date(2026, 3, 31)}, set()),
        ],
    )
    def test_filters(self, filled: SearchIndex, filters: dict[str, object], documents: set[int]) -> None:
        assert {hit.document_id for hit in query(filled, "mesin OR machines", **filters)} == documents

    def test_best_document_first_and_its_best_page_first(self, index: SearchIndex) -> None:
        pages = ("some cutting", "cutting cutting cutting", "nothing", "cutting and cutting")
        self.put(index, replace(LETTER, id=20, pages=[IndexedPage(n, text) for n, text in enumerate(pages, 1)]))
        self.put_texts(index, "one cutting among a number of other words")
        results = index.search(SearchQuery("cutting", pages_per_document=2))
        assert [(hit.document_id, hit.page) for hit in results.hits] == [(20, 2), (20, 4), (10, 1)]
        assert results.hits[0].score >= results.hits[1].score

    def test_name_counts_more_than_text(self, index: SearchIndex) -> None:
        self.put_texts(index, "kontrak kontrak kontrak")
        self.put(index, replace(LETTER, id=20, name="kontrak.pdf"))
        assert [hit.document_id for hit in query(index, "kontrak")] == [20, 10]

    def test_pages_of_results_are_pages_of_documents(self, index: SearchIndex) -> None:
        texts = ["paper", "paper paper", "paper paper paper"]
        for number in range(30, 37):
            self.put(index, replace(LETTER, id=number, pages=[IndexedPage(n, text) for n, text in enumerate(texts)]))
        seen: list[int] = []
        for offset in (0, 3, 6):
            results = index.search(SearchQuery("paper", limit=3, offset=offset, pages_per_document=2))
            assert results.documents == 7
            seen += dict.fromkeys(hit.document_id for hit in results.hits)
            assert len(results.hits) == 2 * min(3, 7 - offset)
        assert sorted(seen) == list(range(30, 37)), "a document is shown twice or never"
        assert index.search(SearchQuery("paper", offset=7)).documents == 7, "the total is lost behind the last page"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("mesin", ["mesin"]),
            ("POJK", ["POJK"]),
            ("31/POJK.05/2016", ["31", "POJK", "05", "2016"]),
            ("daft* lampiran", ["Lampiran", "daftar"]),
        ],
    )
    def test_marks_point_at_the_words(self, filled: SearchIndex, text: str, words: Sequence[str]) -> None:
        hit = next(hit for hit in query(filled, text) if hit.page == 2)
        assert marked(hit) == words

    def test_other_forms_are_marked_too(self, filled: SearchIndex) -> None:
        (hit,) = query(filled, "memelihara")
        assert marked(hit) == ["pemeliharaan"]

    def test_snippet_is_a_short_piece_of_the_text_around_the_match(self, index: SearchIndex) -> None:
        filler = "Seluruh kepala bagian diminta memeriksa (lampiran),\n\n dan memberi tanggapan. " * 40
        self.put_texts(index, f"{filler} Harga: Rp1.500.000,-  untuk\n\tmesin-mesin <b>&amp; suku cadang</b> {filler}")
        (hit,) = query(index, "cadang")
        assert marked(hit) == ["cadang"]
        assert "untuk mesin-mesin <b>&amp; suku cadang" in hit.snippet.text
        assert 8 <= len(hit.snippet.text.split()) <= 45

    @pytest.mark.parametrize(
        ("text", "query"),
        [
            ("\u00c9COLE des B\u00e9ton", "\u00e9cole"),
            ("cole\u0301 re\u0301sume\u0301", "r\u00e9sum\u00e9"),
            ("\ufb01le \ufb02ow", "file"),
            ("\u201cLaporan\u201d \u2013 akhir\u2026", "laporan akhir"),
            ("\u2022\u00a0Laporan\u00a0akhir", "laporan"),
            ("\u0414\u043e\u0433\u043e\u0432\u043e\u0440 \u2116 5", "\u0434\u043e\u0433\u043e\u0432\u043e\u0440"),
            ("\u0939\u093f\u0928\u094d\u0926\u0940 \u092a\u0924\u094d\u0930", "\u0939\u093f\u0928\u094d\u0926\u0940"),
            ("\u5317\u4eac \u5927\u5b66", "\u5317\u4eac"),
        ],
    )
    def test_letters_of_every_script(self, index: SearchIndex, text: str, query: str) -> None:
        self.put_texts(index, text, language="jpn")
        assert found(index, query) == {10}

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
    def test_no_string_is_an_error(self, filled: SearchIndex, text: str) -> None:
        for typed in (text, f"mesin {text}", f'"mesin {text}', f"-{text} mesin", f"{text}*"):
            results = filled.search(SearchQuery(typed, name="*"))
            assert results.documents >= len({hit.document_id for hit in results.hits})

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
    def test_no_filter_is_an_error(self, filled: SearchIndex, text: str) -> None:
        filled.search(SearchQuery("mesin", name=text, number=text, status=text))

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
    def test_no_text_of_a_page_is_an_error(self, index: SearchIndex, text: str) -> None:
        self.put_texts(index, f"before {text} after")
        assert found(index, "before") == {10}

    def test_a_page_of_five_megabytes(self, index: SearchIndex) -> None:
        words = " ".join(f"w{number:x}" for number in range(700_000))
        self.put_texts(index, f"beginning {words}")
        assert found(index, "beginning") == {10}


def query(index: SearchIndex, text: str, **filters: object) -> Sequence[SearchHit]:
    return index.search(replace(SearchQuery(text), **filters)).hits  # type: ignore[arg-type]


def found(index: SearchIndex, text: str) -> set[int]:
    return {hit.document_id for hit in query(index, text)}


def marked(hit: SearchHit) -> list[str]:
    return [hit.snippet.text[start:stop] for start, stop in hit.snippet.marks]
