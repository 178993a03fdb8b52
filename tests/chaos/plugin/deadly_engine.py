"""An OCR engine that kills its process on every page, as a broken native library does."""

import os
import signal
from collections.abc import Sequence

from engines.contract import OcrEngine
from engines.types import PageImage, Recognition


class DeadlyEngine(OcrEngine):
    name = "deadly"

    @property
    def version(self) -> str:
        return "1"

    def open(self) -> None:
        """There is nothing to load."""

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """There is nothing to give back."""
