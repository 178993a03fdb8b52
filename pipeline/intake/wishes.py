"""How a new document is to be read: what the command says, else the rules for its folder, else the defaults."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from pipeline.errors import ConfigurationError
from pipeline.queue_settings import OCR_PREFIX
from pipeline.settings import Settings
from pipeline.store.intake import Wishes

_LANGUAGES = re.compile(r"[A-Za-z][A-Za-z_]{1,30}(?:\+[A-Za-z][A-Za-z_]{1,30}){0,7}")


class WishRules:
    """Called with a path, it tells how the document there is to be read.

    Raises:
        ConfigurationError: an unknown queue, or malformed languages.
    """

    def __init__(self, settings: Settings, ocr_queue: str | None, languages: str | None, *, tables: bool) -> None:
        self._rules = settings.folder_rules
        self._ocr_queue = ocr_queue
        self._languages = languages
        self._default = Wishes(settings.languages, settings.default_ocr_queue, tables)
        for queue in filter(None, [ocr_queue, *(rule.queue for rule in self._rules)]):
            check_queue(settings, queue)
        for wanted in filter(None, [languages, settings.languages, *(rule.languages for rule in self._rules)]):
            check_languages(wanted)

    def __call__(self, path: str) -> Wishes:
        fitting = [rule for rule in self._rules if fnmatchcase(path, rule.path)]
        return Wishes(
            languages=self._languages or _first(rule.languages for rule in fitting) or self._default.languages,
            ocr_queue=self._ocr_queue or _first(rule.queue for rule in fitting) or self._default.ocr_queue,
            extract_tables=self._default.extract_tables,
        )


def check_queue(settings: Settings, queue: str) -> None:
    """
    Raises:
        ConfigurationError: there is no such OCR queue.
    """
    if queue not in settings.ocr_queue_names:
        key = queue.removeprefix(OCR_PREFIX)
        raise ConfigurationError(
            f"there is no OCR queue {queue!r}; known: {', '.join(settings.ocr_queue_names)}; "
            f'ARSIP_OCR_QUEUES=\'{{"{key}": {{"engine": ...}}}}\' adds it, for this command and for the workers'
        )


def check_languages(languages: str) -> None:
    """
    Raises:
        ConfigurationError: they are no languages joined by +.
    """
    if not _LANGUAGES.fullmatch(languages):
        raise ConfigurationError(f"{languages!r} are no languages; they look like eng or eng+ind")


def _first(wishes: Iterable[str | None]) -> str | None:
    return next(filter(None, wishes), None)
