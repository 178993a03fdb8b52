"""What an engine may raise; `pipeline` translates these once, where it calls the engine.

EngineError
├── EngineUnavailable     the engine, its model or its device is not there
│   └── LanguageMissing   no model for a language that was asked for
└── RecognitionFailed     this image could not be recognised
"""


class EngineError(Exception):
    """Base of everything that an engine raises on purpose."""


class EngineUnavailable(EngineError):
    """The engine cannot be opened on this machine; the message says what to install or set."""


class LanguageMissing(EngineUnavailable):
    """No model for a language that was asked for; the message names it and the way to get it."""


class RecognitionFailed(EngineError):
    """The engine gave up on one image; the others of the batch are not affected."""
