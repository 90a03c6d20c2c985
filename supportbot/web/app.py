"""The web door: the HTTP API, the widget and its pages. It renders; the answerer answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any, Literal, Protocol

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from supportbot.config import BotSettings
from supportbot.conversation import Answer, AnswerEvent, Question
from supportbot.errors import StateUnavailable
from supportbot.web import stream
from supportbot.web.admin import Syncing, add_admin
from supportbot.web.auth import Access, Caller
from supportbot.web.bodies import (
    AnswerBody,
    AnswerRequest,
    ConversationBody,
    FeedbackRequest,
    ProblemBody,
)
from supportbot.web.gate import Gate
from supportbot.web.limits import RateLimit
from supportbot.web.metrics import MEDIA_TYPE, Metrics
from supportbot.web.pages import Pages
from supportbot.web.problems import (
    Problem,
    on_http_exception,
    on_invalid_body,
    on_state_unavailable,
)

DESCRIPTION = (
    "Questions in, checked and cited answers out. Where widgets are configured, every request to "
    "`/v1/` carries the key of one, as `Authorization: Bearer` or `X-Widget-Key`."
)
QUESTIONS_A_MINUTE = 20  # of one visitor
QUESTIONS_A_MINUTE_OF_KEY = 600  # of all visitors of one widget
PING_SECONDS = 6.0

log = logging.getLogger(__name__)


class Answering(Protocol):
    """The answerer, as a door sees it."""

    def stream(self, question: Question) -> AsyncIterator[AnswerEvent]:
        """Yield what happens, last of all the Answer."""
        ...

    async def answer(self, question: Question) -> Answer:
        """Return the final answer."""
        ...


class Conversations(Protocol):
    """What is remembered, as a door sees it."""

    async def answers(self, conversation_id: str) -> tuple[Answer, ...]:
        """Return the answers of a conversation, oldest first."""
        ...

    async def forget(self, conversation_id: str) -> bool:
        """Erase a conversation; tell whether there was one."""
        ...

    async def conversation_of(self, answer_id: str) -> str | None:
        """Return the conversation of an answer; None: there is no such answer."""
        ...

    async def rate(
        self, answer_id: str, rating: Literal["up", "down"], reason: str = "", comment: str = ""
    ) -> bool:
        """Keep a rating, the last one wins; tell whether there is such an answer."""
        ...


class WebServices(Protocol):
    """The open services that this door needs."""

    @property
    def settings(self) -> BotSettings:
        """The bot's settings."""
        ...

    @property
    def answerer(self) -> Answering:
        """Who answers."""
        ...

    @property
    def threads(self) -> Conversations:
        """What is remembered."""
        ...

    async def ping(self) -> dict[str, str]:
        """Return for each part "" when it works, else the reason for the log."""
        ...


def create_app(
    services: WebServices, slack: ASGIApp | None = None, syncs: Syncing | None = None
) -> FastAPI:
    """Return the application that serves these open services.

    Args:
        services: what answers and remembers; the caller opens and closes it.
        slack: takes Slack's events at `/slack/events`.
        syncs: runs the syncs that are asked for at `/admin/sync`.
    """
    app = FastAPI(
        title="supportbot",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            HTTPException: on_http_exception,
            RequestValidationError: on_invalid_body,
            StateUnavailable: on_state_unavailable,
        },
    )
    metrics = app.state.metrics = Metrics()
    _add_answers(app, _Asking(services.answerer, metrics))
    _add_conversations(app, services.threads)
    _add_health(app, services, metrics)
    add_admin(app, services.settings.admin_token, syncs)
    Pages(services.settings, app.openapi).add_to(app)
    if slack is not None:
        app.router.routes.append(Route("/slack/events", _Mounted(slack), methods=["POST"]))
    app.add_middleware(Gate, access=Access(services.settings.widgets))
    return app


