"""The tasks of the child: JSON in, JSON out."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import (
    CorruptPage,
    EmptyFile,
    EncryptedDocument,
    LanguageUnavailable,
    NotInstalled,
    UnsupportedType,
)  # fmt: skip
from pipeline.reading.pdf import PdfDocument
from pipeline.reading.tasks import is_blank, tasks
from pipeline.reading.types import EngineSpec, Limits, RasterRules, TextLayerRules
from tests.unit.pipeline.reading.documents import SENTENCE, drawn, image, line, pdf

LIMITS = asdict(Limits(max_pages=100, max_image_megapixels=100))
RULES = asdict(TextLayerRules(min_characters=50, margin=0.125, max_garbled=0.1, image_cover=0.7))
RASTER = asdict(RasterRules(dpi=300, max_megapixels=100, max_image_megapixels=100))


class Child:
    """Calls the tasks as the sandbox does: everything goes through JSON."""

    def __init__(self) -> None:
        self._tasks = tasks()

    def _call(self, task: str, file: Path, **arguments: object) -> Any:
        request = json.loads(json.dumps({"path": str(file), "limits": LIMITS, **arguments}))
        return json.loads(json.dumps(self._tasks[task](**request)))

    def inspect(self, file: Path) -> Any:
        return self._call("inspect", file)

    def read(self, file: Path, first: int, last: int) -> Any:
        return self._call("read_pages", file, first=first, last=last, tables=False, rules=RULES)

    def recognize(self, file: Path, number: int = 1, engine: str = "null", languages: str = "eng") -> Any:
        spec = asdict(EngineSpec(engine, {}, languages))
        drawn = self._call("draw_page", file, number=number, batch=[number], raster=RASTER, engine=spec)
        if drawn["blank"]:
            return drawn["blank"]
        (page,) = self._call("recognize_pages", file, numbers=[number], ahead=[], raster=RASTER, engine=spec)
        return page


@pytest.fixture
def child() -> Child:
    return Child()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "document"


def test_inspect_goes_by_the_bytes(child: Child, tmp_path: Path) -> None:
    (tmp_path / "letter.png").write_bytes(pdf("", ""))
    assert child.inspect(tmp_path / "letter.png") == {"media_type": "application/pdf", "page_count": 2}
    Image.new("1", (10, 10)).save(
        tmp_path / "letter.pdf", "TIFF", save_all=True, append_images=[Image.new("1", (9, 9))]
    )
    assert child.inspect(tmp_path / "letter.pdf") == {"media_type": "image/tiff", "page_count": 2}


def test_inspect_refuses(child: Child, file: Path) -> None:
    file.write_bytes(b"")
    with pytest.raises(EmptyFile):
        child.inspect(file)
    file.write_bytes(b"Dear Sir or Madam")
    with pytest.raises(UnsupportedType):
        child.inspect(file)


def test_read_pages_tells_each_page_apart(child: Child, file: Path) -> None:
    scan = drawn("I", 0, 0, 612, 792)
    content = pdf(
        line(100, 600, "text"), "", scan, line(9, 9, "lost"), resources="/XObject << /I 4 0 R >>", objects=[image()]
    )
    file.write_bytes(content.replace(b"11 0 R]", b"99 0 R]"))
    pages = child.read(file, 1, 4)
    assert [page["number"] for page in pages] == [1, 2, 3, 4]
    assert [(page["status"], page["method"]) for page in pages] == [
        ("DONE", "text_layer"), ("DONE", "blank"), ("PENDING", None), ("FAILED", None),
    ]  # fmt: skip
    assert pages[0]["words"][0][0] == "text"
    assert pages[3]["failure_code"] == "corrupt_page"
    assert "page 4" in pages[3]["failure_reason"]
    assert [page["number"] for page in child.read(file, 2, 3)] == [2, 3]


def test_a_lack_of_memory_is_no_fault_of_the_page(child: Child, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    file.write_bytes(pdf(""))
    monkeypatch.setattr(PdfDocument, "read_page", exhausted)
    with pytest.raises(MemoryError):
        child.read(file, 1, 1)


def test_another_document_is_opened_when_it_is_asked_for(child: Child, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(pdf(line(100, 600, name)))
    texts = [child.read(tmp_path / name, 1, 1)[0]["text"] for name in ("one", "two", "one")]
    assert texts == ["one", "two", "one"]


def test_recognized_words_lie_where_the_text_layer_has_them(child: Child, file: Path) -> None:
    file.write_bytes(pdf(line(100, 600, SENTENCE, size=14), keys="/Rotate 90 /CropBox [30 40 600 780]"))
    truth = {word[0]: word[1:5] for word in child.read(file, 1, 1)[0]["words"]}
    file.write_bytes(pdf(line(100, 600, SENTENCE, size=14), keys="/CropBox [30 40 600 780]"))
    upright = {word[0]: word[1:5] for word in Child().read(file, 1, 1)[0]["words"]}
    assert truth != upright
    page = Child().recognize(file, engine="tesseract")
    assert (page["status"], page["method"], page["engine"], page["languages"]) == ("DONE", "ocr", "tesseract", "eng")
    assert (page["width"], page["height"], page["unit"], page["dpi"]) == (570, 740, "pt", 300)
    assert page["text"] == SENTENCE
    for text, *corners, confidence in page["words"]:
        if text in {"best", "times,", "worst"}:
            assert corners == pytest.approx(upright[text], abs=2)
        assert 0 <= confidence <= 1
    assert page["confidence"] > 0.8
    assert page["timings"]["draw"] > 0.001
    assert page["duration_ms"] >= 1000 * (page["timings"]["draw"] + page["timings"]["recognize"]) - 1
    assert page["engine_version"]


def test_words_of_an_enlarged_picture_are_in_its_own_pixels(child: Child, tmp_path: Path) -> None:
    page = Image.new("L", (800, 1000), 255)
    ImageDraw.Draw(page).text((100, 200), "Receipt 4711", fill=0, font=ImageFont.load_default(24))
    page.save(tmp_path / "page.png")
    found = child.recognize(tmp_path / "page.png", engine="tesseract")
    assert found["text"] == "Receipt 4711"
    assert (found["width"], found["height"], found["unit"]) == (800, 1000, "px")
    first = found["words"][0]
    assert first[1:3] == pytest.approx([100, 206], abs=8)


def test_a_blank_page_is_an_empty_result(child: Child, file: Path) -> None:
    Image.new("RGB", (800, 1000), (250, 245, 230)).save(file, "PNG")
    page = child.recognize(file)
    assert (page["status"], page["method"], page["text"], page["words"]) == ("DONE", "blank", "", [])
    assert page["confidence"] is None


def test_errors_of_one_page_and_of_the_engine(child: Child, file: Path) -> None:
    file.write_bytes(pdf(line(100, 600, "text")).replace(b"/Kids [4 0 R]", b"/Kids [9 0 R]"))
    with pytest.raises(CorruptPage):
        child.recognize(file)
    file.write_bytes(pdf(line(100, 600, "text")))
    with pytest.raises(LanguageUnavailable, match="xyz"):
        Child().recognize(file, engine="tesseract", languages="eng+xyz")
    with pytest.raises(NotInstalled, match="nonesuch"):
        Child().recognize(file, engine="nonesuch")


PAPER = np.full((3508, 2480), 250, dtype=np.uint8)


def with_word(paper: np.ndarray, at: tuple[int, int], contrast: int) -> np.ndarray:
    page = Image.fromarray(paper)
    ink = int(paper[at[1], at[0]]) - contrast
    ImageDraw.Draw(page).text(at, "draft", fill=ink, font=ImageFont.load_default(36))
    return np.asarray(page)


@pytest.mark.parametrize("at", [(1200, 1700), (2390, 10), (5, 3460)])
@pytest.mark.parametrize("contrast", [20, 250])
def test_one_faint_word_is_no_blank_page(at: tuple[int, int], contrast: int) -> None:
    assert not is_blank(with_word(PAPER, at, contrast))


def test_noise_shade_and_a_speck_are_blank() -> None:
    noise = np.random.default_rng(1).normal(0, 3, PAPER.shape)
    shade = np.linspace(0, 120, PAPER.shape[1])
    page = np.clip(PAPER - shade + noise, 0, 255).astype(np.uint8)
    page[100:103, 100:103] = 0
    assert is_blank(page)
    assert not is_blank(with_word(page, (1200, 1700), 40))


@pytest.mark.parametrize("shape", [(1, 1), (10, 70), (70, 10), (64, 64)])
def test_small_pictures_have_ink_too(shape: tuple[int, int]) -> None:
    page = np.full(shape, 255, dtype=np.uint8)
    assert is_blank(page)
    if page.size > 100:
        page[-4:, -4:] = 0
        assert not is_blank(page)


@pytest.mark.corpus
def test_real_documents_with_passwords(child: Child, corpus: Path) -> None:
    manifest = (corpus / "hostile/manifest.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(entry) for entry in manifest]
    locked = [entry for entry in entries if entry["class"] == "password-required"]
    openable = [entry for entry in entries if entry["class"] == "encrypted-empty-user-password"]
    assert len(locked) > 10
    assert len(openable) > 10
    for entry in locked:
        with pytest.raises(EncryptedDocument):
            child.inspect(corpus / "hostile" / entry["file"])
    for entry in openable:
        assert child.inspect(corpus / "hostile" / entry["file"])["page_count"] == entry["pages"]
