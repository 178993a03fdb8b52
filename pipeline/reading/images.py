"""Image files by Pillow, as upright 8-bit grey; a multi-page TIFF has a page per frame, all others have one."""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

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

LYING = {5, 6, 7, 8}
"""Values of the orientation tag with which rows and columns change places."""
A4_LONG_INCHES = 11.69
LIKELY_DPI = (100.0, 600.0)
"""What scanners and cameras make of a page; 72 and 96 are defaults that nobody meant."""
GUESSED_DPI = (50.0, 600.0)
STRETCH = (1.2, 3.0)
"""Ratio of the two resolutions from which dots are made square, and up to which it is believed; a fax has 204 x 98."""
LARGEST_ENLARGEMENT = 2.0
"""Of a picture of low resolution. On 100-dpi forms it raised Tesseract's word recall from 0.71 to 0.86."""

LARGEST_DPI = 400.0
"""A picture above it is reduced: on 600-dpi scans of old print Tesseract had fewer words wrong so, and was faster."""

BROKEN_FRAMES = 8
"""So many frames in a row that cannot be read end the search for more."""

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, OverflowError, LookupError, TypeError, struct.error)
"""What Pillow raises for broken files; which of them depends on the format's plug-in."""


class ImageDocument(OpenDocument):
    """The file is opened anew for each page: an open picture would keep all its pixels in memory."""

    def __init__(self, path: Path, media_type: str, limits: Limits) -> None:
        self.media_type = media_type
        self._path = path
        # The size is checked here, with a message of our own, before anything is decoded.
        Image.MAX_IMAGE_PIXELS = None
        try:
            with self._picture() as picture:
                first = picture.size
                self._pages = _count(picture, limits.max_pages) if media_type == "image/tiff" else 1
            if self._pages == 1:
                _check_size(first, limits.max_image_megapixels)
        except _UNREADABLE as error:
            raise CorruptDocument(f"the {FORMATS[media_type]} picture is damaged ({_reason(error)})") from error

    @contextmanager
    def _picture(self) -> Iterator[Image.Image]:
        # An open file and not its path: Pillow maps a plain TIFF of which it knows the path into memory,
        # and then reads the rows of one that lies on its side with the wrong length.
        with self._path.open("rb") as file, Image.open(file, formats=[FORMATS[self.media_type]]) as picture:
            yield picture

    @property
    def page_count(self) -> int:
        return self._pages

    def close(self) -> None:
        """Nothing stays open."""

    def read_page(self, number: int, rules: TextLayerRules, *, tables: bool) -> PageReading:  # noqa: ARG002
        return PageReading(number=number, status=PageStatus.PENDING)

    def raster(self, number: int, rules: RasterRules) -> Raster:
        notes: list[str] = []
        with _translated(), self._picture() as picture:
            picture.seek(number - 1)
            _check_size(picture.size, rules.max_image_megapixels)
            width, height = picture.size
            dpi = resolution(picture)
            across, down = _scales(width, height, dpi, rules, notes)
            if self.media_type == "image/jpeg" and across < 1:
                # The decoder itself skips detail; the rest is done below.
                picture.draft("L", (math.ceil(width * across), math.ceil(height * down)))
            grey = _grey(picture)
            size = max(1, round(width * across)), max(1, round(height * down))
            if grey.size != size:
                grey = grey.resize(
                    size, Image.Resampling.BICUBIC if max(across, down) > 1 else Image.Resampling.LANCZOS
                )
            # A TIFF has no such tag any more: Pillow turns it when it decodes it.
            if grey.getexif().get(ExifTags.Base.Orientation) in LYING:
                width, height = height, width
            pixels = np.array(ImageOps.exif_transpose(grey), dtype=np.uint8)
        image = PageImage(pixels, dpi[0] * across)
        return Raster(image=image, width=float(width), height=float(height), unit="px", notes=notes)