class _Mounted:
    """An application at one exact address: Starlette calls a plain function with a Request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _own_conversation(request: Request, conversation_id: str) -> str:
    if not _caller(request).owns(conversation_id):
        raise Problem(404, NO_CONVERSATION)
    return conversation_id


AskedBy = Annotated[Caller, Depends(_caller)]
OwnConversation = Annotated[str, Depends(_own_conversation)]
NO_CONVERSATION = "There is no such conversation, or another widget key opened it."
STREAM_SCHEMA = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'event: status\ndata: {"stage":"searching","detail":""}\n\n'
        'event: text\ndata: {"delta":"Open the app settings. [1]"}\n\n'
        "event: answer\ndata: {…}\n\n",
    }
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ProblemBody, "description": "Problem details (RFC 9457)"},
    422: {"model": ProblemBody, "description": "The body is not as described"},
}


class _Asking:
    """Lets a caller's question through the limits and counts its answer."""

    def __init__(self, answerer: Answering, metrics: Metrics) -> None:
        self._answerer = answerer
        self._metrics = metrics
        self._by_visitor = RateLimit(QUESTIONS_A_MINUTE)
        self._by_key = RateLimit(QUESTIONS_A_MINUTE_OF_KEY)

    def question(self, body: AnswerRequest, caller: Caller) -> Question:
        """Return the question, or raise a `Problem` when the caller asked too often."""
        if caller.widget is not None:
            self._check("visitor", self._by_visitor.wait(caller.visitor))
            key = caller.widget.key.get_secret_value()
            self._check("key", self._by_key.wait(key))
        given = body.conversation_id
        known = given is not None and caller.owns(given)
        return Question(
            text=body.question,
            conversation_id=given if given and known else caller.new_conversation(),
            scope=caller.scope,
            door="http",
            workspace=caller.widget.workspace if caller.widget else "",
        )

    async def answer(self, question: Question) -> Answer:
        """Return the final answer."""
        answer = await self._answerer.answer(question)
        self._metrics.answered("http", answer)
        return answer

    async def events(self, question: Question) -> AsyncIterator[AnswerEvent]:
        """Yield what happens, last of all the answer."""
        async for event in self._answerer.stream(question):
            if isinstance(event, Answer):
                self._metrics.answered("http", event)
            yield event

    def _check(self, limit: str, seconds: int) -> None:
        if seconds:
            self._metrics.limited(limit)
            raise Problem(
                429,
                f"Too many questions within a minute. Please ask again in {seconds} s.",
                {"Retry-After": str(seconds)},
            )


def _add_answers(app: FastAPI, asking: _Asking) -> None:
    @app.post(
        "/v1/answers",
        summary="Ask a question",
        responses={200: {"model": AnswerBody, "content": STREAM_SCHEMA}, **PROBLEMS},
        response_class=JSONResponse,
    )
    async def ask(body: AnswerRequest, caller: AskedBy, request: Request) -> Response:
        """Answers as JSON; with `Accept: text/event-stream`, as events: `status`, `text`, and
        last `answer` or `error`. Closing the connection cancels the answering."""
        question = asking.question(body, caller)
        if "text/event-stream" in request.headers.get("accept", ""):
            frames = stream.event_stream(asking.events(question))
            return StreamingResponse(frames, headers=stream.HEADERS, media_type="text/event-stream")
        answer = await stream.while_connected(request.receive, asking.answer(question))
        return JSONResponse(answer.to_json()) if answer else Response(status_code=499)


def _add_conversations(app: FastAPI, threads: Conversations) -> None:
    @app.post("/v1/feedback", status_code=204, summary="Rate an answer", responses=PROBLEMS)
    async def rate(body: FeedbackRequest, caller: AskedBy) -> Response:
        """The last rating of an answer counts, and only the widget key that asked for it may rate
        it. The reason `reported` reports it: `supportbot bundle` lists what was reported."""
        conversation = await threads.conversation_of(body.answer_id)
        is_own = conversation is not None and caller.owns(conversation)
        if not is_own or not await threads.rate(
            body.answer_id, body.rating, body.reason, body.comment
        ):
            raise Problem(404, "There is no such answer; `answer_id` is the `id` of an answer.")
        return Response(status_code=204)

    @app.get(
        "/v1/conversations/{conversation_id}",
        summary="Read a conversation",
        responses={200: {"model": ConversationBody}, **PROBLEMS},
    )
    async def read(conversation_id: OwnConversation) -> Response:
        """Only the widget key that opened a conversation may read it."""
        answers = await threads.answers(conversation_id)
        if not answers:
            raise Problem(404, NO_CONVERSATION)
        turns = [answer.to_json() for answer in answers]
        return JSONResponse({"conversation_id": conversation_id, "turns": turns})

    @app.delete(
        "/v1/conversations/{conversation_id}",
        status_code=204,
        summary="Erase a conversation",
        responses=PROBLEMS,
    )
    async def erase(conversation_id: OwnConversation) -> Response:
        """Only the widget key that opened a conversation may erase it."""
        if not await threads.forget(conversation_id):
            raise Problem(404, NO_CONVERSATION)
        return Response(status_code=204)


def _add_health(app: FastAPI, services: WebServices, metrics: Metrics) -> None:
    @app.get("/healthz", summary="Is the process alive?")
    async def alive() -> Response:
        return JSONResponse({"status": "alive"})

    @app.get("/readyz", summary="Can it answer?")
    async def ready() -> Response:
        """503 while a part does not work; which one is said, why is in the log."""
        parts = {"services": "no reply"}
        with suppress(TimeoutError):
            async with asyncio.timeout(PING_SECONDS):
                parts = await services.ping()
        failing = {part: reason for part, reason in parts.items() if reason}
        for part, reason in failing.items():
            log.warning("%s is not ready: %s", part, reason)
        body = {
            "status": "not ready" if failing else "ready",
            "parts": {part: "failing" if reason else "ok" for part, reason in parts.items()},
        }
        return JSONResponse(body, 503 if failing else 200)

    @app.get("/metrics", summary="Counters as Prometheus text")
    async def count() -> Response:
        return Response(metrics.text(), media_type=MEDIA_TYPE)
