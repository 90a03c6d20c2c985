"""What can go wrong on the way of a document.

::

    IngestError
    ├── SourceUnusable     a source cannot be listed at all: wrong usage, nothing is started
    │   └── SourceUnreachable  it is given rightly, but does not answer, or not as it should
    ├── SyncRefused        a sync would do harm, or has nothing to do it with; nothing is promoted
    ├── GoldenWrong        the file of golden questions is wrong: wrong usage, nothing is started
    ├── DocumentUnknown    a document to be removed is not in the current release
    └── ParseFailed        one document cannot be read; the run goes on without it
        ├── DocumentEmpty  it holds nothing at all: what it said before is no longer meant
        ├── FetchRefused   its address may not be fetched, now or later
        ├── FetchFailed    it could not be fetched, for now or for good
        └── ParseTooSlow   its parser took too long, as it may do on a busy machine only

Errors of the store are in `knowledge.errors`. A message is written for the person at the keyboard.
"""


class IngestError(Exception):
    """The base of every error of this package."""


class SourceUnusable(IngestError):
    """A source does not exist, is of no known kind, or cannot be listed."""


class SourceUnreachable(SourceUnusable):
    """A source cannot be listed for now, with nothing to mend at what was typed or set."""


class SyncRefused(IngestError):
    """A sync would empty the knowledge base, or finds no document at all."""


class GoldenWrong(IngestError):
    """The file of golden questions cannot be read, or says something that makes no sense."""


class DocumentUnknown(IngestError):
    """The current release holds no document of that id."""


class ParseFailed(IngestError):
    """One document cannot be turned into text; the message is the reason.

    Attributes:
        is_transient: it may well go better at a later try, with nothing changed.
    """

    is_transient = False


class DocumentEmpty(ParseFailed):
    """A document holds nothing at all."""


class FetchRefused(ParseFailed):
    """An address must not be fetched: by its scheme, host, port or where its name leads."""


class FetchFailed(ParseFailed):
    """An address could not be fetched, or answered with nothing that is of use."""

    def __init__(
        self,
        reason: str,
        *,
        is_transient: bool = False,
        retry_after: float | None = None,
        status: int = 0,
        is_away: bool = False,
    ) -> None:
        super().__init__(reason)
        self.is_transient = is_transient  # it may well work soon
        self.retry_after = retry_after  # seconds, where the server named them
        self.status = status  # of HTTP; 0: there was no answer
        self.is_away = is_away  # there was nobody to ask: no such name, or it refuses to connect


class ParseTooSlow(ParseFailed):
    """A document's parser took longer than it may."""

    is_transient = True
