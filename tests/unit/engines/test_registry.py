"""Plug-ins as pip leaves them: a module and a `dist-info` folder with entry points, on `sys.path`."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.errors import EngineUnavailable
from engines.registry import build_engine, engine_class, engine_names

ENGINE = """
from typing import Annotated
from pydantic import Field
from engines import EngineOptions, OcrEngine, Recognition

class Options(EngineOptions):
    beams: Annotated[int, Field(gt=0)] = 5

class Engine(OcrEngine):
    name = "mine"
    Options = Options
    version = "3.2"
    def open(self): ...
    def recognize(self, images): return [Recognition() for _ in images]
    def close(self): ...
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with one module `plugin_X` that declares one engine."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, *, engine: str, code: str = ENGINE, attribute: str = "Engine") -> None:
        module = f"plugin_{package}"
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code)
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[arsip.ocr_engines]\n{engine} = {module}:{attribute}\n")

    return install


def test_a_plugin_is_built_with_its_checked_options(install: Install) -> None:
    install("good", engine="mine")
    engine = build_engine("mine", {"beams": 2}, ["eng", "ind"])
    assert (engine.version, engine.languages) == ("3.2", ("eng", "ind"))
    assert engine.options.model_dump() == {"beams": 2}


def test_names_are_found_without_an_import(install: Install) -> None:
    install("explosive", engine="explosive", code="raise SystemExit('imported')")
    assert {"explosive", "tesseract", "null"} <= set(engine_names())


def test_finding_the_null_engine_loads_no_other() -> None:
    code = (
        "import sys; from engines.registry import engine_class; engine_class('null'); print('tesserocr' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(EngineUnavailable, match=r"'tesserakt'.*null.*tesseract"):
        engine_class("tesserakt")


def test_import_failure_names_the_cause(install: Install) -> None:
    install("broken", engine="broken", code="import a_module_that_is_nowhere")
    with pytest.raises(EngineUnavailable, match=r"plugin_broken:Engine of package broken.*a_module_that_is_nowhere"):
        engine_class("broken")


def test_missing_attribute_is_an_import_failure(install: Install) -> None:
    install("typo", engine="typo", attribute="Engin")
    with pytest.raises(EngineUnavailable, match=r"typo.*Engin"):
        engine_class("typo")


@pytest.mark.parametrize("code", ["class Engine: ...", "def Engine(options, languages): ..."])
def test_what_is_no_engine_is_refused(install: Install, code: str) -> None:
    install("stranger", engine="stranger", code=code)
    with pytest.raises(EngineUnavailable, match=r"not a subclass of engines\.OcrEngine.*tesseract"):
        engine_class("stranger")


def test_incomplete_engine_is_refused(install: Install) -> None:
    install("half", engine="half", code=ENGINE.replace("def close(self): ...", ""))
    with pytest.raises(EngineUnavailable, match="it lacks close"):
        engine_class("half")


def test_two_plugins_of_one_name_are_refused(install: Install) -> None:
    install("first", engine="same")
    install("second", engine="same")
    with pytest.raises(EngineUnavailable, match=r"'same'.*package first.*package second"):
        engine_class("same")


def test_a_plugin_cannot_replace_tesseract(install: Install) -> None:
    install("impostor", engine="tesseract")
    with pytest.raises(EngineUnavailable, match=r"package arsip.*package impostor"):
        engine_class("tesseract")


@pytest.mark.parametrize(
    ("options", "named"), [({"speed": 9}, "speed"), ({"beams": 0}, "beams"), ({"beams": "x"}, "beams")]
)
def test_bad_options_name_the_option_and_the_known_ones(
    install: Install, options: dict[str, object], named: str
) -> None:
    install("good", engine="mine")
    with pytest.raises(EngineUnavailable, match=rf"'mine': {named}: .*its options: beams"):
        build_engine("mine", options, ["eng"])
