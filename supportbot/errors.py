"""What can go wrong between a question and its answer.

::

    SupportbotError
    ├── ModelError            one try at the model endpoint failed; `kind` says how
    ├── RetrievalFailed       the knowledge base could not be searched in time
    ├── StateUnavailable      the state database cannot be reached
    ├── EvaluationFailed      a dataset is malformed, or its corpus could not be built
    └── SyncUnderWay          a sync that was asked for is not done yet

Errors of the knowledge base itself are in `knowledge.errors`. Messages are for logs and operators;
an asker only ever sees an `Answer` with its reference id.
"""

from __future__ import annotations

from enum import StrEnum


class SupportbotError(Exception):
    """The base of every error of this package."""


class FailureKind(StrEnum):
    """How one try at the model endpoint failed."""

    REFUSED = "refused"  # no connection
    TIMEOUT = "timeout"  # no first byte, or a silent or endless stream
    RATE_LIMITED = "rate_limited"  # 429, base_resp 1002
    OVERLOADED = "overloaded"  # 5xx, 529
    UNAUTHORISED = "unauthorised"  # 401, 403, base_resp 1004
    NO_CREDIT = "no_credit"  # 402, base_resp 1008
    BAD_REQUEST = "bad_request"  # 400, 404, 413, 422: asking again will not help
    SENSITIVE = "sensitive"  # the provider's content filter, 1026 and 1027
    CUT = "cut"  # the stream ended before the answer did
    MALFORMED = "malformed"  # HTML, an error object or no choices under a 200
    EMPTY = "empty"  # no text, or thinking only
    FIELD_REFUSED = "field_refused"  # an optional field of the request; it is left out from now on
    CIRCUIT_OPEN = "circuit_open"  # not asked: the endpoint failed too often just now


class ModelError(SupportbotError):
    """One try at the model endpoint failed.

    Args:
        kind: how it failed.
        detail: for the log; secrets masked, never shown to an asker.
        retry_after: seconds after which the endpoint asks to be tried again.
    """

    def __init__(self, kind: FailureKind, detail: str = "", retry_after: float | None = None):
        super().__init__(f"{kind}: {detail}" if detail else str(kind))
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after

    @property
    def is_transient(self) -> bool:
        """Tell whether the same request may succeed if it is sent again."""
        return self.kind not in _PERMANENT


_PERMANENT = frozenset(
    {
        FailureKind.UNAUTHORISED,
        FailureKind.NO_CREDIT,
        FailureKind.BAD_REQUEST,
        FailureKind.SENSITIVE,
        FailureKind.CIRCUIT_OPEN,
    }
)


class RetrievalFailed(SupportbotError):
    """The knowledge base could not be searched in time."""


class StateUnavailable(SupportbotError):
    """The state database cannot be reached."""


class EvaluationFailed(SupportbotError):
    """A dataset is malformed, or its corpus could not be built."""


class SyncUnderWay(SupportbotError):
    """A sync that was asked for is not done yet."""


class SlackCallFailed(SupportbotError):
    """One call of the Slack Web API failed.

    Args:
        method: the API method, such as `chat.update`.
        code: Slack's error code, or `http_503`, `unreachable`, `no_reply`.
        is_transient: the same call may succeed later.
        is_lost: the call may have been carried out although no reply said so.
        retry_after: seconds after which Slack asks to be called again.
    """

    def __init__(
        self,
        method: str,
        code: str,
        *,
        is_transient: bool = False,
        is_lost: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{method}: {code}")
        self.method = method
        self.code = code
        self.is_transient = is_transient
        self.is_lost = is_lost
        self.retry_after = retry_after

    @property
    def is_dead_token(self) -> bool:
        """Tell whether no call with this token will ever succeed again."""
        return self.code in _DEAD_TOKEN


_DEAD_TOKEN = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"}
)
