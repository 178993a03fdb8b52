"""The document number: a letter's `Nomor: 045/2026/DIR-ARSIP`, an invoice's, contract's, order's or regulation's.

Patterns are regular expressions over lines of words: lines as they were read, words that stand side by side on the
page (a label and its value in two columns), and a label with what stands right below it. Of all matches on the first
page that has one, the best counts: the pattern's weight, more where the label begins, less further down the page.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, field_validator

from pipeline.number_lines import Line, page_lines
from pipeline.reading.types import WordRow


class NumberPattern(BaseModel):
    """A document-number pattern: the group `number` of the regular expression is the number.

    The first page that has a match decides. Of its matches the one with the largest score counts: the pattern's
    `weight`, more at the beginning of a line, less further down the page.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    expression: str
    weight: float = 1.0

    @field_validator("expression")
    @classmethod
    def _compiles_with_group(cls, value: str) -> str:
        try:
            groups = re.compile(value, re.IGNORECASE).groupindex
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        if "number" not in groups:
            raise ValueError("the regular expression needs a group (?P<number>...)")
        return value


# OCR slips in labels: 0 for o, 1 or l for i, rn for m. Every part is bounded, and a value is never tried shorter.
_NUMBER = r"(?:(?:n[uo0](?:m|rn)(?:[bm]er|[o0]r)?|num[eé]ro|n[o0]|nr|n[°º]|id)(?![a-z])|[#№])"
_MARKS = r"[\s.:;#=_-]{0,12}"
_PART = r"[\w.&-]{1,40}"
_SLASHED = rf"\s?/\s?{_PART}(?:\s[\w.-]{{1,15}}(?=\s?/))?"
_FIRST = r"(?:[a-z]{1,5}(?:\s-\s|\.\s)(?=\d))?[a-z0-9][\w.&-]{0,40}"
_WHOLE = r"(?!@|,\d|\s?%)"
_VALUE = rf"(?P<number>(?>{_FIRST}(?:{_SLASHED}){{0,8}})){_WHOLE}"
_PARTED = rf"(?P<number>(?>{_FIRST}(?:{_SLASHED}){{1,8}})){_WHOLE}"
_SERIES = r"[a-z]{1,6}[/-]?\d[\w.-]{0,30}"
_INVOICE = (
    r"(?:[il1]nv(?:[o0][il1]ce)?|faktur|tagihan|kwitansi|facture|factuur|rechnungs?)"
    r"(?:\s(?:pajak|penjualan|ref(?:erence)?\.?))?"
)
_CONTRACT = r"(?:contract|agreement|k[o0]ntrak|perjanjian|spk)(?:\s[a-z]{3,12}){0,2}"
_ORDER = r"(?:purchase\s{1,3}order|p\.?o\.?|pesanan(?:\spembelian)?)"
_DOCUMENT = r"(?:document|doc\.?|dokumen|dok\.?|surat(?:\s(?:jalan|keputusan|perintah|tugas|edaran))?|memo|nota\sdinas)"
_RECEIPT = r"(?:receipt|bill|slip|nota|bukti(?:\s(?:pembayaran|kas|bayar))?|(?:sales\s)?order|booking)"
# What stands before a heading's number; in running text, a letter or regulation names another one.
_CAPITALS = r"(?-i:[^a-z]{0,99}(?<!\w))"
_CAPITALISED = r"(?-i:(?:[^\sa-z]\S{0,30}\s){0,9})"
_NOMOR = r"n[o0](?:m|rn)[o0]r"
_OF_YEAR = r"\d{1,4}\stahun\s(?:19|20)\d\d"
_REFERENCE = r"(?<!your )(?<!anda )\bref(?:erence|erensi)?\b\.?"

DEFAULT_PATTERNS: tuple[NumberPattern, ...] = tuple(
    NumberPattern(name=name, expression=expression, weight=weight)
    for name, expression, weight in (
        ("invoice", rf"\b{_INVOICE}\s?{_NUMBER}{_MARKS}{_VALUE}", 1.2),
        ("invoice", rf"\b{_NUMBER}(?:\s(?:seri|de))?{_MARKS}{_INVOICE}\b{_MARKS}{_VALUE}", 1.2),
        ("contract", rf"\b{_CONTRACT}\s?{_NUMBER}{_MARKS}{_VALUE}", 1.0),
        ("contract", rf"\b{_NUMBER}{_MARKS}{_CONTRACT}\b{_MARKS}{_VALUE}", 1.0),
        ("purchase_order", rf"\b{_ORDER}\s?{_NUMBER}{_MARKS}{_VALUE}", 0.95),
        ("purchase_order", rf"\b{_NUMBER}{_MARKS}{_ORDER}(?=\W){_MARKS}{_VALUE}", 0.95),
        ("regulation", rf"^\W{{0,9}}{_NOMOR}\s(?P<number>{_OF_YEAR})\W{{0,9}}$", 1.0),
        ("regulation", rf"^{_CAPITALS}{_NOMOR}\s(?P<number>{_OF_YEAR})\b(?-i:[^a-z]{{0,99}})$", 1.0),
        ("letter", rf"^{_CAPITALISED}{_NOMOR}\b{_MARKS}{_PARTED}", 1.0),
        ("letter", rf"^{_CAPITALS}n[o0]\b{_MARKS}{_PARTED}", 1.0),
        ("letter", rf"^\W{{0,3}}(?:{_NOMOR}|n[o0])\b\.?(?:\ssurat)?\s{{0,9}}[:;]{_MARKS}{_VALUE}", 0.9),
        ("document", rf"\b{_DOCUMENT}\s?{_NUMBER}{_MARKS}{_VALUE}", 0.9),
        ("document", rf"\b{_NUMBER}{_MARKS}{_DOCUMENT}\b{_MARKS}{_VALUE}", 0.9),
        ("reference", rf"{_REFERENCE}\s?{_NUMBER}{_MARKS}{_VALUE}", 0.85),
        ("reference", rf"{_REFERENCE}\s?[:;#]{{1,3}}\s?{_VALUE}", 0.8),
        ("receipt", rf"\b{_RECEIPT}\s?{_NUMBER}{_MARKS}{_VALUE}", 0.75),
        ("invoice", rf"\b{_INVOICE}\s(?P<number>(?>{_SERIES}(?:/{_PART}){{0,6}})){_WHOLE}", 0.7),
        ("invoice", rf"\b{_INVOICE}\s(?P<number>(?>[a-z]{{2,6}}(?:/{_PART}){{1,6}})){_WHOLE}", 0.7),
    )
)  # fmt: skip

