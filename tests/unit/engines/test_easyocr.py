"""EasyOCR without a GPU: its plan for the memory of one, and what it does when that is not enough."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines import easyocr
from engines.easyocr import EasyOcrEngine, EasyOptions
from engines.errors import EngineUnavailable, LanguageMissing, RecognitionFailed
from engines.registry import build_engine
from engines.specimen import LINES, drawn
from engines.types import PageImage
from tests.parts import require_package


@pytest.fixture(autouse=True)
def _is_installed() -> None:
    require_package("easyocr", "pip install '.[easyocr]'")


def test_batch_and_canvas_follow_the_free_memory() -> None:
    options = EasyOptions()
    plans = [easyocr._plan(gib, options) for gib in (0.5, 2, 4, 8, 24)]
    batches, canvases = zip(*plans, strict=True)
    assert list(batches) == sorted(batches)
    assert list(canvases) == sorted(canvases)
    assert plans[0] == (1, easyocr.SMALLEST_CANVAS)
    assert plans[-1] == (easyocr.MOST_BOXES, easyocr.LARGEST_CANVAS)
    assert easyocr._plan(0.5, EasyOptions(batch_size=7, canvas=1500)) == (7, 1500), "what is set is not planned"


class OutOfGpuMemory:
    """A reader on a GPU that has room for so many text boxes on a canvas of so many pixels."""

    device = "cuda"

    def __init__(self, *, boxes: int, canvas: int) -> None:
        self._boxes = boxes
        self._canvas = canvas
        self.asked: list[tuple[int, int]] = []

    def readtext(self, pixels: Any, *, batch_size: int, canvas_size: int) -> list[Any]:
        import torch

        self.asked.append((batch_size, canvas_size))
        if batch_size > self._boxes or canvas_size > self._canvas:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [([[10, 10], [90, 10], [90, 30], [10, 30]], "two words", 0.8)]


def engine_with(reader: OutOfGpuMemory) -> EasyOcrEngine:
    engine = EasyOcrEngine(EasyOptions(), ["eng"])
    engine._reader = reader  # type: ignore[assignment]
    engine._batch_size, engine._canvas = 16, 2560
    return engine


PAGE = PageImage(np.full((100, 100), 255, dtype=np.uint8), 100)


def test_out_of_memory_halves_the_batch_and_the_page_is_read() -> None:
    reader = OutOfGpuMemory(boxes=4, canvas=2560)
    engine = engine_with(reader)
    first, second = engine.recognize([PAGE, PAGE])
    assert first.text == second.text == "two words"
    assert reader.asked == [(16, 2560), (8, 2560), (4, 2560), (4, 2560)], "the next page begins with what fitted"
    left, right = first.words
    assert (left.box.x0, right.box.x1) == (10, 90)
    assert left.box.x1 < right.box.x0


def test_a_batch_of_one_lowers_the_canvas() -> None:
    reader = OutOfGpuMemory(boxes=1, canvas=1300)
    assert engine_with(reader).recognize([PAGE])[0].text == "two words"
    assert reader.asked[-1] == (1, 1280)


def test_too_little_memory_for_anything_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(RecognitionFailed, match="fewer workers"):
        engine_with(OutOfGpuMemory(boxes=1, canvas=100)).recognize([PAGE])


def test_without_a_gpu_it_refuses_to_open_unless_told() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineUnavailable, match=r"nvidia-smi.*fall_back_to_cpu"):
        build_engine("easyocr", {}, ["eng"]).open()
    with build_engine("easyocr", {"fall_back_to_cpu": True, "canvas": 1000}, ["eng"]) as engine:
        assert engine.device == "cpu"
        assert engine.recognize([drawn(LINES[0])[0]])[0].text


def test_a_missing_model_is_named_and_not_downloaded(tmp_path: Path) -> None:
    options = {"device": "cpu", "models": str(tmp_path)}
    engine = build_engine("easyocr", options, ["eng"])
    assert engine.installed_languages() == []
    with pytest.raises(LanguageMissing, match=rf"{tmp_path}.*allow_download"):
        engine.open()
    with pytest.raises(LanguageMissing, match=r"ind.*allow_download"):
        build_engine("easyocr", {"device": "cpu"}, ["ind"]).open()
