"""Plug-ins as pip leaves them: a module and a `dist-info` folder with entry points, on `sys.path`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.database import Database
from pipeline.errors import ConfigurationError
from pipeline.search.postgres import PostgresIndex
from pipeline.search.registry import open_index
from pipeline.settings import Settings

INDEX = """
from pipeline.search.contract import SearchIndex, SearchResults

class Index(SearchIndex):
    name = "mine"
    @classmethod
    def connect(cls, settings, database): return cls()
    def upsert(self, document): ...
    def delete(self, document_ids): ...
    def pages(self, document_ids): return {}
    def search(self, query): return SearchResults(documents=0)
    def close(self): ...
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with one module that declares its `Index` under the name `mine`."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, code: str) -> None:
        monkeypatch.delitem(sys.modules, package, raising=False)
        (tmp_path / f"{package}.py").write_text(code)
        metadata = tmp_path / f"{package}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[arsip.search_indexes]\nmine = {package}:Index\n")

    return install


@pytest.fixture
def database() -> Database:
    """To open an index reaches no server."""
    return Database("postgresql://nobody@127.0.0.1:1/nothing")


def test_postgres_is_the_default(database: Database) -> None:
    assert isinstance(open_index(Settings(), database), PostgresIndex)


def test_a_plugin_is_opened_by_its_name(install: Install, database: Database) -> None:
    install("index_good", INDEX)
    assert open_index(Settings(search_index="mine"), database).name == "mine"


def test_an_unknown_name_lists_the_known_ones(install: Install, database: Database) -> None:
    install("index_known", INDEX)
    with pytest.raises(ConfigurationError, match=r"'opensarch'.*installed: mine, postgres"):
        open_index(Settings(search_index="opensarch"), database)


@pytest.mark.parametrize(
    ("package", "code", "message"),
    [
        ("index_broken", "import no_such_module", r"index_broken:Index.*no_such_module"),
        ("index_empty", "", r"index_empty:Index.*Index"),
        ("index_foreign", "class Index: ...", r"not a subclass of SearchIndex"),
        ("index_function", "def Index(): ...", r"not a subclass of SearchIndex"),
        ("index_partial", INDEX.replace("def search", "def seek"), r"lacks search"),
    ],
)
def test_a_broken_plugin_says_what_is_wrong(
    install: Install, database: Database, package: str, code: str, message: str
) -> None:
    install(package, code)
    with pytest.raises(ConfigurationError, match=f"{message}.*installed: mine, postgres"):
        open_index(Settings(search_index="mine"), database)


def test_two_plugins_of_one_name_are_refused(install: Install, database: Database) -> None:
    install("index_one", INDEX)
    install("index_two", INDEX)
    with pytest.raises(ConfigurationError, match=r"index_one:Index, index_two:Index"):
        open_index(Settings(search_index="mine"), database)
