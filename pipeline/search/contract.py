"""The contract of a search backend: subclass `SearchIndex`, declare it under `arsip.search_indexes`."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from pipeline.database import Database
    from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class IndexedPage:
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """What a backend is given of one document: all its pages that have text.

    Its name and number are found too, on its first page; a document without any text shows up as its page 1.
    """

    id: int
    name: str
    status: str
    languages: tuple[str, ...]
    extracted_doc_number: str | None
    created_on: date
    pages: Sequence[IndexedPage]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`text` knows "a phrase", AND (the default), OR, -not and pref*; the filters narrow it down.

    OR binds less than AND: `a b OR c` is (a and b) or c. A word is found in any of its forms, in the languages of each
    document, and -not leaves out pages with any form of the word. The parts of `31/POJK.05/2016` are words of
    their own, and where it is typed as a whole, they must follow each other. Whatever else is typed means nothing.

    `name` is a file-name pattern with `*` and `?`, `number` the start of a document number, both without regard
    to case. Dates are those of the document's first arrival, both ends included. `limit` and `offset` count documents.
    """

    text: str
    number: str | None = None
    status: str | None = None
    name: str | None = None
    since: date | None = None
    until: date | None = None
    limit: int = 10
    offset: int = 0
    pages_per_document: int = 3


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a page's text; `marks` are (start, end) offsets of the words that matched, in order.

    White space is folded. Without marks, only the document's name or number matched.
    """

    text: str
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchHit:
    document_id: int
    name: str
    page: int
    score: float
    snippet: Snippet
    extracted_doc_number: str | None


@dataclass(frozen=True, slots=True)
class SearchResults:
    """`hits` are grouped by document: the best document first, and in it the best page first."""

    documents: int
    """How many documents match in all."""
    hits: tuple[SearchHit, ...] = field(default=())


class SearchIndex(ABC):
    """Holds the text of the archive and finds pages in it. Everything here can be made again from Postgres."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def connect(cls, settings: "Settings", database: "Database") -> Self:
        """Open the backend. Must not fail when the server is merely away: the calls below say so."""

    @abstractmethod
    def upsert(self, document: IndexedDocument) -> None:
        """Make the index hold exactly these pages of the document; searchable when it returns.

        Raises:
            IndexUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    def delete(self, document_ids: Iterable[int]) -> None:
        """Forget documents; unknown ids are ignored.

        Raises:
            IndexUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    def pages(self, document_ids: Iterable[int]) -> Mapping[int, frozenset[int]]:
        """Numbers of the pages that the index holds of each of these documents; one that it does not know is left out.

        Raises:
            IndexUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    def search(self, query: SearchQuery) -> SearchResults:
        """Find pages; a query that wants no word, such as `-not` alone, finds nothing. No string is an error.

        Raises:
            IndexUnavailable: the backend cannot be reached.
            SearchTimedOut: it took longer than the settings' `search_time_limit`.
        """

    @abstractmethod
    def close(self) -> None: ...
