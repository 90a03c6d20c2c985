"""A second reply, for the sentences of the first that no passage holds."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from supportbot.answering.agent import ReplyEvent
from supportbot.answering.draft import Draft
from supportbot.answering.model import Finished, Retrying
from supportbot.answering.reasoning import Delta
from supportbot.conversation import Text
from supportbot.errors import ModelError

_log = logging.getLogger(__name__)


async def repaired(
    draft: Draft, replies: AsyncGenerator[ReplyEvent, None]
) -> AsyncGenerator[Text | Finished, None]:
    """Stream a second reply through the checks, after what was shown; `Finished` comes last.

    One that fails ends here without a word: then the answer is what it was, and what the checks
    let through of it. It is not tried again, for it was the question's second call.
    """
    draft.resume()
    try:
        async with aclosing(replies):
            async for event in replies:
                if isinstance(event, Delta):
                    yield Text(draft.add(event.text, event.is_settled))
                    if draft.is_hopeless:
                        return
                elif isinstance(event, Finished):
                    yield Text(draft.finish(event.is_complete))
                    yield event
                elif isinstance(event, Retrying):
                    return
                else:
                    draft.discard()
    except ModelError as error:
        _log.info("a repair failed", extra={"failure": str(error)})