AT_START = 0.3
PER_PAGE_HEIGHT = 0.5

_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](?:\d{2}|\d{4})|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}")
_NAMED_DATE = re.compile(
    r"\d{1,2}[./-](?:jan|feb|mar|apr|ma[iy]|jun|jul|aug|agu|sep|o[ck]t|nov|de[cs])[a-z]{0,7}[./-]\d{2,4}", re.IGNORECASE
)
_TAX_ID = re.compile(r"\d{2}\.?\d{3}\.?\d{3}\.?\d-?\d{3}\.?\d{3}")
_AMOUNT = re.compile(r"(?:rp|idr|usd|eur|gbp|sgd|myr|inr|rs)\.?\d[\d.]*|\d{1,3}(?:\.\d{3})*\.\d{2}", re.IGNORECASE)
_TELEPHONE = re.compile(r"0\d{1,3}-\d{5,8}|(?:08|628)[\d-]{8,13}")
_OFFICE = re.compile(r"[A-Z][A-Z.-]{1,15}")
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class PageText:
    number: int
    """From 1."""
    text: str
    words: Sequence[WordRow]
    """In reading order; empty where only the text is known."""


@dataclass(frozen=True, slots=True)
class DocumentNumber:
    value: str
    """Without blanks around slashes and hyphens; a regulation's is like `12 TAHUN 2019`."""
    page: int
    box: tuple[float, float, float, float] | None
    """Around the words of the value, in page units; None where the page has no boxes."""
    confidence: float | None
    """Of the least certain of these words."""
    pattern: str


def find_document_number(
    pages: Iterable[PageText], *, patterns: Sequence[NumberPattern] | None = None
) -> DocumentNumber | None:
    """The number of a document, from the first of its pages that states one.

    Args:
        patterns: instead of `DEFAULT_PATTERNS`; letters match in both cases.
    """
    expressions = [
        (pattern, re.compile(pattern.expression, re.IGNORECASE))
        for pattern in (DEFAULT_PATTERNS if patterns is None else patterns)
    ]
    for page in pages:
        found = [match for line in page_lines(page.text, page.words) for match in _matches(page, line, expressions)]
        if found:
            return max(found, key=lambda scored: scored[0])[1]
    return None


def _matches(
    page: PageText, line: Line, expressions: Sequence[tuple[NumberPattern, re.Pattern[str]]]
) -> Iterator[tuple[float, DocumentNumber]]:
    text = line.text
    if not _has_digit(text):
        return
    for pattern, expression in expressions:
        for match in expression.finditer(text):
            value = _tidied(match["number"])
            if not _plausible(value, pattern.name):
                continue
            start = AT_START if not text[: match.start()].strip(" -*•#") else 0.0
            words = [word for word in line.words_at(*match.span("number")) if word[3] > word[1]]
            yield (
                pattern.weight + start + line.bonus - PER_PAGE_HEIGHT * line.height,
                DocumentNumber(
                    value=value,
                    page=page.number,
                    box=_around(words) if words else None,
                    confidence=min(word[5] for word in words) if words else None,
                    pattern=pattern.name,
                ),
            )


def _tidied(value: str) -> str:
    value = re.sub(r"\s?([/-])\s?|(?<=[^\W\d]\.)\s(?=\d)", lambda blank: blank[1] or "", value).strip(" .:;,#-_/&")
    return re.sub(r"\s+tahun\s+", " TAHUN ", value, flags=re.IGNORECASE)


def _plausible(value: str, pattern: str) -> bool:
    """No number without a digit; no date, amount, tax id, telephone number, or mere house number or fraction."""
    if not _has_digit(value) or len(value) < 2:
        return False
    if any(other.fullmatch(value) for other in (_DATE, _NAMED_DATE, _TAX_ID, _AMOUNT)):
        return False
    if pattern == "letter":
        if "_" in value:
            return False
        parts = value.split("/")
        told = len(parts) > 2 or any(_YEAR.fullmatch(part) or _OFFICE.fullmatch(part) for part in parts)
        return told if len(parts) > 1 else len(value) > 2 and not _TELEPHONE.fullmatch(value)
    return len(value) > 2 or not value.isdigit()


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)


def _around(words: Sequence[WordRow]) -> tuple[float, float, float, float]:
    return (
        min(word[1] for word in words),
        min(word[2] for word in words),
        max(word[3] for word in words),
        max(word[4] for word in words),
    )
