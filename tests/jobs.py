"""Jobs run as workers do, without a broker."""

from collections.abc import Iterable
from contextlib import closing

from sqlalchemy import text

from pipeline.archive import Archive
from pipeline.errors import ArsipError
from pipeline.sandbox.reader import DocumentReader, open_reader
from pipeline.sandbox.sandbox import Sandbox, SandboxLimits
from pipeline.stages.runner import JobRunner
from pipeline.store import jobs


def drain(archive: Archive, reader: DocumentReader | None = None, *, before: str = "") -> list[ArsipError]:
    """Run jobs, those of queues that begin with `before` left out, until none is left; returns what they raised."""
    raised: list[ArsipError] = []
    with closing(reader or open_reader(archive.settings)) as used:
        while found := waiting(archive, before=before):
            raised += run(archive, found, used)
    return raised


def run(archive: Archive, job_ids: Iterable[int], reader: DocumentReader) -> list[ArsipError]:
    runner = JobRunner(archive, reader, ring=lambda _: None, worker="test")
    raised: list[ArsipError] = []
    for job_id in job_ids:
        try:
            runner.run(job_id)
        except ArsipError as error:
            raised.append(error)
    return raised


def waiting(archive: Archive, *, before: str = "") -> list[int]:
    """Ids of the pending jobs, however long they are to wait."""
    with archive.database.session() as session:
        session.execute(text("UPDATE jobs SET not_before = NULL, rung_at = NULL WHERE status = 'PENDING'"))
        return [
            job_id
            for queue in archive.settings.queues
            if not before or not queue.startswith(before)
            for job_id in jobs.take_waiting(session, queue, 100, again_after=0)
        ]


def reader_of(archive: Archive, tasks: str) -> DocumentReader:
    """A reader whose child does these tasks, such as some that fail."""
    sandbox = Sandbox(tasks, SandboxLimits(memory_mb=3072, max_pages=100))
    return DocumentReader(lambda _: sandbox, archive.settings)
