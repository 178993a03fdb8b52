"""Every engine of this project against the contract that third parties' engines are held to."""

from importlib.metadata import distribution
from typing import ClassVar

from engines.contract_suite import OcrEngineContract
from engines.registry import GROUP


class TestTesseract(OcrEngineContract):
    name = "tesseract"


class TestTesseractTurningPagesUpright(OcrEngineContract):
    name = "tesseract"
    options: ClassVar[dict[str, int]] = {"page_segmentation": 1}


class TestNull(OcrEngineContract):
    name = "null"
    reads_text = False
    has_languages = False


def test_no_engine_is_left_out() -> None:
    declared = {point.name for point in distribution("arsip").entry_points.select(group=GROUP)}
    assert declared == {suite.name for suite in (TestTesseract, TestNull)}
