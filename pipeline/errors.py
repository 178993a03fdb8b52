"""Everything that arsip raises on purpose. `code` is stable: it stands in tables, JSON output and dead letters.

    ArsipError
    ├── ConfigurationError           start only: a setting, plug-in or installation is wrong
    │   └── NotInstalled             an optional part is missing; the message says what to install
    ├── NotFound                     no such document, page or job
    ├── Interrupted                  the worker is told to stop; the job goes back unharmed
    ├── LeaseLost                    another worker has taken the job; the result is refused
    ├── PermanentError               the same input fails again: never retried
    │   ├── UnreadableFile           intake could not read the file (permission, vanished, not a file)
    │   ├── EmptyFile
    │   ├── UnsupportedType
    │   ├── CorruptDocument
    │   ├── EncryptedDocument
    │   ├── NoPages
    │   ├── TooLarge                 more bytes, pages or pixels than the limits allow
    │   ├── CorruptPage              one page of a document that can otherwise be read
    │   ├── LanguageUnavailable
    │   ├── AllPagesFailed
    │   ├── RetriesExhausted
    │   ├── NotRetryable             a dead letter that cannot be sent again
    │   └── WorkerDied               whoever worked on it died, again and again
    └── TransientError               may pass: retried with backoff
        ├── StorageUnavailable       Postgres, the blob store or its disk
        │   ├── DiskFull
        │   └── StatementTimedOut    Postgres gave up a statement at its time limit
        ├── IndexUnavailable
        ├── SearchTimedOut
        ├── QueueUnavailable         Redis
        ├── EngineFailed             the engine raised
        ├── EngineTimedOut           the child was killed at its deadline
        ├── EngineCrashed            the child died
        └── OutOfMemory              the child exceeded its memory limit

A message says what failed, on which document and page, and what to do.
"""

from collections.abc import Mapping
from typing import ClassVar, Self


class ArsipError(Exception):
    """
    Args:
        facts: what a program may want to know, such as how a process died: `signal`, `exit_code`, `peak_memory_mb`.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, facts: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.facts = dict(facts or {})

    def about(self, what: str) -> Self:
        """The same error, led by what it is about."""
        return type(self)(f"{what}: {self}", facts=self.facts)


class ConfigurationError(ArsipError):
    code = "configuration"


class NotInstalled(ConfigurationError):
    code = "not_installed"


class NotFound(ArsipError):
    code = "not_found"


class Interrupted(ArsipError):
    code = "interrupted"


class LeaseLost(ArsipError):
    code = "lease_lost"


class PermanentError(ArsipError):
    code = "permanent"


class UnreadableFile(PermanentError):
    code = "unreadable_file"


class EmptyFile(PermanentError):
    code = "empty_file"


class UnsupportedType(PermanentError):
    code = "unsupported_type"


class CorruptDocument(PermanentError):
    code = "corrupt_document"


class EncryptedDocument(PermanentError):
    code = "encrypted_document"


class NoPages(PermanentError):
    code = "no_pages"


class TooLarge(PermanentError):
    code = "too_large"


class CorruptPage(PermanentError):
    code = "corrupt_page"


class LanguageUnavailable(PermanentError):
    code = "language_unavailable"


class AllPagesFailed(PermanentError):
    code = "all_pages_failed"


class RetriesExhausted(PermanentError):
    code = "retries_exhausted"


class NotRetryable(PermanentError):
    code = "not_retryable"


class WorkerDied(PermanentError):
    code = "worker_died"


class TransientError(ArsipError):
    code = "transient"


class StorageUnavailable(TransientError):
    code = "storage_unavailable"


class DiskFull(StorageUnavailable):
    code = "disk_full"


class StatementTimedOut(StorageUnavailable):
    code = "statement_timed_out"


class IndexUnavailable(TransientError):
    code = "index_unavailable"


class SearchTimedOut(TransientError):
    code = "search_timed_out"


class QueueUnavailable(TransientError):
    code = "queue_unavailable"


class EngineFailed(TransientError):
    code = "engine_failed"


class EngineTimedOut(TransientError):
    code = "engine_timed_out"


class EngineCrashed(TransientError):
    code = "engine_crashed"


class OutOfMemory(TransientError):
    code = "out_of_memory"


def _classes(base: type[ArsipError]) -> dict[str, type[ArsipError]]:
    found = {base.code: base}
    for sub in base.__subclasses__():
        found |= _classes(sub)
    return found


def from_code(code: str, message: str) -> ArsipError:
    """The error that another process described by its code; an unknown code becomes a plain `ArsipError`."""
    return _classes(ArsipError).get(code, ArsipError)(message)
