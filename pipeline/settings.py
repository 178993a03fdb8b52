"""All settings, read once at the edge (a CLI callback, a worker's start) and passed down.

Each field is an environment variable with the prefix `ARSIP_`: `raster_dpi` is `ARSIP_RASTER_DPI`. The names that
operators of the older PHP system know (`WORKER_MAX_JOBS`, `REDIS_QUEUE`, ...) work too.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, from_json
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from engines.registry import engine_names
from pipeline.errors import ConfigurationError
from pipeline.numbers import NumberPattern
from pipeline.queue_settings import (
    OCR_PREFIX,
    IndexQueueSettings,
    IngestQueueSettings,
    OcrQueueSettings,
    QueueSettings,
    Seconds,
)

Megabytes = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class FolderRule(BaseModel):
    """How documents are read that are found on certain paths; what a command says goes before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """A pattern for whole paths, with * for anything, such as `/scans/receipts/*`."""
    queue: str | None = None
    languages: str | None = None


def _legacy(name: str, older: str | None = None) -> AliasChoices:
    """The variables of a setting that the older system has too, mostly under the same name without the prefix."""
    return AliasChoices(f"ARSIP_{name}", older or name)


def _with_scheme(url: SecretStr, *schemes: str) -> SecretStr:
    """The URL, which may hold a password and so is never printed."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in schemes:
        raise ValueError(f"the URL begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the URL's port is no number") from None
    return url


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        hide_input_in_errors=True,
        env_prefix="ARSIP_",
        env_nested_delimiter="__",
        frozen=True,
        populate_by_name=True,
        extra="ignore",
    )

    home: Path = Field(default_factory=lambda: platformdirs.user_data_path("arsip"))
    """Where the embedded servers, the local blobs and the logs live."""
    database_url: SecretStr | None = None
    """A `postgresql://` URL; without one, an embedded PostgreSQL is started in `home`."""
    redis_url: SecretStr | None = None
    """A `redis://` or `unix://` URL; without one, an embedded Valkey is started in `home`."""
    redis_namespace: str = "arsip"
    blob_url: str | None = None
    """`s3://bucket/prefix`, `file:///path` or any URL that obstore knows; default: `home`/blobs."""
    search_index: str = "postgres"
    log_level: str = "INFO"

    languages: str = "eng"
    """Languages of documents that name none, joined by +, such as `eng+ind`."""
    default_ocr_queue: str = "ocr.tesseract"
    folder_rules: tuple[FolderRule, ...] = ()
    """Of the rules whose pattern fits a path, the first that says something of it decides."""
    ingest_queue: IngestQueueSettings = IngestQueueSettings()
    ocr_queues: dict[str, OcrQueueSettings] = Field(default_factory=dict)
    """Queues by their names without `ocr.`. One that another setting names and that is not here has the engine of its
    name, with the engine's defaults."""
    escalate_to: str | None = None
    """The OCR queue of a stronger engine, which reads weak pages once more; none: no page is read twice."""
    escalate_below_confidence: Fraction = 0.93
    """A page is weak if its mean confidence is below it; docs/accuracy.md tells what that gains and costs."""
    escalate_below_words: Fraction = 0.6
    """A page is weak if a smaller share of its words looks like words or numbers."""
    escalate_share: Fraction = 0.5
    """At most this share of a document's pages is read twice; of any document at least one page may be."""
    escalate_pages_per_day: Annotated[int, Field(ge=0)] = 10_000
    index_queue: IndexQueueSettings = IndexQueueSettings()
    search_time_limit: Seconds = 30
    """How long a statement of a search may take: one that matches nearly everything keeps the database busy."""
    queue_window: Annotated[int, Field(gt=0)] = 1000
    """At most about this many messages of one queue lie in Redis; the other jobs wait in Postgres."""

    max_file_mb: Megabytes = 2048
    max_pages: Annotated[int, Field(gt=0)] = 10_000
    raster_dpi: Annotated[int, Field(ge=72, le=1200)] = 300
    max_page_megapixels: Annotated[int, Field(gt=0)] = 100
    """A page raster above it is made at a lower resolution, and the page says so."""
    max_image_megapixels: Annotated[int, Field(gt=0)] = 500
    """An image file that declares more pixels than this is refused before it is decoded."""
    page_time_limit: Seconds = 180
    reuse_results: bool = True
    """Whether a page that looks exactly like one that was read in the same way takes over its result."""
    pages_per_job: Annotated[int, Field(gt=0)] = 2

    text_layer_min_characters: Annotated[int, Field(ge=0)] = 50
    text_layer_margin: Fraction = 0.125
    """Share of the page's width and height at each edge where characters do not count."""
    text_layer_max_garbled: Fraction = 0.1
    text_layer_sample: Annotated[int, Field(ge=0)] = 50
    """Of so many pages with a text layer one is tested: a few lines are recognised and compared. 0: none is."""
    text_layer_agreement: Fraction = 0.3
    """Share of the words of a tested text layer that must be found in its picture; below it the text layers of the
    pages that it stands for are not believed, and they are recognised. Wrong maps to Unicode have 0, sound layers in
    small print 0.4 and more."""
    image_cover_for_ocr: Fraction = 0.7
    """A page with text is recognised all the same when images cover more of it than this and its text is thin."""

    sandbox_memory_mb: Megabytes = 3072
    """Address space of a child that opens documents."""
    sandbox_max_pages: Annotated[int, Field(gt=0)] = 200
    """A child is replaced after so many pages."""

    number_patterns: tuple[NumberPattern, ...] | None = None
    """Replaces the built-in document-number patterns."""

    lease_seconds: Seconds = 120
    lease_renew_seconds: Seconds = 20
    ring_every_seconds: Seconds = 30
    """How often a worker looks for jobs whose message was lost."""
    ring_again_after_seconds: Seconds = 120
    """After how long the message of a waiting job counts as lost though others lie in its queue."""
    worker_grace_seconds: Seconds = 30
    """How long a worker that is told to stop may finish the page in hand."""
    quarantine_after_deaths: Annotated[int, Field(gt=0)] = 3
    """After so many dead workers a job is split into single pages, and a page that goes on is given up."""
    worker_max_jobs: Annotated[int, Field(gt=0, validation_alias=_legacy("WORKER_MAX_JOBS"))] = 1000
    """A worker is replaced after so many jobs."""
    worker_memory_limit: Annotated[Megabytes, Field(validation_alias=_legacy("WORKER_MEMORY_LIMIT"))] = 512
    """Resident megabytes above which a worker is replaced after its job; its child has limits of its own."""
    worker_queues: Annotated[
        tuple[str, ...], NoDecode, Field(validation_alias=_legacy("WORKER_QUEUES", "REDIS_QUEUE"))
    ] = ()
    """Queues that a worker takes; empty: all. Names joined by commas, or a list in JSON."""
    worker_max_tries: Annotated[int | None, Field(gt=0, validation_alias=_legacy("WORKER_MAX_TRIES"))] = None
    """Tries of a job on every queue, the first one included; replaces the queues' own `retries`."""
    worker_timeout: Annotated[float | None, Field(gt=0, validation_alias=_legacy("WORKER_TIMEOUT"))] = None
    """Seconds that a job of any queue may take; replaces the queues' own `time_limit`."""
    worker_sleep: Annotated[Seconds, Field(validation_alias=_legacy("WORKER_SLEEP"))] = 0.25
    """Seconds that an idle worker sleeps at most between two looks at a queue. With 0.1, looking took a third of what a
    worker needs besides recognising."""
    queue_connection: Annotated[Literal["redis"], Field(validation_alias=_legacy("QUEUE_CONNECTION"))] = "redis"
    """The older system had others too; whoever still names one is told."""

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        return value and _with_scheme(value, "postgresql")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        return value and _with_scheme(value, "redis", "rediss", "unix")

    @field_validator("worker_queues", mode="before")
    @classmethod
    def _names_are_a_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return from_json(value) if value.lstrip().startswith("[") else tuple(filter(None, value.split(",")))

    @field_validator("ocr_queues")
    @classmethod
    def _named_without_prefix(cls, value: dict[str, OcrQueueSettings]) -> dict[str, OcrQueueSettings]:
        for name in value:
            if name.startswith(OCR_PREFIX):
                raise ValueError(f"{name!r}: leave out {OCR_PREFIX!r} here, it is put before every key")
        return value

    @model_validator(mode="after")
    def _queues_exist(self) -> Self:
        named = {"default_ocr_queue": self.default_ocr_queue, "escalate_to": self.escalate_to}
        for setting, queue in [*named.items(), *(("folder_rules", rule.queue) for rule in self.folder_rules)]:
            if queue and queue not in self.ocr_queue_names:
                raise ValueError(
                    f"{setting} is {queue!r}, which is no key of ocr_queues with {OCR_PREFIX} before it, and no "
                    f"installed engine's name ({', '.join(engine_names())})"
                )
        if self.lease_renew_seconds >= self.lease_seconds:
            raise ValueError("lease_renew_seconds must be less than lease_seconds")
        return self

    @property
    def ocr_queue_names(self) -> tuple[str, ...]:
        return tuple(self.named_ocr_queues)

    @property
    def queues(self) -> dict[str, QueueSettings]:
        """Every queue that carries documents, by its full name."""
        return {"ingest": self.ingest_queue, **self.named_ocr_queues, "index": self.index_queue}

    @cached_property
    def named_ocr_queues(self) -> dict[str, OcrQueueSettings]:
        """The OCR queues by their full names, with those that other settings imply."""
        queues = {
            f"{OCR_PREFIX}{name}": queue.model_copy(update={"engine": queue.engine or name})
            for name, queue in self.ocr_queues.items()
        }
        named = [self.default_ocr_queue, self.escalate_to, *(rule.queue for rule in self.folder_rules)]
        for queue in filter(None, named):
            engine = queue.removeprefix(OCR_PREFIX)
            if queue not in queues and queue.startswith(OCR_PREFIX) and engine in engine_names():
                queues[queue] = OcrQueueSettings(engine=engine)
        return queues

    def job_pages(self, ocr_queue: str) -> int:
        """How many pages one job of an OCR queue has."""
        queue = self.named_ocr_queues.get(ocr_queue)
        return max(self.pages_per_job, queue.batch_size if queue else 1)

    def time_limit(self, queue: str) -> float:
        """Seconds that a job of this queue may take."""
        return self.worker_timeout or self.queues[queue].time_limit

    def tries(self, queue: str) -> int:
        """How often a job of this queue is started before it fails for good."""
        return self.worker_max_tries or self.queues[queue].retries + 1


def read_settings() -> Settings:
    """The settings from the environment.

    Raises:
        ConfigurationError: a variable says what no setting can be; all that do are named, and no value is, as it may be
            a password.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_told, error.errors()))) from None
    except SettingsError as error:
        raise ConfigurationError(f"{error}: it has to be JSON ({error.__cause__})") from None


def _told(fault: ErrorDetails) -> str:
    place, message = fault["loc"], fault["msg"].removeprefix("Value error, ")
    if not place:
        return message
    # Else it is one of a field's names, written out.
    prefix = "ARSIP_" if place[0] in Settings.model_fields else ""
    return f"{prefix}{'__'.join(map(str, place)).upper()}: {message}"
