from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.settings import Settings


def test_the_environment_is_read_with_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARSIP_RASTER_DPI", "200")
    monkeypatch.setenv("ARSIP_INDEX_QUEUE__TIME_LIMIT", "42")
    monkeypatch.setenv("ARSIP_INDEX_QUEUE__RETRIES", "1")
    monkeypatch.setenv("ARSIP_INDEX_QUEUE__MIN_BACKOFF", "1")
    settings = Settings()
    assert settings.raster_dpi == 200
    assert settings.queues["index"].time_limit == 42


def test_the_names_of_the_older_system_work_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_MAX_TRIES", "5")
    monkeypatch.setenv("REDIS_QUEUE", '["ingest"]')
    settings = Settings()
    assert settings.tries("ingest") == settings.tries("ocr.tesseract") == 5
    assert settings.worker_queues == ("ingest",)


def test_the_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings(home=Path("archive")).home == tmp_path / "archive"
    assert Settings(home=Path("~/archive")).home == Path.home() / "archive"


@pytest.mark.parametrize("url", ["mysql://arsip:secret-word@host/x", "postgresql://arsip:secret-word@host:port/x"])
def test_a_wrong_url_is_refused_without_being_printed(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"database_url": url})
    assert "secret-word" not in str(refused.value)


def test_secrets_are_not_printed() -> None:
    settings = Settings.model_validate({"database_url": "postgresql://arsip:secret-word@host/x"})
    assert "secret-word" not in repr(settings)


def test_an_ocr_queue_that_is_named_with_the_prefix_is_refused_with_what_to_write() -> None:
    with pytest.raises(ValidationError, match=r"'ocr\.tesseract': leave out 'ocr\.'"):
        Settings.model_validate({"ocr_queues": {"ocr.tesseract": {}}})
