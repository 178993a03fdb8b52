"""What can be set of a queue. Each kind of queue has defaults of its own, and any of them can be set alone."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.reading.types import EngineSpec

Seconds = Annotated[float, Field(gt=0)]
Retries = Annotated[int, Field(ge=0)]

OCR_PREFIX = "ocr."


class Priority(StrEnum):
    """How a worker orders the messages that it holds; Redis itself knows no priority."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class QueueSettings(BaseModel):
    """How the jobs of one queue are worked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    priority: Priority = Priority.HIGH
    time_limit: Seconds
    """Of a job."""
    retries: Retries
    """After the first try."""
    min_backoff: Seconds
    max_backoff: Seconds = 3600


class IngestQueueSettings(QueueSettings):
    time_limit: Seconds = 1800
    retries: Retries = 3
    min_backoff: Seconds = 15


class IndexQueueSettings(QueueSettings):
    priority: Priority = Priority.MEDIUM
    time_limit: Seconds = 600
    retries: Retries = 3
    min_backoff: Seconds = 15


class OcrQueueSettings(QueueSettings):
    """A queue whose pages one engine reads; the queue's name is `ocr.` and the key it stands under."""

    engine: str = ""
    """Name of an installed engine; by default the key."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Those of the engine."""
    batch_size: Annotated[int, Field(gt=0)] = 1
    """Pages that the engine is given at once; while it works, the pages of the next batch are drawn."""
    memory_mb: Annotated[int, Field(ge=0)] | None = None
    """Address space of the child that holds the engine; by default what the engine says, else `sandbox_memory_mb`.
    0 is no limit."""
    page_time_limit: Seconds | None = None
    """Of one page; by default the setting of that name."""
    time_limit: Seconds = 3600
    retries: Retries = 2
    min_backoff: Seconds = 60

    def spec(self, languages: str) -> EngineSpec:
        """The queue's engine as the child is told it, for languages that are joined by +."""
        return EngineSpec(self.engine, self.options, languages, self.memory_mb)
