"""What can go wrong on the way of a document.

::

    IngestError
    ├── SourceUnusable     a source cannot be listed at all: wrong usage, nothing is started
    ├── SyncRefused        a sync would do harm, or has nothing to do it with; nothing is promoted
    ├── DocumentUnknown    a document to be removed is not in the current release
    └── ParseFailed        one document cannot be read; the run goes on without it
        └── DocumentEmpty  it holds nothing at all: what it said before is no longer meant

Errors of the store are in `knowledge.errors`. A message is written for the person at the keyboard.
"""


class IngestError(Exception):
    """The base of every error of this package."""


class SourceUnusable(IngestError):
    """A source does not exist, is of no known kind, or cannot be listed."""


class SyncRefused(IngestError):
    """A sync would empty the knowledge base, or finds no document at all."""


class DocumentUnknown(IngestError):
    """The current release holds no document of that id."""


class ParseFailed(IngestError):
    """One document cannot be turned into text; the message is the reason."""


class DocumentEmpty(ParseFailed):
    """A document holds nothing at all."""
