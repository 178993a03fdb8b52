"""Quarantine: a job that its workers died on is split into single pages, so that only the guilty one is given up."""

from pipeline.errors import WorkerDied
from pipeline.stages.work import Work
from pipeline.states import Stage
from pipeline.store import documents, jobs, pages


def is_suspect(work: Work) -> bool:
    """Whether so many workers died on the job that it must not be done as usual."""
    lease = work.lease
    if lease.quarantined:
        return lease.attempts > work.tries
    return lease.deaths >= work.archive.settings.quarantine_after_deaths


def quarantine(work: Work) -> frozenset[str]:
    """Split the job into its pages, or give it up if that is not possible.

    Returns:
        The names of the queues that got jobs.

    Raises:
        WorkerDied: it is one page already, or no matter of single pages.
        LeaseLost: another worker has the job.
    """
    lease = work.lease
    if lease.stage != Stage.OCR or lease.quarantined:
        page = f", page {lease.first_page}" if lease.quarantined else ""
        last = f"; the last one: {lease.last_failure}" if lease.last_failure else ""
        raise WorkerDied(
            f"document {lease.document_id}{page}: {lease.deaths} workers died in its {lease.stage} job{last}; "
            "look into the system's log for kills for lack of memory",
            facts=lease.death_facts,
        )
    with work.document_locked() as (session, document):
        suspects = pages.pending(session, document.id, lease.first_page or 1, lease.last_page)
        if not suspects:
            jobs.complete(session, lease)
            return documents.advance(session, document)
        jobs.isolate(session, lease, suspects, tried=False)
    return frozenset({lease.queue})
