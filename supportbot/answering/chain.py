"""Tries models in order, within one deadline and with a bound on calls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from supportbot.answering.model import Message, Model, ModelEvent, Retrying
from supportbot.answering.toolcalls import Tools
from supportbot.errors import FailureKind, ModelError

CALLS = 2  # a question, fallbacks apart: the first try and one more
PAUSE_SECONDS = (0.2, 1.0)  # before the second try, random: replicas must not march in step
SHORTEST_CALL_SECONDS = 2.0  # a try that has less is not made
SHORTEST_CALL_SHARE = 0.25  # of the time that the first try had


class ModelChain:
    """The configured model, then its fallbacks.

    One model is tried at most twice; with fallbacks each is tried once, in order. A request that
    cannot succeed is not repeated, and a wait that the endpoint asks for is kept or, where the
    deadline does not allow it, not begun.
    """

    def __init__(
        self, models: Sequence[Model], pause_seconds: tuple[float, float] = PAUSE_SECONDS
    ) -> None:
        self._models = tuple(models)
        self._pause_seconds = pause_seconds

    @property
    def id(self) -> str:
        """Return the ID of the first model."""
        return self._models[0].id

    async def aclose(self) -> None:
        """Close all models."""
        for model in self._models:
            await model.aclose()

    async def stream(
        self,
        messages: Sequence[Message],
        deadline: float,
        reference: str = "",
        tools: Tools | None = None,
    ) -> AsyncGenerator[ModelEvent, None]:
        """Stream one reply; see `Model.stream`. `Retrying` comes before each further try."""
        clock = asyncio.get_running_loop().time
        shortest = min(SHORTEST_CALL_SECONDS, (deadline - clock()) * SHORTEST_CALL_SHARE)
        fallbacks = list(self._models[1:])
        model: Model = self._models[0]
        for last in range(max(CALLS, len(self._models)) - 1, -1, -1):
            try:
                async with aclosing(model.stream(messages, deadline, reference, tools)) as events:
                    async for event in events:
                        yield event
                return
            except ModelError as error:
                failure = error
            following = _following(failure, model, fallbacks) if last else None
            pause = self._pause(failure) if following is model else 0.0
            if following is None or clock() + pause + shortest > deadline:
                raise failure
            yield Retrying(failure)
            await asyncio.sleep(pause)
            model = following

    def _pause(self, error: ModelError) -> float:
        if error.kind in (FailureKind.FIELD_REFUSED, FailureKind.TIMEOUT):
            return 0.0
        pause = random.uniform(*self._pause_seconds)  # noqa: S311 - no secret depends on it
        return max(pause, error.retry_after or 0.0)


def _following(error: ModelError, model: Model, fallbacks: list[Model]) -> Model | None:
    """Return which model to try after this failure, None where another try is no use."""
    if error.kind is FailureKind.FIELD_REFUSED:
        return model
    is_of_this_model = error.is_transient or error.kind in (
        FailureKind.CIRCUIT_OPEN,
        FailureKind.BAD_REQUEST,
    )
    if fallbacks and is_of_this_model:
        return fallbacks.pop(0)
    return model if error.is_transient else None
