"""Image files become upright grey rasters, whatever their mode, or fail with a reason."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.errors import CorruptDocument, CorruptPage, PermanentError, TooLarge
from pipeline.reading.documents import Raster, open_document
from pipeline.reading.types import Limits, RasterRules, TextLayerRules
from pipeline.states import PageStatus

LIMITS = Limits(max_pages=5, max_image_megapixels=10)
RASTER = RasterRules(dpi=300, max_megapixels=10, max_image_megapixels=10)
ORIENTATION = 0x0112


def raster(file: Path, number: int = 1, rules: RasterRules = RASTER) -> Raster:
    with open_document(file, LIMITS) as document:
        return document.raster(number, rules)


def marked(mode: str = "L", size: tuple[int, int] = (400, 600)) -> Image.Image:
    """A white page with a black mark in its upper left quarter."""
    page = Image.new("L", size, 255)
    ImageDraw.Draw(page).rectangle((40, 40, size[0] // 4, size[1] // 4), fill=0)
    return page.convert(mode)


def assert_marked(found: Raster) -> None:
    pixels = found.image.pixels
    height, width = pixels.shape
    assert pixels.dtype == np.uint8
    assert pixels[height // 6, width // 6] < 30
    for far in (pixels[height // 6, -10], pixels[-10, width // 6], pixels[-10, -10]):
        assert far > 225


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("1", "page.tif"), ("L", "page.tif"), ("LA", "page.png"), ("P", "page.gif"), ("P", "page.png"),
        ("RGB", "page.jpg"), ("RGBA", "page.webp"), ("CMYK", "page.jpg"), ("CMYK", "page.tif"),
        ("YCbCr", "page.tif"), ("I;16", "page.png"), ("I;16", "page.tif"), ("I", "page.tif"), ("F", "page.tif"),
        ("RGB", "page.bmp"), ("LAB", "page.tif"),
    ],
)  # fmt: skip
def test_every_mode_becomes_grey(tmp_path: Path, mode: str, name: str) -> None:
    if mode == "LAB":
        page = Image.merge("LAB", [marked(), Image.new("L", (400, 600), 128), Image.new("L", (400, 600), 128)])
    elif mode == "I;16":
        page = Image.fromarray(np.asarray(marked()).astype(np.uint16) * 257)
    elif mode == "F":
        page = Image.fromarray(np.asarray(marked()).astype(np.float32) / 255)
    else:
        page = marked(mode)
    page.save(tmp_path / name)
    assert_marked(raster(tmp_path / name))


def test_deep_grey_is_scaled_by_its_range(tmp_path: Path) -> None:
    # A scanner of 12 bits in a file of 16: plain division would make the page black.
    twelve_bits = np.asarray(marked()).astype(np.uint16) * 16
    Image.fromarray(twelve_bits).save(tmp_path / "page.tif")
    assert_marked(raster(tmp_path / "page.tif"))


def test_the_noise_of_deep_grey_paper_gets_no_contrast(tmp_path: Path) -> None:
    paper = np.random.default_rng(1).integers(59_000, 60_000, (600, 400), dtype=np.uint16)
    Image.fromarray(paper).save(tmp_path / "page.tif")
    assert raster(tmp_path / "page.tif").image.pixels.min() > 245


def test_what_is_transparent_is_paper(tmp_path: Path) -> None:
    page = Image.new("RGBA", (400, 600), (0, 0, 0, 0))
    page.paste((0, 0, 0, 255), (40, 40, 100, 150))
    page.save(tmp_path / "page.png")
    assert_marked(raster(tmp_path / "page.png"))


def test_a_page_that_is_wholly_transparent_is_drawn_all_the_same(tmp_path: Path) -> None:
    page = marked("RGBA")
    page.putalpha(0)
    page.save(tmp_path / "page.png")
    assert_marked(raster(tmp_path / "page.png"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["page.jpg", "page.tif", "page.png"])
def test_pages_are_turned_upright(tmp_path: Path, orientation: int, name: str) -> None:
    to_stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    page = marked()
    stored = page.transpose(to_stored[orientation]) if orientation > 1 else page
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / name, exif=exif)
    found = raster(tmp_path / name)
    assert (found.width, found.height, found.unit) == (400, 600, "px")
    assert found.image.height == found.image.width * 1.5
    assert_marked(found)


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    first, second = Image.new("L", (300, 400), 255), marked()
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[second])
    with open_document(tmp_path / "pages.tif", LIMITS) as document:
        assert document.page_count == 2
        assert_marked(document.raster(2, RASTER))
        assert document.raster(1, RASTER).image.pixels.min() == 255
        reading = document.read_page(2, TextLayerRules(50, 0.125, 0.1, 0.7), tables=False)
        assert (reading.number, reading.status) == (2, PageStatus.PENDING)


@pytest.mark.parametrize("name", ["moving.gif", "moving.png", "moving.webp"])
def test_a_moving_picture_is_its_first_frame(tmp_path: Path, name: str) -> None:
    marked("RGB").save(tmp_path / name, save_all=True, append_images=[Image.new("RGB", (400, 600), "black")])
    with open_document(tmp_path / name, LIMITS) as document:
        assert document.page_count == 1
        assert_marked(document.raster(1, RASTER))


def frames(file: Path) -> list[int]:
    """Offsets of the directories of a little-endian TIFF."""
    content = file.read_bytes()
    found = [struct.unpack_from("<I", content, 4)[0]]
    while True:
        entries = struct.unpack_from("<H", content, found[-1])[0]
        following = struct.unpack_from("<I", content, found[-1] + 2 + 12 * entries)[0]
        if not following:
            return found
        found.append(following)


def test_a_broken_page_of_a_tiff_fails_alone(tmp_path: Path) -> None:
    file = tmp_path / "pages.tif"
    marked().save(file, save_all=True, append_images=[marked(), marked()])
    content = bytearray(file.read_bytes())
    struct.pack_into("<H", content, frames(file)[1] + 2, 0xFFFE)  # the tag for the width becomes an unknown one
    file.write_bytes(content)
    with open_document(file, LIMITS) as document:
        assert document.page_count == 3
        assert_marked(document.raster(1, RASTER))
        with pytest.raises(CorruptPage, match="damaged"):
            document.raster(2, RASTER)
        assert_marked(document.raster(3, RASTER))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_tiff_whose_end_is_missing_keeps_its_first_pages(tmp_path: Path) -> None:
    file = tmp_path / "pages.tif"
    marked().save(file, save_all=True, append_images=[marked(), marked()])
    file.write_bytes(file.read_bytes()[: frames(file)[2] + 5])
    with open_document(file, LIMITS) as document:
        assert document.page_count == 3
        assert_marked(document.raster(2, RASTER))
        with pytest.raises(CorruptPage):
            document.raster(3, RASTER)


def test_a_circle_of_directories_ends(tmp_path: Path) -> None:
    file = tmp_path / "pages.tif"
    marked().save(file, save_all=True, append_images=[marked()])
    content = bytearray(file.read_bytes())
    first, last = frames(file)
    entries = struct.unpack_from("<H", content, last)[0]
    struct.pack_into("<I", content, last + 2 + 12 * entries, first)
    file.write_bytes(content)
    with open_document(file, LIMITS) as document:
        assert document.page_count == 2
        assert_marked(document.raster(2, RASTER))


@pytest.mark.parametrize("name", ["page.png", "page.jpg", "page.tif", "page.webp", "page.gif", "page.bmp"])
def test_half_a_file_is_an_error_and_not_half_a_page(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 400), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises((CorruptDocument, CorruptPage), match="picture is damaged"):
        raster(tmp_path / name)


def test_a_header_alone_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    with pytest.raises(CorruptDocument, match=r"PNG picture is damaged"):
        raster(tmp_path / "page.png")


def bomb(file: Path) -> Path:
    header = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, 200_000, 50_000, 1, 24, *[0] * 6
    )
    file.write_bytes(header)
    return file


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    says = r"200,000 x 50,000 pixels, more than ARSIP_MAX_IMAGE_MEGAPIXELS=10; scale it down or raise"
    with pytest.raises(TooLarge, match=says):
        raster(bomb(tmp_path / "page.bmp"))


def test_a_page_of_a_tiff_that_is_too_large_fails_alone(tmp_path: Path) -> None:
    Image.new("1", (5000, 4000)).save(tmp_path / "pages.tif", save_all=True, append_images=[marked()])
    with open_document(tmp_path / "pages.tif", LIMITS) as document:
        with pytest.raises(TooLarge, match="5,000 x 4,000"):
            document.raster(1, RASTER)
        assert_marked(document.raster(2, RASTER))


def test_a_tiff_of_too_many_pages_is_refused(tmp_path: Path) -> None:
    page = Image.new("1", (10, 10))
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page] * 5)
    with pytest.raises(TooLarge, match="ARSIP_MAX_PAGES=5"):
        raster(tmp_path / "pages.tif")


@pytest.mark.parametrize("name", ["page.jpg", "page.png"])
def test_a_picture_above_the_raster_limit_is_reduced_and_says_so(tmp_path: Path, name: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    marked("RGB", (2000, 3000)).transpose(Image.Transpose.ROTATE_90).save(tmp_path / name, dpi=(300, 300), exif=exif)
    found = raster(tmp_path / name, rules=RasterRules(dpi=300, max_megapixels=1, max_image_megapixels=10))
    assert_marked(found)
    assert (found.image.width, found.image.height) == (816, 1225)
    assert found.image.dpi == pytest.approx(300 * 816 / 2000, abs=1)
    assert (found.width, found.height) == (2000, 3000)
    assert found.notes == [
        "raster lowered to 41% of the picture's size: limit of 1 megapixels and 32,767 pixels a side"
    ]


@pytest.mark.parametrize(
    ("size", "stated", "dpi", "enlarged"),
    [
        ((2480, 3508), (300, 300), 300, 1),
        ((1654, 2339), (200, 200), 200, 1),
        ((1240, 1754), (150, 150), 300, 2),
        ((850, 1100), (100, 100), 200, 2),
        ((2480, 3508), (72, 72), 300, 1),  # nobody meant 72: the guess is A4
        ((754, 1000), None, 171, 2),
        ((1100, 2339), None, 200, 1),
        ((3500, 2600), (2400, 2400), 299, 1),
        ((40, 60), None, 100, 2),
        ((2500, 3700), (600, 600), 400, 2 / 3),
    ],
)
def test_pictures_of_low_resolution_are_enlarged_and_of_high_reduced(
    tmp_path: Path, size: tuple[int, int], stated: tuple[int, int] | None, dpi: int, enlarged: float
) -> None:
    options = {"dpi": stated} if stated else {}
    Image.new("L", size, 255).save(tmp_path / "page.png", **options)
    rules = RasterRules(dpi=300, max_megapixels=100, max_image_megapixels=100, enlarge_below_dpi=200)
    found = raster(tmp_path / "page.png", rules=rules)
    assert round(found.image.dpi) == dpi
    assert found.image.width == pytest.approx(size[0] * enlarged, rel=0.01)
    assert (found.width, found.height) == size
    assert found.notes == []


def test_an_engine_may_want_pictures_as_they_are(tmp_path: Path) -> None:
    Image.new("L", (850, 1100), 255).save(tmp_path / "page.png", dpi=(100, 100))
    assert raster(tmp_path / "page.png").image.width == 850


def test_a_fax_of_half_resolution_gets_square_dots(tmp_path: Path) -> None:
    marked("1", (1728, 1100)).save(tmp_path / "fax.tif", dpi=(204, 98))
    found = raster(tmp_path / "fax.tif")
    assert (found.image.width, found.image.height) == (1728, pytest.approx(1100 * 204 / 98, abs=1))
    assert (found.width, found.height) == (1728, 1100)
    assert_marked(found)


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_odd_pictures_are_read_or_refused(corpus: Path) -> None:
    read = refused = 0
    for folder in ("hostile/pillow", "hostile/libtiff", "hostile/exif"):
        for file in sorted((corpus / folder).glob("*")):
            if file.suffix == ".pdf":
                continue
            try:
                with open_document(file, LIMITS) as document:
                    for number in range(1, document.page_count + 1):
                        document.raster(number, RASTER)
                read += 1
            except PermanentError:
                refused += 1
    assert read > 100
    assert refused > 10
