"""Image files by Pillow, as upright 8-bit grey; a multi-page TIFF has a page per frame, all others have one."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engines.types import PageImage
from pipeline.errors import CorruptDocument, CorruptPage, PermanentError, TooLarge
from pipeline.reading.documents import OpenDocument, Raster
from pipeline.reading.pdf import MAX_SIDE
from pipeline.reading.types import Limits, PageReading, RasterRules, TextLayerRules
from pipeline.states import PageStatus

FORMATS = {
    "image/tiff": "TIFF",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/gif": "GIF",
}

A4_LONG_INCHES = 11.69
LIKELY_DPI = (100.0, 600.0)
"""What scanners and cameras make of a page; a resolution that is stated outside it is not believed."""
LOW_DPI = 200.0
"""A picture below it is enlarged. On 100-dpi forms that raised Tesseract's word recall from 0.71 to 0.86."""
LARGEST_ENLARGEMENT = 2.0

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, UnidentifiedImageError, OverflowError, KeyError, TypeError)
"""What Pillow raises for broken files; which of them depends on the format's plug-in."""


class ImageDocument(OpenDocument):
    def __init__(self, path: Path, media_type: str, limits: Limits) -> None:
        self.media_type = media_type
        # The size is checked here, with a message of our own, before anything is decoded.
        Image.MAX_IMAGE_PIXELS = None
        try:
            self._image = Image.open(path, formats=[FORMATS[media_type]])
        except _UNREADABLE as error:
            raise CorruptDocument(f"the {FORMATS[media_type]} picture is damaged ({_reason(error)})") from error
        try:
            self._pages = self._count(limits.max_pages)
            if self._pages == 1:
                _check_size(self._image, limits.max_image_megapixels)
        except PermanentError:
            self.close()
            raise

    def _count(self, most: int) -> int:
        """Frames of a TIFF, found by seeking; a broken one counts, and fails alone when it is read."""
        if self.media_type != "image/tiff":
            return 1
        count = 1
        while True:
            try:
                self._image.seek(count)
            except EOFError:
                break
            except _UNREADABLE:
                count += 1
                break
            count += 1
            if count > most:
                raise TooLarge(f"the TIFF has more pages than ARSIP_MAX_PAGES={most}; split it or raise it")
        with _translated():
            self._image.seek(0)
        return count

    @property
    def page_count(self) -> int:
        return self._pages

    def close(self) -> None:
        self._image.close()

    def read_page(self, number: int, rules: TextLayerRules, *, tables: bool) -> PageReading:  # noqa: ARG002
        with _translated():
            self._image.seek(number - 1)
            width, height = _upright_size(self._image)
        return PageReading(
            number=number, status=PageStatus.PENDING, width=float(width), height=float(height), unit="px"
        )

    def raster(self, number: int, rules: RasterRules) -> Raster:
        with _translated():
            self._image.seek(number - 1)
            _check_size(self._image, rules.max_image_megapixels)
            width, height = _upright_size(self._image)
            dpi = stated_dpi(self._image) or guessed_dpi(width, height)
            notes: list[str] = []
            scale = _scale(width, height, dpi, rules, notes)
            if scale < 1 and self.media_type == "image/jpeg":
                # The decoder itself skips detail; the rest is done below.
                self._image.draft("L", (math.ceil(width * scale), math.ceil(height * scale)))
            grey = ImageOps.exif_transpose(_grey(self._image))
            size = max(1, round(width * scale)), max(1, round(height * scale))
            if grey.size != size:
                grey = grey.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX)
            pixels = np.array(grey, dtype=np.uint8)
        if scale < 1 and self.media_type == "image/jpeg":
            self._reopen()
        return Raster(PageImage(pixels, dpi * scale), width=float(width), height=float(height), unit="px", notes=notes)

    def _reopen(self) -> None:
        """A picture that was drafted stays small; the next raster starts from the file again."""
        name = self._image.filename
        self._image.close()
        self._image = Image.open(name, formats=["JPEG"])


def stated_dpi(image: Image.Image) -> float | None:
    """The resolution in the file, unless it is a default that nobody meant (72, 96) or out of the likely range."""
    stated = image.info.get("dpi")
    try:
        dpi = float(stated[0]) if stated else 0.0
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    return dpi if LIKELY_DPI[0] <= dpi <= LIKELY_DPI[1] else None


def guessed_dpi(width: int, height: int) -> float:
    """As if the longer side were that of an A4 page."""
    return min(max(max(width, height) / A4_LONG_INCHES, LIKELY_DPI[0] / 2), LIKELY_DPI[1])


def _scale(width: int, height: int, dpi: float, rules: RasterRules, notes: list[str]) -> float:
    """Enlarge a picture of low resolution; reduce one above the limits and say so."""
    wished = min(LARGEST_ENLARGEMENT, rules.dpi / dpi) if dpi < LOW_DPI else 1.0
    fitting = min(math.sqrt(rules.max_megapixels * 1e6 / (width * height)), (MAX_SIDE - 1) / max(width, height))
    if fitting < 1:
        notes.append(f"raster lowered to {fitting:.0%} of the picture's size: {rules.max_megapixels} megapixel limit")
    return min(wished, fitting)


def _check_size(image: Image.Image, max_megapixels: int) -> None:
    width, height = image.size
    if width * height > max_megapixels * 1_000_000:
        raise TooLarge(
            f"the picture has {width:,} x {height:,} pixels, more than ARSIP_MAX_IMAGE_MEGAPIXELS={max_megapixels}; "
            "scale it down or raise the limit"
        )


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    return (height, width) if turned else (width, height)


def _grey(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit grey; what is transparent becomes white, deeper grey is scaled by the range in use."""
    exif = image.getexif()
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        grey = Image.fromarray(_to_8_bit(np.asarray(image)))
    elif image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)
        coloured = image.convert(straight).convert("RGBA")
        paper = Image.new("RGBA", coloured.size, "white")
        paper.alpha_composite(coloured)
        grey = paper.convert("L")
    elif image.mode in {"LAB", "HSV"}:
        # In both, one band is the lightness.
        grey = image.getchannel(0 if image.mode == "LAB" else 2)
    else:
        grey = image.convert("L")
    grey.getexif().update(exif)
    return grey


def _to_8_bit(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = np.nan_to_num(deep.astype(np.float32))
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.full(values.shape, 255 if high > 0 else 0, dtype=np.uint8)
    return ((values - low) * (255.0 / (high - low))).astype(np.uint8)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PermanentError:
        raise
    except _UNREADABLE as error:
        raise CorruptPage(f"the picture is damaged ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its header makes no sense"
    return str(error).replace("\n", " ")[:200] or type(error).__name__
