"""What became of the files that were handed in."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import PermanentError, UnreadableFile
from pipeline.intake.taking import storable
from pipeline.intake.walk import Hidden, Repeated, Unreadable


class IntakeOutcome(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The same bytes are known under another path; this one is recorded as another source."""
    UNCHANGED = "unchanged"
    """This path was taken in before, and its size and time, or its bytes, are as they were."""
    SKIPPED = "skipped"
    """Hidden, or a link to a folder that is walked anyway."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class IntakeError:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class IntakeResult:
    path: str
    outcome: IntakeOutcome
    document_id: int | None = None
    error: IntakeError | None = None
    size: int | None = None
    """In bytes; None if the file was not read."""


def failed(path: str, error: PermanentError) -> IntakeResult:
    return IntakeResult(storable(path), IntakeOutcome.FAILED, error=IntakeError(error.code, str(error)))


def left_out(step: Hidden | Repeated | Unreadable) -> IntakeResult:
    if isinstance(step, Unreadable):
        return failed(step.path, UnreadableFile(step.reason))
    if isinstance(step, Repeated):
        note = IntakeError("repeated", "it links to a folder that is taken in already")
    else:
        note = IntakeError("hidden", "its name begins with a dot; --hidden takes it too")
    return IntakeResult(storable(step.path), IntakeOutcome.SKIPPED, error=note)
