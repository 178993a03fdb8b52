import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines import turning
from engines.errors import EngineUnavailable, LanguageMissing, RecognitionFailed
from engines.registry import build_engine
from engines.specimen import LINES, MARGIN, TEXT_HEIGHT, drawn, share_found
from engines.tessdata import Tessdata
from engines.types import PageImage, Recognition

UNLV_PAGES = ("0216_007.3B", "0146_094.3B", "0182_011.3B")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of language data that goes before all others."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("TESSDATA_PREFIX", str(folder))
    return folder


def english() -> Path:
    return Tessdata(["eng"]).folder / "eng.traineddata"


def recognize(image: PageImage, *, languages: tuple[str, ...] = ("eng",), **options: object) -> Recognition:
    with build_engine("tesseract", options, languages) as engine:
        return engine.recognize([image])[0]


def test_languages_from_several_folders_are_read_together(data: Path) -> None:
    # Two languages, one model: what is under test is that both are loaded.
    (data / "xen.traineddata").symlink_to(english())
    found = recognize(drawn(LINES[0])[0], languages=("eng", "xen"))
    assert found.text == LINES[0]


def test_links_are_gone_after_close(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "xen.traineddata").symlink_to(english())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with build_engine("tesseract", {}, ["eng", "xen"]):
        assert len(list(scratch.iterdir())) == 1
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("languages", [("eng", "xbad"), ("xbad", "eng"), ("xbad",)])
def test_damaged_language_data_is_an_error_and_not_left_out(data: Path, languages: tuple[str, ...]) -> None:
    (data / "xbad.traineddata").write_bytes(b"damaged" * 1000)
    engine = build_engine("tesseract", {}, languages)
    with pytest.raises(EngineUnavailable, match=rf"cannot load {data}/xbad\.traineddata: damaged"):
        engine.open()


def test_paragraphs_are_told_apart() -> None:
    # Lines of one length: Tesseract takes a short line for the end of a paragraph.
    blocks = [["paper of the first paragraph"] * 3, ["paper of the other paragraph"] * 3]
    pages = [drawn(*block)[0] for block in blocks]
    found = recognize(PageImage(np.vstack([page.pixels for page in pages]), pages[0].dpi))
    assert found.text == "\n\n".join("\n".join(block) for block in blocks)


def test_a_page_does_not_depend_on_those_before_it() -> None:
    first, second = drawn(*LINES)[0], drawn("Something else altogether", "12,345.67 and 89")[0]
    with build_engine("tesseract", {}, ["eng"]) as engine:
        alone = engine.recognize([first])
        engine.recognize([second, second])
        assert engine.recognize([first]) == alone


@pytest.mark.parametrize("width", [1000, 999])
def test_a_page_in_black_and_white_reads_as_one_in_grey(width: int) -> None:
    page, _ = drawn(*LINES)
    black_and_white = np.where(page.pixels[:, :width] < 128, 0, 255).astype(np.uint8)
    grey = black_and_white.copy()
    grey[0, 0] = 254
    found = recognize(PageImage(black_and_white, page.dpi))
    assert share_found(found, " ".join(LINES)) == 1
    assert found == recognize(PageImage(grey, page.dpi))


def test_orientation_mode_turns_a_page_upright_and_keeps_its_boxes() -> None:
    lines = [*LINES, "or a person comes along", "who looks for a number"]
    page, _ = drawn(*lines)
    upside_down = PageImage(np.ascontiguousarray(page.pixels[::-1, ::-1]), page.dpi)
    found = recognize(upside_down, page_segmentation=1)
    assert share_found(found, " ".join(lines)) == 1
    first = next(found.words).box
    assert first.x1 == pytest.approx(page.width - MARGIN, abs=TEXT_HEIGHT / 2)
    assert first.y1 == pytest.approx(page.height - MARGIN, abs=TEXT_HEIGHT)


