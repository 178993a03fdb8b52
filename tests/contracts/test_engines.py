"""Every engine of this project against the contract that third parties' engines are held to, with its real models."""

from importlib.metadata import distribution
from typing import Any, ClassVar

import pytest

from engines.contract_suite import OcrEngineContract
from engines.registry import GROUP
from tests.parts import require_package


@pytest.fixture(scope="module")
def easyocr_is_installed() -> None:
    require_package("easyocr", "pip install '.[easyocr]'")


@pytest.fixture(scope="module")
def rapidocr_is_installed() -> None:
    require_package("rapidocr", "pip install '.[rapidocr]'")


class TestTesseract(OcrEngineContract):
    name = "tesseract"


class TestTesseractWithEverything(OcrEngineContract):
    name = "tesseract"
    options: ClassVar[dict[str, Any]] = {"page_segmentation": 1, "user_words": ["Every", "archive"]}


@pytest.mark.usefixtures("rapidocr_is_installed")
class TestRapidOcr(OcrEngineContract):
    name = "rapidocr"


@pytest.mark.usefixtures("easyocr_is_installed")
class TestEasyOcrOnTheCpu(OcrEngineContract):
    name = "easyocr"
    options: ClassVar[dict[str, Any]] = {"device": "cpu", "canvas": 1000}


class TestNull(OcrEngineContract):
    name = "null"
    reads_text = False
    has_languages = False


def test_no_engine_is_left_out() -> None:
    declared = {point.name for point in distribution("arsip").entry_points.select(group=GROUP)}
    tested = {suite.name for suite in OcrEngineContract.__subclasses__() if suite.__module__ == __name__}
    assert declared == tested
