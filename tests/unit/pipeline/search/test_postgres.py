"""What only the Postgres backend does; the rest is in the contract suite."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from pipeline.database import Database
from pipeline.errors import IndexUnavailable, SearchTimedOut
from pipeline.search.contract import IndexedDocument, IndexedPage, SearchQuery
from pipeline.search.postgres import PostgresIndex, _statement
from pipeline.search.query import parse
from tests.unit.pipeline.search.stored import store_document

ON_ONE_DATABASE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPED = st.lists(
    st.text(max_size=20) | st.sampled_from(['"', "-", " OR ", "*", "'", "\\", " ", "mesin", "daft*", "/", ":*", "("])
).map("".join)


def document(*pages: str, languages: tuple[str, ...] = ("ind", "eng")) -> IndexedDocument:
    numbered = [IndexedPage(number, page) for number, page in enumerate(pages, 1)]
    return IndexedDocument(1, "surat.pdf", "PROCESSED", languages, None, date(2026, 1, 1), numbered)


@pytest.fixture
def index(database: Database) -> PostgresIndex:
    index = PostgresIndex(database, time_limit=30)
    put(index, database, document("daftar mesin pemotong kertas"))
    return index


def put(index: PostgresIndex, database: Database, wanted: IndexedDocument) -> None:
    store_document(database, wanted)
    index.upsert(wanted)


@ON_ONE_DATABASE
@given(typed=TYPED)
def test_any_query_gives_results_or_nothing(index: PostgresIndex, typed: str) -> None:
    assert index.search(SearchQuery(typed)).documents in {0, 1}
    assert index.search(SearchQuery(f'mesin OR "{typed}"')).documents == 1


@ON_ONE_DATABASE
@given(typed=st.text())
def test_any_pattern_is_a_filter(index: PostgresIndex, typed: str) -> None:
    index.search(SearchQuery("mesin", name=typed, number=typed))
    assert index.search(SearchQuery("mesin", name=f"*{typed}*surat")).documents == 0


@ON_ONE_DATABASE
@given(page=st.text(), word=st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=30))
def test_any_word_of_any_page_is_found_and_marked(
    index: PostgresIndex, database: Database, page: str, word: str
) -> None:
    put(index, database, document(f"{page} {word} {page}"))
    (hit,) = index.search(SearchQuery(f'"{word}"')).hits
    assert hit.snippet.marks
    assert all(0 <= start < stop <= len(hit.snippet.text) for start, stop in hit.snippet.marks)


def test_a_page_of_nothing_but_different_words_fits(index: PostgresIndex, database: Database) -> None:
    """Each word has two stems that differ from it, so that a tsvector's 1 MB is used up as fast as it can be."""
    letters = "bcdfghjklm"
    stems = ("".join(letters[int(digit)] for digit in f"{number:06}") for number in range(100_000))
    put(index, database, document("awal " + " ".join(f"{stem}ings meng{stem}kan" for stem in stems)))
    assert index.search(SearchQuery("awal")).documents == 1


def test_a_phrase_is_found_at_the_end_of_a_newspaper_page(index: PostgresIndex, database: Database) -> None:
    column = " ".join(f"kata{number} surat" for number in range(4000))
    put(index, database, document(f"{column} mesin pemotong kertas {column}"))
    assert index.search(SearchQuery('"pemotong kertas"')).documents == 1
    assert index.search(SearchQuery('"kertas pemotong"')).documents == 0


def test_the_planner_takes_the_gin_index(index: PostgresIndex, database: Database) -> None:
    with database.session() as session:
        session.execute(
            text("""
            INSERT INTO search_pages SELECT 1, n, (ARRAY['english', 'indonesian+english', 'simple'])[n % 3 + 1],
                to_tsvector('simple', 'surat ' || n || repeat(' kata' || n % 700, 50))
            FROM generate_series(2, 20000) AS n
            """)
        )
        session.execute(text("SELECT gin_clean_pending_list('ix_search_pages_lexemes')"))
        session.execute(text("ANALYZE search_pages"))
    for typed in ("kata12", "kata12 -kata13", '"kata12 kata12"', "kata12*", "kata12 OR kata13", "kata12 surat"):
        with database.session() as session:
            statement, parameters = _statement(parse(session, typed), SearchQuery(typed))
            plan = "\n".join(session.scalars(text(f"EXPLAIN {statement}"), parameters))
        assert "Bitmap Index Scan on ix_search_pages_lexemes" in plan, f"{typed}:\n{plan}"
        assert "Seq Scan on search_pages" not in plan, f"{typed}:\n{plan}"


def test_a_search_that_takes_too_long_is_given_up_with_what_to_do(database: Database) -> None:
    hasty = PostgresIndex(database, time_limit=0.2)
    with database.session() as holder:
        holder.execute(text("LOCK TABLE search_pages IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(SearchTimedOut, match=r"longer than 0\.2 s.*ARSIP_SEARCH_TIME_LIMIT"):
            hasty.search(SearchQuery("mesin"))
    assert hasty.search(SearchQuery("mesin")).documents == 0


@pytest.mark.parametrize("call", ["search", "upsert", "delete"])
def test_postgres_away_is_said(call: str) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    index = PostgresIndex(away, time_limit=30)
    calls = {
        "search": lambda: index.search(SearchQuery("mesin")),
        "upsert": lambda: index.upsert(document("mesin")),
        "delete": lambda: index.delete([1]),
    }
    with pytest.raises(IndexUnavailable, match="not reachable"):
        calls[call]()
    away.close()
