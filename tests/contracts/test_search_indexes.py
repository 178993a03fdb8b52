"""Every search backend of this project against the contract that third parties' backends are held to."""

from collections.abc import Iterator
from importlib.metadata import distribution

import pytest

from pipeline.database import Database
from pipeline.search.contract import IndexedDocument, SearchIndex
from pipeline.search.contract_suite import SearchIndexContract
from pipeline.search.postgres import PostgresIndex
from pipeline.search.registry import GROUP
from pipeline.settings import Settings
from tests.unit.pipeline.search.stored import store_document


class TestPostgres(SearchIndexContract):
    @pytest.fixture
    def index(self, database: Database) -> Iterator[SearchIndex]:
        self.database = database
        index = PostgresIndex.connect(Settings(), database)
        yield index
        index.close()

    def store(self, document: IndexedDocument) -> None:
        store_document(self.database, document)


def test_no_backend_is_left_out() -> None:
    declared = {point.name for point in distribution("arsip").entry_points.select(group=GROUP)}
    assert declared == {PostgresIndex.name}
