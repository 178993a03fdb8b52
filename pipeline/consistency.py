"""Compares the parts of the archive with each other: database, originals, search index; some of it in each run."""

import logging
import time
from collections.abc import Iterator
from itertools import islice

from pipeline.archive import Archive
from pipeline.states import Stage
from pipeline.store import check, documents, stuck
from pipeline.store.check import Checked

logger = logging.getLogger(__name__)

DOCUMENTS = 200
BLOBS = 1000
"""What is looked at in one run: on S3 each document costs a request, and a thousand blobs one."""
SETTLED = 3600.0
"""Seconds: a blob is stored before its document is, so a young one without a document is no orphan."""


class Consistency:
    """Goes round the archive, run by run. An index that differs is mended; originals are never deleted."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._last_id = 0
        self._blobs: Iterator[str] | None = None

    def run(self) -> None:
        """
        Raises:
            StorageUnavailable, IndexUnavailable: a part is away.
        """
        self._check_documents()
        self._check_blobs()

    def _check_documents(self) -> None:
        with self._archive.database.session() as session:
            found = check.after(session, self._last_id, DOCUMENTS)
        indexed = self._archive.index.pages([document.id for document in found])
        for document in found:
            if not self._archive.blobs.has(document.sha256):
                logger.error(
                    "document %d: its original is missing; `arsip ingest --rehash` its file stores it again",
                    document.id,
                )
            if document.status.final and not document.is_indexed_as(indexed.get(document.id, frozenset())):
                self._mend_index(document)
        self._last_id = found[-1].id if len(found) == DOCUMENTS else 0

    def _mend_index(self, seen: Checked) -> None:
        """Decided under the lock, as it may just have been indexed anew."""
        with self._archive.database.session() as session:
            document = documents.load(session, seen.id, lock=True)
            if stuck.has_live_job(session, seen.id):
                return
            if document.full_text_indexed:
                stuck.restart(session, seen.id, Stage.INDEX, "index", [(None, None)])
            else:
                self._archive.index.delete([seen.id])
        logger.warning("document %d: the search index differed and is mended", seen.id)

    def _check_blobs(self) -> None:
        if self._blobs is None:
            self._blobs = self._archive.blobs.written_before(time.time() - SETTLED)
        hashes = list(islice(self._blobs, BLOBS))
        if len(hashes) < BLOBS:
            self._blobs = None
        with self._archive.database.session() as session:
            for sha256 in sorted(check.unknown_hashes(session, hashes)):
                logger.warning("the blob %s is of no document; a file was stored and never recorded", sha256)
