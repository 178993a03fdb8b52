"""The samples in the repository are what the script makes, and they say what their names promise."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from pipeline.reading.documents import open_document
from pipeline.reading.types import Limits, RasterRules

ROOT = Path(__file__).parents[3]
LIMITS = Limits(max_pages=100, max_image_megapixels=100)
COARSE = RasterRules(dpi=72, max_megapixels=1, max_image_megapixels=100)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    specification = importlib.util.spec_from_file_location("make_samples", ROOT / "scripts/make_samples.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.make(folder)
    return folder


def test_the_script_makes_the_committed_samples(made: Path) -> None:
    committed = {path.name for path in (ROOT / "samples").iterdir() if path.name != "README.md"}
    assert {path.name for path in made.iterdir()} == committed
    for name in committed:
        with open_document(made / name, LIMITS) as new, open_document(ROOT / "samples" / name, LIMITS) as old:
            assert new.page_count == old.page_count
            for number in range(1, new.page_count + 1):
                difference = np.abs(
                    new.raster(number, COARSE).image.pixels.astype(int)
                    - old.raster(number, COARSE).image.pixels.astype(int)
                )
                # Another release of a library may encode a picture differently, but not draw another page.
                assert difference.mean() < 2
