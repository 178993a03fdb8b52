"""The search index on Postgres full text: one row per page, found by a GIN index.

A page's lexemes are its words as they are and their stems in its first languages; the document's name and number stand
on its first page with a higher weight.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from pipeline.database import Database
from pipeline.errors import IndexUnavailable, SearchTimedOut, StatementTimedOut, StorageUnavailable
from pipeline.search.contract import (
    IndexedDocument,
    IndexedPage,
    SearchHit,
    SearchIndex,
    SearchQuery,
    SearchResults,
    Snippet,
)
from pipeline.search.query import ParsedQuery, configuration_of, parse
from pipeline.search.snippets import FoundPage, snippets
from pipeline.search.words import MOST_CHARACTERS, indexable
from pipeline.settings import Settings
from pipeline.store.text import storable


def _lexemes(parameter: str) -> str:
    return f"""(to_tsvector('simple', :{parameter})
        || coalesce(to_tsvector(CAST(:first AS regconfig), :{parameter}), '')
        || coalesce(to_tsvector(CAST(:second AS regconfig), :{parameter}), ''))"""


_INSERT = text(f"""
    INSERT INTO search_pages (document_id, number, configuration, lexemes)
    VALUES (:document_id, :number, :configuration, setweight({_lexemes("title")}, 'A') || {_lexemes("text")})
""")  # noqa: S608

# One row at least, so that the number of documents is known on a page behind the last one too.
# ts_rank with normalisation 1 divides by the logarithm of a page's length: how often the words occur counts, a long
# page does not win by its length alone. ts_rank_cd tells pages apart only by several words and ranks by their distance.
_SEARCH = """
    WITH matched AS (
        SELECT s.document_id, s.number, s.configuration, ts_rank(s.lexemes, {query}, 1) AS score
        FROM search_pages AS s JOIN documents AS d ON d.id = s.document_id
        WHERE {conditions}
    ), placed AS (
        SELECT *, max(score) OVER (PARTITION BY document_id) AS best,
            row_number() OVER (PARTITION BY document_id ORDER BY score DESC, number) AS place
        FROM matched
    ), chosen AS (
        SELECT document_id FROM placed WHERE place = 1 ORDER BY best DESC, document_id DESC LIMIT :limit OFFSET :offset
    ), hits AS (
        SELECT p.*, d.name, d.extracted_doc_number, left(g.text, :characters) AS text
        FROM chosen JOIN placed AS p USING (document_id)
        JOIN documents AS d ON d.id = p.document_id
        JOIN pages AS g ON g.document_id = p.document_id AND g.number = p.number
        WHERE p.place <= :pages
    )
    SELECT total.documents, hits.*
    FROM (SELECT count(*) AS documents FROM placed WHERE place = 1) AS total LEFT JOIN hits ON true
    ORDER BY hits.best DESC, hits.document_id DESC, hits.place
