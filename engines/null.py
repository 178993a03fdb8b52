"""The engine that reads nothing: for dry runs, and proof that the contract can be met in a screenful."""

from collections.abc import Sequence

from engines.contract import OcrEngine
from engines.types import PageImage, Recognition


class NullEngine(OcrEngine):
    name = "null"

    @property
    def version(self) -> str:
        return "1"

    def open(self) -> None:
        """There is nothing to load."""

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [Recognition() for _ in images]

    def close(self) -> None:
        """There is nothing to give back."""
