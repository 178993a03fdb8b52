"""The engine against the contract that arsip holds all engines to."""

from engines.contract_suite import OcrEngineContract


class TestTesseractCommand(OcrEngineContract):
    name = "tesseract-command"
