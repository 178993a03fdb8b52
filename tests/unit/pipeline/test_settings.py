from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import ConfigurationError
from pipeline.queue_settings import IndexQueueSettings
from pipeline.settings import Settings, read_settings


def test_the_environment_is_read_with_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARSIP_RASTER_DPI", "200")
    monkeypatch.setenv("ARSIP_INDEX_QUEUE__TIME_LIMIT", "42")
    settings = Settings()
    assert settings.raster_dpi == 200
    assert settings.queues["index"] == IndexQueueSettings(time_limit=42)


def test_the_names_of_the_older_system_work_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_MAX_TRIES", "5")
    monkeypatch.setenv("WORKER_TIMEOUT", "90")
    monkeypatch.setenv("WORKER_SLEEP", "3")
    monkeypatch.setenv("QUEUE_CONNECTION", "redis")
    settings = Settings()
    assert settings.tries("ingest") == settings.tries("ocr.tesseract") == 5
    assert settings.time_limit("ingest") == settings.time_limit("index") == 90
    assert settings.worker_sleep == 3


@pytest.mark.parametrize(
    ("written", "queues"),
    [("ingest", ("ingest",)), ("ingest,index", ("ingest", "index")), ('["ingest", "index"]', ("ingest", "index"))],
)
def test_queues_are_named_as_the_older_system_does_or_as_json(
    monkeypatch: pytest.MonkeyPatch, written: str, queues: tuple[str, ...]
) -> None:
    monkeypatch.setenv("REDIS_QUEUE", written)
    assert Settings().worker_queues == queues


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


@pytest.mark.parametrize(("expression", "fault"), [("(", "no regular expression"), (r"\d+", "needs a group")])
def test_a_wrong_number_pattern_is_refused_with_what_is_wrong(expression: str, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Settings.model_validate({"number_patterns": [{"name": "berkas", "expression": expression}]})


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ARSIP_RASTER_DPI", "many", "ARSIP_RASTER_DPI: Input should be a valid integer"),
        ("ARSIP_INDEX_QUEUE__TIME_LIMIT", "-1", "ARSIP_INDEX_QUEUE__TIME_LIMIT: Input should be greater than 0"),
        ("ARSIP_WORKER_MAX_JOBS", "0", "ARSIP_WORKER_MAX_JOBS: Input should be greater than 0"),
        ("WORKER_MAX_JOBS", "0", "ARSIP_WORKER_MAX_JOBS: Input should be greater than 0"),
        ("QUEUE_CONNECTION", "database", "ARSIP_QUEUE_CONNECTION: Input should be 'redis'"),
        ("ARSIP_DEFAULT_OCR_QUEUE", "ocr.nobody", "default_ocr_queue is 'ocr.nobody', which is no key of ocr_queues"),
        ("ARSIP_OCR_QUEUES", '{"tesseract', ".*ocr_queues.*it has to be JSON"),
        ("REDIS_QUEUE", '["ingest', "ARSIP_WORKER_QUEUES: EOF while parsing"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{told}"):
        read_settings()
