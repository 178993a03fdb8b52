"""Escalation: a page that was read weakly is read once more by a stronger engine, and the better reading is kept."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from engines.quality import is_better, share_of_words
from pipeline.reading.types import PageMethod, PageReading
from pipeline.settings import Settings
from pipeline.stages.recognition import Recognizer, Unread
from pipeline.stages.work import Work
from pipeline.states import Escalation, PageStatus, Stage
from pipeline.store import documents, jobs, pages, readings, stuck

DAY = timedelta(days=1)


def is_weak(reading: PageReading, settings: Settings) -> bool:
    """Whether a page that was recognised, and is not blank, was probably not read well."""
    if reading.status != PageStatus.DONE or reading.method != PageMethod.OCR:
        return False
    return (
        reading.confidence is None
        or reading.confidence < settings.escalate_below_confidence
        or share_of_words([word[0] for word in reading.words]) < settings.escalate_below_words
    )


def send_if_weak(work: Work, reading: PageReading) -> frozenset[str]:
    """Store a weak page and give it a job in the stronger queue, if the budget allows it.

    Returns:
        The name of that queue; nothing if the page needs no second reading, and then nothing was stored.

    Raises:
        LeaseLost: another worker has the job.
    """
    settings = work.archive.settings
    target = settings.escalate_to
    if not target or target == work.lease.queue or not is_weak(reading, settings):
        return frozenset()
    with work.document_locked() as (session, document):
        share = round((document.page_count or 1) * settings.escalate_share)
        others = pages.escalated(session, document.id, besides=reading.number)
        if settings.escalate_share == 0 or others >= max(1, share):
            return frozenset()
        if pages.escalated_since(session, DAY) >= settings.escalate_pages_per_day:
            return frozenset()
        pages.save(session, document.id, [reading])
        pages.wait_for_escalation(session, document.id, reading.number)
        stuck.restart(session, document.id, Stage.ESCALATE, target, [(reading.number, reading.number)])
    return frozenset({target})


def escalate(work: Work) -> frozenset[str]:
    """Work on an escalation job: read its page with the stronger engine, and let the better reading stand.

    Returns:
        The names of the queues that got jobs.

    Raises:
        TransientError: the engine failed and is worth another try.
        LeaseLost: another worker has the job.
    """
    document = work.document()
    number = work.lease.first_page or 1
    with work.archive.blobs.local_copy(document.sha256) as path:
        (found,) = Recognizer.of(work, document, path).read([number])
    if isinstance(found, Unread):
        raise found.error
    with work.document_locked() as (session, document):
        before = pages.one(session, document.id, number)
        if found.status == PageStatus.FAILED:
            outcome = Escalation.FAILED
        elif is_better(_with_confidence(found.words), _with_confidence(before.words or [])):
            outcome = Escalation.BETTER
            pages.save(session, document.id, [found])
        else:
            outcome = Escalation.WORSE
            readings.add(session, document.id, found)
        pages.end_escalation(session, document.id, number, outcome)
        jobs.complete(session, work.lease)
        return documents.advance(session, document)


def _with_confidence(words: Iterable[Sequence[Any]]) -> list[tuple[str, float]]:
    return [(word[0], word[5]) for word in words]
