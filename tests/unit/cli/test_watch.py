"""What a person sees of long work."""

import io

import pytest
from rich.console import Console

from cli.watch import ProgressDisplay, duration


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_documents_pages_speed_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    console = terminal()
    with ProgressDisplay(console) as display:
        monkeypatch.setattr(display, "_started", display._started - 20)
        display.show(documents_done=1, documents=4, pages_done=40, pages=240)
    shown = written(console)
    for part in ("documents", "1/4", "pages", "40/240", "2.0 pages/s", "1 min 40 s left"):
        assert part in shown


def test_what_is_said_meanwhile_stays_above_the_display() -> None:
    console = terminal()
    with ProgressDisplay(console) as display:
        display.show(documents_done=0, documents=1, pages_done=0, pages=1)
        console.print("PROCESSED  document 1")
        display.say("no worker takes ocr.tesseract")
    assert "PROCESSED  document 1\n" in written(console)
    assert "no worker takes ocr.tesseract\n" in written(console)


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=200)
    with ProgressDisplay(console) as display:
        display.show(documents_done=1, documents=4, pages_done=40, pages=240)
        assert written(console) == ""
        monkeypatch.setattr(display, "_next_line", 0.0)
        display.show(documents_done=2, documents=4, pages_done=80, pages=240)
        display.show(documents_done=3, documents=4, pages_done=90, pages=240)
    assert written(console).startswith("2 of 4 documents, 80 of 240 pages, ")
    assert written(console).count("\n") == 1


def test_json_output_has_no_display() -> None:
    console = terminal()
    with ProgressDisplay(console, quiet=True) as display:
        display.show(documents_done=1, documents=4, pages_done=40, pages=240)
    assert written(console) == ""


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")])
def test_durations_are_readable(seconds: float, words: str) -> None:
    assert duration(seconds) == words
