"""Whether Slack can reach the bot and the bot Slack."""

from __future__ import annotations

import asyncio
import logging

from supportbot.errors import SlackCallFailed
from supportbot.slack.client import Identity, SlackClient

PROBE_SECONDS = 60.0  # how often a dead token is tried again
FIRST_WAIT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Token:
    """The bot token: whose it is, and whether Slack still takes it."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self._doubted = asyncio.Event()
        self.identity = Identity("", "", "")
        self.problem = ""

    @property
    def is_dead(self) -> bool:
        """Tell whether calls are pointless until the token is mended."""
        return bool(self.problem)

    def reject(self, code: str) -> None:
        """Take the token for dead, as Slack said; it is tried again once a minute."""
        if not self.problem:
            self.problem = f"Slack refuses the bot token ({code})"
            logger.error(
                "Slack refuses the bot token (%s): questions wait until a valid token is set; "
                "reinstall the app and set SLACK_BOT_TOKEN",
                code,
            )
        self._doubted.set()

    async def watch(self) -> None:
        """Learn who the bot is, then look again whenever the token was refused; runs for ever."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                self.identity = await self._client.identify()
            except SlackCallFailed as error:
                if error.is_dead_token:
                    self.reject(error.code)
                    wait = PROBE_SECONDS
                elif wait < 2 * FIRST_WAIT_SECONDS:
                    logger.warning("Slack cannot be asked who the bot is (%s)", error)
                await asyncio.sleep(error.retry_after or wait)
                wait = min(2 * wait, PROBE_SECONDS)
            else:
                self._revive()
                wait = FIRST_WAIT_SECONDS
                await self._doubted.wait()

    def _revive(self) -> None:
        if self.problem:
            logger.info("Slack takes the bot token again")
        self.problem = ""
        self._doubted.clear()
