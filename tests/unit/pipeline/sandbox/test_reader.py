"""The typed face of the sandbox: real documents, and answers that no honest child gives."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import CorruptDocument, EngineCrashed, UnsupportedType
from pipeline.numbers import DocumentNumber, PageText
from pipeline.reading.types import DocumentInfo, Drawing, EngineSpec, PageMethod
from pipeline.sandbox.reader import DocumentReader, open_reader
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from pipeline.settings import Settings
from pipeline.states import PageStatus
from tests.factories import LETTER, letter_picture, save_pdf

NULL = EngineSpec("null", {}, "eng", memory_mb=512)
DRAWN = Drawing(number=1, result_key="a" * 64, width=10.0, height=20.0, unit="px", blank=None)
NUMBER: dict[str, Any] = {"value": "4/2026", "page": 1, "box": (1, 2, 3, 4), "confidence": 0.9, "pattern": "letter"}
READ = {"number": 1, "status": "DONE", "text": "one", "words": [["one", 1, 2, 3, 4, 1.0]]}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[DocumentReader]:
    with closing(open_reader(Settings(home=tmp_path))) as reader:
        yield reader


@pytest.fixture
def liar(tmp_path: Path) -> Iterator[DocumentReader]:
    sandbox = Sandbox("tests.unit.pipeline.sandbox.lies:tasks", SandboxLimits(memory_mb=512, max_pages=100))
    with closing(DocumentReader(lambda _: sandbox, Settings(home=tmp_path, max_pages=100))) as reader:
        yield reader


def test_a_document_is_inspected_read_and_recognised(reader: DocumentReader, tmp_path: Path) -> None:
    path = save_pdf(tmp_path / "mixed.pdf", LETTER, letter_picture())
    assert reader.inspect(path, seconds=60) == DocumentInfo("application/pdf", 2)

    first, second = reader.read_pages(path, 1, 2, tables=False, seconds=60)
    assert (first.status, first.method) == (PageStatus.DONE, PageMethod.TEXT_LAYER)
    assert first.words[0][0] == "PT"
    assert second.status == PageStatus.PENDING

    drawing = reader.draw_page(path, 2, NULL, batch=[2], seconds=60)
    assert (drawing.number, drawing.unit, drawing.blank) == (2, "pt", None)
    (page,) = reader.recognize_pages(path, [drawing], NULL, seconds=60)
    assert (page.status, page.engine, page.text) == (PageStatus.DONE, "null", "")
    assert page.result_key == drawing.result_key


def test_what_is_wrong_with_a_document_arrives_as_its_error(reader: DocumentReader, tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_bytes(b"neither a PDF nor a picture")
    with pytest.raises(UnsupportedType):
        reader.inspect(path, seconds=60)
    path = tmp_path / "cut.pdf"
    path.write_bytes(b"%PDF-1.7\n1 0 obj")
    with pytest.raises(CorruptDocument):
        reader.inspect(path, seconds=60)


def inspect(reader: DocumentReader, path: Path) -> object:
    return reader.inspect(path, seconds=60)


def read(reader: DocumentReader, path: Path) -> object:
    return reader.read_pages(path, 1, 2, tables=False, seconds=60)


def recognize(reader: DocumentReader, path: Path) -> object:
    return reader.recognize_pages(path, [DRAWN], NULL, seconds=60)


def number(reader: DocumentReader, path: Path) -> object:
    return reader.find_number([PageText(1, str(path), [])], None, seconds=60)


def draw(reader: DocumentReader, path: Path) -> object:
    return reader.draw_page(path, 1, NULL, batch=[1], seconds=60)


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (inspect, {"media_type": "application/pdf", "page_count": 101}),
        (inspect, {"media_type": "application/pdf", "page_count": 0}),
        (inspect, {"media_type": "application/\u001b[2J", "page_count": 1}),
        (inspect, {"media_type": "application/pdf"}),
        (inspect, None),
        (read, [READ]),
        (read, [READ, READ | {"number": 3}]),
        (read, [READ, READ | {"number": 2, "status": "GONE"}]),
        (read, [READ, READ | {"number": 2, "words": [["two", 1]]}]),
        (recognize, [READ | {"number": 2}]),
        (recognize, [READ | {"status": "PENDING"}]),
        (recognize, [READ, READ | {"number": 2}]),
        (recognize, READ),
        (draw, asdict(DRAWN) | {"number": 2}),
        (draw, asdict(DRAWN) | {"blank": READ | {"number": 2}}),
        (draw, asdict(DRAWN) | {"width": "wide"}),
        (number, NUMBER | {"value": "1" * 401}),
        (number, NUMBER | {"value": "4\x005"}),
        (number, NUMBER | {"page": "first"}),
    ],
)
def test_nonsense_is_refused(liar: DocumentReader, task: Callable[[DocumentReader, Path], Any], answer: object) -> None:
    with pytest.raises(EngineCrashed, match="nonsense"):
        task(liar, Path(json.dumps(answer)))


def test_the_liar_is_believed_when_it_tells_the_truth(liar: DocumentReader) -> None:
    answer = {"media_type": "application/pdf", "page_count": 100}
    assert inspect(liar, Path(json.dumps(answer))) == DocumentInfo("application/pdf", 100)
    assert recognize(liar, Path(json.dumps([READ])))
    assert draw(liar, Path(json.dumps(asdict(DRAWN)))) == DRAWN
    assert number(liar, Path(json.dumps(NUMBER))) == DocumentNumber(**NUMBER)
    assert number(liar, Path("null")) is None
