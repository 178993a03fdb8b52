"""Sending a dead letter again: its job starts anew, and its document goes on from there."""

from sqlalchemy.orm import Session

from pipeline.errors import NotRetryable
from pipeline.states import Stage
from pipeline.store import dead_letters, documents, jobs, pages
from pipeline.tables import DeadLetter


def retry(session: Session, letter_id: int) -> str | None:
    """Send the job of a dead letter again. However often it is asked for, the job runs once.

    Returns:
        The queue to ring for; None if the letter was sent again before, or its job goes on anyway.

    Raises:
        NotFound: no letter has this id.
        NotRetryable: the letter is of no job.
    """
    letter = dead_letters.load(session, letter_id)
    if letter.job_id is None or letter.job_token is None or letter.document_id is None:
        raise NotRetryable(
            f"dead letter {letter_id} is of no job ({letter.error_code}: {letter.error_message}); "
            f"`arsip queue forget {letter_id}` removes it"
        )
    documents.load(session, letter.document_id, lock=True)
    letter = dead_letters.load(session, letter_id, lock=True)
    if letter.retried_at is not None:
        return None
    dead_letters.settle(session, letter_id)
    return _send(session, letter)


def _send(session: Session, letter: DeadLetter) -> str | None:
    assert letter.job_id is not None
    assert letter.job_token is not None
    job = jobs.send_again(session, letter.job_id, letter.job_token)
    if job is None:
        return None
    documents.resume(session, job.document_id)
    if job.stage != Stage.INDEX:
        if job.stage == Stage.ESCALATE:
            pages.wait_for_escalation(session, job.document_id, job.first_page or 1)
        else:
            pages.reset_failed(session, job.document_id, job.first_page or 1, job.last_page)
        jobs.drop_index(session, job.document_id)
    return job.queue
