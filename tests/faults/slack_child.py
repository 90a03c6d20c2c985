"""A Slack bot with a real inbox, to be killed: `-m tests.faults.slack_child API_URL FILE`."""

from __future__ import annotations

import asyncio
import sys

from supportbot.config import BotSettings
from supportbot.database import Database
from supportbot.inbox import SqlInbox
from supportbot.slack.app import create_slack
from supportbot.slack.worker import Timing
from tests.servers.slack import APP_TOKEN, BOT_TOKEN
from tests.supportbot.slack.conftest import Bot, ScriptedAnswers


async def main(api_url: str, file: str) -> None:
    settings = BotSettings(
        slack_bot_token=BOT_TOKEN, slack_app_token=APP_TOKEN, slack_api_url=api_url
    )
    database = await Database.open(f"sqlite:///{file}")
    bot = Bot(None, settings, ScriptedAnswers(), SqlInbox(database, lease_seconds=1.0))
    bot.answerer.seconds = 0.2
    timing = Timing(pace=0.05, poll=0.1, renew=0.3)
    await create_slack(bot, timing).start()
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
