"""Document numbers: how many that documents state are found, and how many that are found are right."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.readers import empty_archive, ingest
from cli.session import open_session
from pipeline.settings import Settings
from pipeline.states import DocumentStatus
from pipeline.store import documents

FIELDS = ("invoice_number", "number")


def measure() -> None:
    stated = dict(_stated(Path(os.environ["ARSIP_CORPUS"]) / "born-digital"))
    with empty_archive() as settings:
        ingest(settings, {}, "eng", list(stated))
        found = dict(_found(settings))
    right = sum(_same(found.get(path), number) for path, number in stated.items())
    some = sum(found.get(path) is not None for path in stated)
    print(
        f"\n**document numbers**: {len(stated)} documents state one; {some} were found, {right} of them right: ", end=""
    )
    print(f"precision {right / max(some, 1):.2f}, recall {right / len(stated):.2f}")


def _found(settings: Settings) -> Iterator[tuple[Path, str | None]]:
    with open_session(settings) as session, session.archive.database.session() as transaction:
        for document_id in documents.in_status(transaction, DocumentStatus.PROCESSED):
            number = documents.load(transaction, document_id).extracted_doc_number
            for path in documents.paths(transaction, document_id):
                yield Path(path), number


def _stated(folder: Path) -> Iterator[tuple[Path, str]]:
    for fields in sorted(folder.rglob("*.fields.json")):
        row = json.loads(fields.read_text())
        row = row[0] if isinstance(row, list) else row
        document = fields.with_name(fields.name.removesuffix(".fields.json") + ".pdf")
        for field in FIELDS:
            if row.get(field) and document.exists():
                yield document, str(row[field]).lstrip("#")
                break


def _same(found: str | None, stated: str) -> bool:
    return found is not None and "".join(found.split()) == "".join(stated.split())
