"""`arsip queue`: an operator looks at what failed, sends it again, and forgets it."""

from pathlib import Path

from pipeline.database import Database
from tests.e2e.conftest import Arsip
from tests.factories import RICH, save_pdf
from tests.processes import lines, statuses


def test_what_failed_is_listed_grouped_shown_sent_again_and_forgotten(
    arsip: Arsip, tmp_path: Path, database: Database
) -> None:
    for number in range(2):
        path = save_pdf(tmp_path / f"cut-{number}.pdf", (*RICH, str(number)))
        path.write_bytes(path.read_bytes()[: 200 + number])
    assert arsip("ingest", tmp_path, "--workers", "1").returncode == 1

    newest, oldest = lines(arsip("queue", "failed", "--json"))
    assert newest["id"] > oldest["id"]
    assert {newest["error_code"], oldest["error_code"]} == {"corrupt_document"}
    assert len(lines(arsip("queue", "failed", "--json", "--document", str(newest["document_id"])))) == 1
    assert lines(arsip("queue", "failed", "--json", "--error", "other")) == []
    assert lines(arsip("queue", "failed", "--json", "--older-than", "1h")) == []
    table = arsip("queue", "failed").stdout
    assert "corrupt_document" in table
    assert "2 of 2 dead letters" in table

    (group,) = lines(arsip("queue", "failed", "--groups", "--json"))
    assert (group["count"], group["error_class"], group["queue"]) == (2, "CorruptDocument", "ingest")
    assert "CorruptDocument" in arsip("queue", "failed", "--groups").stdout

    shown = arsip("queue", "show", str(oldest["id"])).stdout
    assert "Traceback" in shown
    assert "qpdf" in shown

    (sent,) = lines(arsip("queue", "retry", str(oldest["id"]), "--json"))
    assert (sent["outcome"], sent["queue"]) == ("sent", "ingest")
    assert statuses(database) == {"PENDING", "FAILED"}
    (again,) = lines(arsip("queue", "retry", str(oldest["id"]), "--json"))
    assert again["outcome"] == "settled"
    assert arsip("ingest", tmp_path, "--workers", "1").returncode == 1

    second = lines(arsip("queue", "failed", "--json"))[0]
    assert second["job_id"] == oldest["job_id"]
    assert lines(arsip("queue", "show", str(second["id"]), "--json"))[0]["history"] == [oldest["id"]]
    assert "sent again" in arsip("queue", "show", str(second["id"])).stdout
    assert "2 of 2" in arsip("queue", "failed").stdout
    assert "3 of 3" in arsip("queue", "failed", "--all").stdout

    sent_all = lines(arsip("queue", "retry", "--error", "corrupt_document", "--json"))
    assert {row["outcome"] for row in sent_all} == {"sent"}
    assert len(sent_all) == 2

    assert arsip("queue", "forget", str(oldest["id"])).stdout == "forgot 1\n"
    unknown = arsip("queue", "forget", str(oldest["id"]))
    assert (unknown.returncode, "no dead letter" in unknown.stderr) == (1, True)
    refused = arsip("queue", "flush")
    assert (refused.returncode, "--yes" in refused.stderr) == (78, True)
    assert lines(arsip("queue", "flush", "--yes", "--json")) == [{"outcome": "forgotten", "count": 2}]
    assert lines(arsip("queue", "failed", "--all", "--json")) == []


def test_mistakes_are_told(arsip: Arsip) -> None:
    nothing = arsip("queue", "retry")
    assert (nothing.returncode, "--all" in nothing.stderr) == (78, True)
    age = arsip("queue", "failed", "--older-than", "soon")
    assert (age.returncode, "7d" in age.stderr) == (78, True)
    unknown = arsip("queue", "retry", "4711")
    assert (unknown.returncode, "no dead letter 4711" in unknown.stderr) == (1, True)
    assert arsip("queue", "show", "4711").returncode == 1
    assert arsip("queue", "retry", "--all").stdout == "no dead letter matches\n"
