"""What an operator's programs may do over HTTP, with the admin token."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Literal, Protocol

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field, SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from supportbot.errors import SyncUnderWay
from supportbot.syncing import SyncRun
from supportbot.web.bodies import ProblemBody
from supportbot.web.problems import Problem


class Syncing(Protocol):
    """What runs syncs, as this door sees it."""

    @property
    def last(self) -> SyncRun | None:
        """The sync that was asked for last."""
        ...

    def start(self) -> SyncRun:
        """Start a sync; raises `SyncUnderWay`."""
        ...


class StartedBody(BaseModel):
    """A sync that was started."""

    sync_id: str
    state: Literal["running"]


class SyncBody(BaseModel):
    """The sync that was asked for last."""

    sync_id: str
    state: Literal["running", "done", "failed"]
    exit_code: int | None = Field(description="of `supportbot-ingest sync`; 3: some failed")
    report: dict[str, Any] | None = Field(
        description="what `supportbot-ingest sync --json` printed, or `error`"
    )
    started_at: str
    seconds: float


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ProblemBody, "description": "The admin token is wrong or missing"},
    404: {"model": ProblemBody, "description": "No admin token is configured, or no sync was"},
}


def add_admin(app: FastAPI, token: SecretStr | None, syncs: Syncing | None) -> None:
    """Register the routes; without a token they are not there for anybody."""

    def admitted(request: Request) -> Syncing:
        if token is None or syncs is None:
            raise Problem(404, "There is nothing at this address; /docs lists what there is.")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_known = hmac.compare_digest(_digest(given.strip()), _digest(token.get_secret_value()))
        if scheme.lower() != "bearer" or not is_known:
            raise Problem(
                401,
                "The admin token is needed: send it as `Authorization: Bearer`.",
                {"WWW-Authenticate": "Bearer"},
            )
        return syncs

    # Not Annotated[Syncing, ...]: FastAPI looks names up in the module, not in this function.
    admitted_syncs: Any = Depends(admitted)

    @app.post(
        "/admin/sync",
        status_code=202,
        summary="Sync the configured sources",
        responses={
            202: {"model": StartedBody},
            409: {"model": ProblemBody, "description": "A sync that was asked for runs still"},
            **REFUSALS,
        },
    )
    async def start(syncs: Syncing = admitted_syncs) -> Response:
        """Starts `supportbot-ingest sync` and does not wait for its end."""
        try:
            run = syncs.start()
        except SyncUnderWay:
            raise Problem(
                409, "A sync runs already; `GET /admin/sync` tells when it is done."
            ) from None
        return JSONResponse({"sync_id": run.id, "state": run.state}, 202)

    @app.get(
        "/admin/sync",
        summary="Read the last sync that was asked for",
        responses={200: {"model": SyncBody}, **REFUSALS},
    )
    async def read(syncs: Syncing = admitted_syncs) -> Response:
        """Of this process, since it was started."""
        if syncs.last is None:
            raise Problem(404, "No sync was asked for since the service started.")
        return JSONResponse(syncs.last.to_json())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
