"""Errors as HTTP clients read them: RFC 9457 problem details, nothing of our insides."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request is refused.

    Args:
        status: HTTP status.
        detail: what happened and what to do next, for the person who reads the response.
        headers: extra headers of the response.
        members: extension members of the body (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> Response:
        """Return the refusal as a response."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return Response(json.dumps(body), self.status, self.headers, MEDIA_TYPE)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: unknown routes and methods, unreadable bodies."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    details = {
        404: "There is nothing at this address; /docs lists what there is.",
        405: "This address does not take this method; /docs lists what it takes.",
        400: "The body could not be read as JSON.",
    }
    detail = details.get(error.status_code, "The request could not be handled.")
    return Problem(error.status_code, detail, error.headers).response()


async def on_state_unavailable(request: Request, error: Exception) -> Response:
    """Say that what is remembered cannot be reached; why is in the log."""
    log.error("the state database did not answer: %s", error)
    detail = "Conversations cannot be reached right now. Please try again in a moment."
    return Problem(503, detail, {"Retry-After": "5"}).response()


async def on_invalid_body(request: Request, error: Exception) -> Response:
    """Name the fields that are wrong; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return Problem(400, "The body is not valid JSON.").response()
    errors = [{"field": _field(one["loc"]), "detail": str(one["msg"])} for one in found[:10]]
    text = "; ".join(f"{one['field']}: {one['detail']}" for one in errors)
    return Problem(422, f"The request is not valid: {text}.", errors=errors).response()


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or "body"