"""

_FILTERS = {
    "number": "d.extracted_doc_number ILIKE :number",
    "status": "d.status = :status",
    "name": "d.name ILIKE :name",
    "since": "d.created_at >= :since",
    "until": "d.created_at < :until",
}


class PostgresIndex(SearchIndex):
    name = "postgres"

    def __init__(self, database: Database, *, time_limit: float) -> None:
        """
        Args:
            time_limit: seconds that each statement of a search may take.
        """
        self._database = database
        self._time_limit = time_limit

    @classmethod
    def connect(cls, settings: Settings, database: Database) -> Self:
        return cls(database, time_limit=settings.search_time_limit)

    def upsert(self, document: IndexedDocument) -> None:
        configuration = configuration_of(document.languages)
        first, _, second = configuration.partition("+")
        title = indexable(f"{document.name} {document.extracted_doc_number or ''}")
        rows = [
            {
                "document_id": document.id,
                "number": page.number,
                "configuration": configuration,
                "first": first,
                "second": second or None,
                "title": "" if position else title,
                "text": indexable(page.text),
            }
            for position, page in enumerate(document.pages or [IndexedPage(1, "")])
        ]
        with self._transaction() as session:
            _forget(session, [document.id])
            session.execute(_INSERT, rows)

    def delete(self, document_ids: Iterable[int]) -> None:
        with self._transaction() as session:
            _forget(session, list(document_ids))

    def pages(self, document_ids: Iterable[int]) -> Mapping[int, frozenset[int]]:
        query = (
            "SELECT document_id, array_agg(number) FROM search_pages WHERE document_id = ANY(:ids) GROUP BY document_id"
        )
        with self._transaction() as session:
            rows = session.execute(text(query), {"ids": list(document_ids)})
            return {document_id: frozenset(numbers) for document_id, numbers in rows}

    def search(self, query: SearchQuery) -> SearchResults:
        try:
            return self._search(query)
        except IndexUnavailable as error:
            if not isinstance(error.__cause__, StatementTimedOut):
                raise
            raise SearchTimedOut(
                f"the search took longer than {self._time_limit:g} s: narrow it down with more words or a filter, "
                "or raise ARSIP_SEARCH_TIME_LIMIT"
            ) from error

    def _search(self, query: SearchQuery) -> SearchResults:
        with self._transaction() as session:
            milliseconds = max(1, round(self._time_limit * 1000))
            session.execute(text("SELECT set_config('statement_timeout', :limit, true)"), {"limit": str(milliseconds)})
            parsed = parse(session, query.text)
            if not parsed:
                return SearchResults(documents=0)
            statement, parameters = _statement(parsed, query)
            rows = session.execute(text(statement), parameters).mappings().all()
            found = [row for row in rows if row["document_id"] is not None]
            queries = {one.configuration: one.tsquery for one in parsed}
            pages = [FoundPage(row["text"] or "", queries[row["configuration"]], row["configuration"]) for row in found]
            hits = [_hit(row, snippet) for row, snippet in zip(found, snippets(session, pages), strict=True)]
        return SearchResults(documents=rows[0]["documents"], hits=tuple(hits))

    def close(self) -> None:
        """The connection is the archive's."""

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        try:
            with self._database.session() as session:
                yield session
        except StorageUnavailable as error:
            raise IndexUnavailable(f"the search index is not reachable: {error}") from error


def _forget(session: Session, ids: list[int]) -> None:
    session.execute(text("DELETE FROM search_pages WHERE document_id = ANY(:ids)"), {"ids": ids})


def _statement(parsed: list[ParsedQuery], query: SearchQuery) -> tuple[str, dict[str, Any]]:
    """The statement, of which only the number of parameters varies, and the parameters."""
    numbers = range(len(parsed))
    # One condition per configuration, each of which the GIN index answers.
    arms = [f"(s.configuration = :c{n} AND s.lexemes @@ CAST(:q{n} AS tsquery))" for n in numbers]
    own = "CASE s.configuration " + " ".join(f"WHEN :c{n} THEN CAST(:q{n} AS tsquery)" for n in numbers) + " END"
    filters = {
        "number": query.number and _like(query.number) + "%",
        "status": query.status and storable(query.status),
        "name": query.name and _like(query.name).replace("*", "%").replace("?", "_"),
        "since": query.since,
        "until": query.until and query.until + timedelta(days=1),
    }
    conditions = [f"({' OR '.join(arms)})", *(_FILTERS[name] for name, wanted in filters.items() if wanted)]
    return _SEARCH.format(query=own, conditions=" AND ".join(conditions)), {
        **{f"c{n}": one.configuration for n, one in enumerate(parsed)},
        **{f"q{n}": one.tsquery for n, one in enumerate(parsed)},
        **filters,
        "limit": query.limit,
        "offset": query.offset,
        "pages": query.pages_per_document,
        "characters": MOST_CHARACTERS,
    }


def _like(value: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", storable(value))


def _hit(row: RowMapping, snippet: Snippet) -> SearchHit:
    return SearchHit(
        document_id=row["document_id"],
        name=row["name"],
        page=row["number"],
        score=float(row["score"]),
        snippet=snippet,
        extracted_doc_number=row["extracted_doc_number"],
    )