@pytest.mark.parametrize("mode", [0, 2, 14])
def test_modes_that_read_nothing_are_refused(mode: int) -> None:
    with pytest.raises(EngineUnavailable, match="page_segmentation"):
        build_engine("tesseract", {"page_segmentation": mode}, ["eng"])


def test_orientation_mode_needs_its_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copy(english(), tmp_path)
    monkeypatch.setattr("engines.tessdata.folders", lambda: [tmp_path])
    engine = build_engine("tesseract", {"page_segmentation": 1}, ["eng"])
    with pytest.raises(LanguageMissing, match=r"'osd'.*pip install tessdata"):
        engine.open()


def test_too_long_a_side_fails_with_what_to_do() -> None:
    with pytest.raises(RecognitionFailed, match=r"32767.*40000 x 8.*lower the dpi"):
        recognize(PageImage(np.full((8, 40_000), 255, dtype=np.uint8), 300))


def test_recognize_before_open() -> None:
    with pytest.raises(EngineUnavailable, match="not open"):
        build_engine("tesseract", {}, ["eng"]).recognize([drawn(LINES[0])[0]])


@pytest.mark.corpus
@pytest.mark.parametrize("page", UNLV_PAGES)
def test_real_pages_are_read(corpus: Path, page: str) -> None:
    file = corpus / "scans-gt/unlv-doe" / f"{page}.tif"
    with Image.open(file) as image:
        found = recognize(PageImage(np.asarray(image.convert("L")), dpi=300))
    truth = Counter(file.with_suffix(".txt").read_text(encoding="utf-8").split())
    read = Counter(word.text for word in found.words)
    assert (truth & read).total() / truth.total() >= 0.95


LETTER = [*LINES, "or a person comes along", "who looks for a number", "and finds it at once"]


@pytest.mark.parametrize("degrees", [0, 180, 270])
def test_a_page_that_lies_on_its_side_is_read_and_its_words_are_where_they_are(degrees: int) -> None:
    page, ink = drawn(*LETTER)
    found = recognize(turning.turned(page, degrees))
    assert share_found(found, " ".join(LETTER)) >= 0.9
    assert found.orientation == -degrees % 360
    boxes = [word.box for word in turning.turned_back(found, page, degrees).words]
    assert min(box.x0 for box in boxes) == pytest.approx(ink.x0, abs=TEXT_HEIGHT / 2)
    assert min(box.y0 for box in boxes) == pytest.approx(ink.y0, abs=TEXT_HEIGHT / 2)


@pytest.mark.parametrize("degrees", [-8, 7])
def test_sloping_lines_are_made_level(degrees: int) -> None:
    page, _ = drawn(*LETTER)
    tilted = Image.fromarray(page.pixels).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    image = PageImage(np.asarray(tilted), page.dpi)
    found = recognize(image)
    assert share_found(found, " ".join(LETTER)) >= 0.9
    assert share_found(found, " ".join(LETTER)) >= share_found(recognize(image, straighten=False), " ".join(LETTER))
    assert all(word.box.x1 <= image.width and word.box.y1 <= image.height for word in found.words)


def test_the_timings_say_what_each_look_took() -> None:
    page, _ = drawn(*LETTER)
    assert set(recognize(page).seconds) == {"first_look", "look_again"}
    assert "turn_upright" in recognize(turning.turned(page, 180)).seconds
    plain = {"turn_upright": False, "straighten": False, "look_again": False}
    assert set(recognize(turning.turned(page, 180), **plain).seconds) == {"first_look"}


def test_user_words_and_patterns_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine = build_engine("tesseract", {"user_words": ["Sejahtera"], "user_patterns": [r"\d\d\d/\A\*"]}, ["eng"])
    engine.open()
    (folder,) = tmp_path.glob("arsip-tesseract-*")
    assert (folder / "user_words_file").read_text() == "Sejahtera\n"
    assert engine._api.GetVariableAsString("user_patterns_file") == str(folder / "user_patterns_file")
    assert engine.recognize([drawn(LINES[0])[0]])[0].text == LINES[0]
    engine.close()
    assert not folder.exists()
