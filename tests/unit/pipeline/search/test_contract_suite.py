"""The contract suite finds the faults that it is there for: backends with one fault each, built on a real one."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from pipeline.database import Database
from pipeline.search.contract import IndexedDocument, SearchHit, SearchIndex, SearchQuery, SearchResults
from pipeline.search.contract_suite import INVOICE, LETTER, SearchIndexContract
from pipeline.search.postgres import PostgresIndex
from tests.unit.pipeline.search.stored import store_document


class Changing(PostgresIndex):
    """Changes each hit in the way of a subclass."""

    change: Callable[[SearchHit], SearchHit]

    def search(self, query: SearchQuery) -> SearchResults:
        results = super().search(query)
        return replace(results, hits=tuple(map(type(self).change, results.hits)))


class MarksOneTooFar(Changing):
    @staticmethod
    def change(hit: SearchHit) -> SearchHit:
        shifted = tuple((start + 1, stop + 1) for start, stop in hit.snippet.marks)
        return replace(hit, snippet=replace(hit.snippet, marks=shifted))


class FirstPageAlways(Changing):
    @staticmethod
    def change(hit: SearchHit) -> SearchHit:
        return replace(hit, page=1)


class ForgetsNothing(PostgresIndex):
    def delete(self, document_ids: Iterable[int]) -> None: ...


class CountsWhatItShows(PostgresIndex):
    def search(self, query: SearchQuery) -> SearchResults:
        hits = super().search(query).hits
        return SearchResults(documents=len({hit.document_id for hit in hits}), hits=hits)


class IgnoresNames(PostgresIndex):
    def upsert(self, document: IndexedDocument) -> None:
        super().upsert(replace(document, name="", extracted_doc_number=None))


class KnowsOneLanguage(PostgresIndex):
    def upsert(self, document: IndexedDocument) -> None:
        super().upsert(replace(document, languages=document.languages[:1]))


class IgnoresNot(PostgresIndex):
    def search(self, query: SearchQuery) -> SearchResults:
        return super().search(replace(query, text=query.text.replace(" -", " ")))


class BreaksOffAtNul(PostgresIndex):
    def search(self, query: SearchQuery) -> SearchResults:
        if "\0" in query.text:
            raise ValueError(query.text)
        return super().search(query)


Check = Callable[[SearchIndexContract, SearchIndex], None]


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (MarksOneTooFar, lambda suite, index: suite.test_marks_point_at_the_words(index, "mesin", ["mesin"])),
        (FirstPageAlways, lambda suite, index: suite.test_text_is_found_on_its_page(index)),
        (ForgetsNothing, lambda suite, index: suite.test_delete_forgets(index)),
        (CountsWhatItShows, lambda suite, index: suite.test_pages_of_results_are_pages_of_documents(index)),
        (
            IgnoresNames,
            lambda suite, index: suite.test_numbers_and_names_are_found_by_their_parts(index, "surat-keluar"),
        ),
        (KnowsOneLanguage, lambda suite, index: suite.test_both_languages_of_a_document_count(index)),
        (IgnoresNot, lambda suite, index: suite.test_operators(index, "paper -contracts", set())),
        (BreaksOffAtNul, lambda suite, index: suite.test_no_string_is_an_error(index, "a\0b")),
    ],
)
def test_a_fault_is_found(database: Database, fault: type[PostgresIndex], check: Check) -> None:
    suite = SearchIndexContract()
    suite.store = lambda document: store_document(database, document)  # type: ignore[method-assign]
    index = fault(database, time_limit=30)
    for document in (LETTER, INVOICE):
        suite.put(index, document)
    with pytest.raises((AssertionError, ValueError, StopIteration)):
        check(suite, index)
