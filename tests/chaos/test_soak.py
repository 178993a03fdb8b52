"""A short soak; `make soak MINUTES=60` is the long one."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rich.console import Console

from tests.chaos.__main__ import report
from tests.chaos.soak import soak
from tests.parts import require_part

MINUTES = 3.0 if os.environ.get("ARSIP_REQUIRE_PARTS") else 0.75


@pytest.fixture
def home() -> Iterator[Path]:
    """Outside pytest's folders, which the user that runs PostgreSQL cannot reach."""
    with TemporaryDirectory(prefix="arsip-soak-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.timeout(900)
def test_nothing_is_lost_and_nothing_is_done_twice_whatever_dies(home: Path) -> None:
    toxiproxy = require_part(
        "toxiproxy-server", "server", install="go install github.com/Shopify/toxiproxy/v2/cmd/server@latest"
    )
    said: list[str] = []
    outcome = soak(home, toxiproxy, minutes=MINUTES, seed=7, say=said.append)
    report(outcome, Console(width=100))
    assert outcome.faults.total() >= MINUTES * 5
    assert outcome.documents >= 50
    assert (outcome.lost, outcome.duplicated, outcome.violations) == ([], [], {}), "\n".join(said)
