"""The search index on Postgres full text: one row per page, found by a GIN index.

A page's lexemes are its words as they are and their stems; the document's name and number stand on its first page with
a higher weight. A query is stemmed in the page's own configuration, so "not" excludes every form of a word.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self

from sqlalchemy import RowMapping, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pipeline.database import Database
from pipeline.errors import IndexUnavailable, StorageUnavailable
from pipeline.search.contract import IndexedDocument, SearchHit, SearchIndex, SearchQuery, SearchResults, Snippet
from pipeline.search.query import ParsedQuery, configuration_of, parse
from pipeline.settings import Settings

MOST_BYTES = 250_000
"""Of a page's text that is indexed: both kinds of lexemes together must stay below a tsvector's limit of 1 MB."""
START, STOP = "\ue000", "\ue001"
"""Private characters that mark a match in a snippet."""
SNIPPET = f'MaxFragments=2, MaxWords=18, MinWords=8, FragmentDelimiter=" … ", StartSel={START}, StopSel={STOP}'

_INSERT = text("""
    INSERT INTO search_pages (document_id, number, configuration, lexemes)
    VALUES (:document_id, :number, :configuration,
        setweight(to_tsvector('simple', :title), 'A')
        || to_tsvector('simple', :text) || to_tsvector(CAST(:configuration AS regconfig), :text))
""")


class PostgresIndex(SearchIndex):
    name = "postgres"

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def connect(cls, settings: Settings, database: Database) -> Self:  # noqa: ARG003
        return cls(database)

    def upsert(self, document: IndexedDocument) -> None:
        configuration = configuration_of(document.languages)
        words = re.sub(r"[\W_]+", " ", document.name)
        title = f"{words} {document.extracted_doc_number or ''}"
        rows = [
            {
                "document_id": document.id,
                "number": page.number,
                "configuration": configuration,
                "title": title if position == 0 else "",
                "text": _indexable(page.text),
            }
            for position, page in enumerate(document.pages)
        ]
        with self._transaction() as session:
            _forget(session, [document.id])
            if rows:
                session.execute(_INSERT, rows)

    def delete(self, document_ids: Iterable[int]) -> None:
        with self._transaction() as session:
            _forget(session, list(document_ids))

    def search(self, query: SearchQuery) -> SearchResults:
        with self._transaction() as session:
            parsed = parse(session, query.text)
            if not parsed:
                return SearchResults(documents=0)
            rows = session.execute(text(_search_sql(parsed, query)), _parameters(parsed, query)).mappings().all()
        return SearchResults(documents=rows[0]["documents"] if rows else 0, hits=tuple(_hit(row) for row in rows))

    def close(self) -> None:
        """The connection is the archive's."""

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        try:
            with self._database.session() as session:
                yield session
        except StorageUnavailable as error:
            raise IndexUnavailable(f"the search index is not reachable: {error}") from error
        except DBAPIError as error:
            raise IndexUnavailable(f"the search index refused the work: {error.orig}") from error


def _forget(session: Session, ids: list[int]) -> None:
    session.execute(text("DELETE FROM search_pages WHERE document_id = ANY(:ids)"), {"ids": ids})


def _indexable(page: str) -> str:
    return page.replace("\0", " ").encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")


def _search_sql(parsed: list[ParsedQuery], query: SearchQuery) -> str:
    """The statement; only the numbers of its parameters vary."""
    arms = [f"(s.configuration = :c{n} AND s.lexemes @@ CAST(:q{n} AS tsquery))" for n in range(len(parsed))]
    own = "CASE s.configuration " + " ".join(f"WHEN :c{n} THEN CAST(:q{n} AS tsquery)" for n in range(len(parsed)))
    filters = [
        condition
        for condition, wanted in (
            ("d.extracted_doc_number ILIKE :number", query.number),
            ("d.status = :status", query.status),
            ("d.name ILIKE :name", query.name),
            ("d.created_at >= :since", query.since),
            ("d.created_at < :until", query.until),
        )
        if wanted
    ]
    # ts_rank with normalisation 1: how often the words occur, less for long pages, so that a dense page leads.
    return f"""
        WITH matched AS (
            SELECT s.document_id, s.number, {own} END AS query, s.configuration,
                ts_rank(s.lexemes, {own} END, 1) AS score
            FROM search_pages AS s JOIN documents AS d ON d.id = s.document_id
            WHERE {" AND ".join([f"({' OR '.join(arms)})", *filters])}
        ), placed AS (
            SELECT *, max(score) OVER (PARTITION BY document_id) AS best,
                row_number() OVER (PARTITION BY document_id ORDER BY score DESC, number) AS place
            FROM matched
        ), chosen AS (
            SELECT document_id, count(*) OVER () AS documents FROM placed WHERE place = 1
            ORDER BY best DESC, document_id DESC LIMIT :limit OFFSET :offset
        )
        SELECT p.document_id, p.number, p.score, c.documents, d.name, d.extracted_doc_number,
            ts_headline(CAST(p.configuration AS regconfig), left(translate(g.text, :marks, ''), {MOST_BYTES}), p.query,
                :snippet) AS headline
        FROM chosen AS c
        JOIN placed AS p ON p.document_id = c.document_id AND p.place <= :pages
        JOIN documents AS d ON d.id = p.document_id
        JOIN pages AS g ON g.document_id = p.document_id AND g.number = p.number
        ORDER BY p.best DESC, p.document_id DESC, p.place
    """  # noqa: S608


def _parameters(parsed: list[ParsedQuery], query: SearchQuery) -> dict[str, Any]:
    return {
        **{f"c{n}": one.configuration for n, one in enumerate(parsed)},
        **{f"q{n}": one.tsquery for n, one in enumerate(parsed)},
        "number": query.number and _like(query.number) + "%",
        "status": query.status,
        "name": query.name and _like(query.name).replace("*", "%").replace("?", "_"),
        "since": query.since,
        "until": query.until and query.until + timedelta(days=1),
        "limit": query.limit,
        "offset": query.offset,
        "pages": query.pages_per_document,
        "marks": START + STOP,
        "snippet": SNIPPET,
    }


def _like(value: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", value.replace("\0", ""))


def _hit(row: RowMapping) -> SearchHit:
    return SearchHit(
        document_id=row["document_id"],
        name=row["name"],
        page=row["number"],
        score=float(row["score"]),
        snippet=snippet(row["headline"]),
        extracted_doc_number=row["extracted_doc_number"],
    )


def snippet(headline: str) -> Snippet:
    """The headline with its white space folded and its marks as offsets."""
    plain: list[str] = []
    marks: list[tuple[int, int]] = []
    length = start = 0
    for part in re.split(f"([{START}{STOP}])", re.sub(r"\s+", " ", headline).strip()):
        if part == START:
            start = length
        elif part == STOP:
            marks.append((start, length))
        else:
            plain.append(part)
            length += len(part)
    return Snippet("".join(plain), tuple(marks))
