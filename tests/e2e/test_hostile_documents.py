"""Every hostile document of the corpus through the whole pipeline: each ends with a reason, and no worker dies."""

import json
import subprocess
from pathlib import Path

from tests.processes import ARSIP


def test_every_hostile_document_ends_and_no_worker_dies(environment: dict[str, str], corpus: Path) -> None:
    # The null engine: what is tested is opening, drawing and storing, and the engines have their own tests.
    queues = {"tesseract": {"engine": "null", "time_limit": 120, "retries": 1, "min_backoff": 0.1}}
    done = subprocess.run(
        [ARSIP, "ingest", corpus / "hostile", "--workers", "2", "--json"],
        env=environment | {"ARSIP_OCR_QUEUES": json.dumps(queues)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    files = [line for line in told if "path" in line]
    assert len(files) > 400
    for line in files:
        assert line["document_id"] or line["error"]["code"], line
    taken = {line["document_id"] for line in files if line["document_id"]}
    documents = {line["document"]["id"]: line["document"] for line in told if "document" in line}
    assert documents.keys() == taken
    for document in documents.values():
        assert document["status"] in {"PROCESSED", "PARTIAL", "FAILED"}
        if document["status"] != "PROCESSED":
            assert document["failure_code"], document
            assert document["failure_reason"], document
            assert document["failure_code"] not in {"engine_crashed", "transient", "error"}, document
    passwords = sum(document["failure_code"] == "encrypted_document" for document in documents.values())
    assert passwords > 20
    assert "starts again" not in done.stderr
    assert "Traceback" not in done.stderr
