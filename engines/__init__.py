"""OCR engines: the contract, its types, and the engines that arsip ships."""

from engines.contract import EngineOptions, OcrEngine
from engines.errors import EngineError, EngineUnavailable, LanguageMissing, RecognitionFailed
from engines.types import Box, Line, PageImage, Recognition, Word

__all__ = [
    "Box",
    "EngineError",
    "EngineOptions",
    "EngineUnavailable",
    "LanguageMissing",
    "Line",
    "OcrEngine",
    "PageImage",
    "Recognition",
    "RecognitionFailed",
    "Word",
]