def _count(picture: Image.Image, most: int) -> int:
    """Frames of a TIFF, found by seeking; a broken one counts, and fails alone when it is read.

    Where the chain of frames itself is broken, every further one seems to be: then only the first of them counts.
    """
    count = good = 1
    while True:
        try:
            picture.seek(count)
        except EOFError:
            return count
        except _UNREADABLE:
            if count - good >= BROKEN_FRAMES:
                return good + 1
        else:
            good = count + 1
        count += 1
        if count > most:
            raise TooLarge(f"the TIFF has more pages than ARSIP_MAX_PAGES={most}; split it or raise it")


def resolution(picture: Image.Image) -> tuple[float, float]:
    """Dots per inch across and down: those that the file states if they are likely, else a guess.

    The guess takes the longer side for that of an A4 page.
    """
    try:
        # A PNG states dots per metre: 200 dpi come back as 199.9.
        across, down = (round(float(stated)) for stated in picture.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        across = down = 0
    larger, smaller = max(across, down), min(across, down)
    if LIKELY_DPI[0] <= larger <= LIKELY_DPI[1] and larger <= smaller * STRETCH[1]:
        return (across, down) if larger >= smaller * STRETCH[0] else (larger, larger)
    guess = min(max(max(picture.size) / A4_LONG_INCHES, GUESSED_DPI[0]), GUESSED_DPI[1])
    return guess, guess


def _scales(
    width: int, height: int, dpi: tuple[float, float], rules: RasterRules, notes: list[str]
) -> tuple[float, float]:
    """Enlarge a picture of low resolution, make its dots square, and reduce one above the limits and say so."""
    square = max(dpi)
    wished = min(1.0, LARGEST_DPI / square)
    if square < rules.enlarge_below_dpi:
        wished = min(LARGEST_ENLARGEMENT, rules.dpi / square)
    across, down = wished * square / dpi[0], wished * square / dpi[1]
    width, height = round(width * across), round(height * down)
    fitting = min(math.sqrt(rules.max_megapixels * 1e6 / (width * height)), MAX_SIDE / max(width, height), 1.0)
    if fitting < 1 and wished * fitting < 1:
        limits = f"limit of {rules.max_megapixels} megapixels and {MAX_SIDE:,} pixels a side"
        notes.append(f"raster lowered to {wished * fitting:.0%} of the picture's size: {limits}")
    return across * fitting * rules.scale, down * fitting * rules.scale


def _check_size(size: tuple[int, int], max_megapixels: int) -> None:
    width, height = size
    if width * height > max_megapixels * 1_000_000:
        raise TooLarge(
            f"the picture has {width:,} x {height:,} pixels, more than ARSIP_MAX_IMAGE_MEGAPIXELS={max_megapixels}; "
            "scale it down or raise the limit"
        )


def _grey(picture: Image.Image) -> Image.Image:
    """Any mode as 8-bit grey with the orientation kept; what is transparent becomes white."""
    picture.load()
    exif = picture.getexif()
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;"):
        grey = Image.fromarray(_to_8_bit(np.asarray(picture)))
    elif picture.has_transparency_data:
        grey = _on_paper(picture)
    elif picture.mode in {"LAB", "HSV"}:
        # In both, one band is the lightness.
        grey = picture.getchannel(0 if picture.mode == "LAB" else 2)
    else:
        grey = picture.convert("L")
    grey.getexif().update(exif)
    return grey


def _on_paper(picture: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(picture.mode, picture.mode)
    coloured = picture.convert(straight).convert("RGBA")
    if coloured.getchannel("A").getextrema() == (0, 0):
        # Nobody means a picture of nothing: the writer got its alpha channel wrong.
        return coloured.convert("RGB").convert("L")
    paper = Image.new("RGBA", coloured.size, "white")
    paper.alpha_composite(coloured)
    return paper.convert("L")


def _to_8_bit(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scaled so that the brightest value is white; black stays black, or a page of noise would get contrast."""
    values = np.nan_to_num(deep.astype(np.float32))
    low, high = min(0.0, float(values.min())), float(values.max())
    if high <= low:
        return np.zeros(values.shape, dtype=np.uint8)
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
