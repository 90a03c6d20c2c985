"""What the Slack app must be allowed to do; `deploy/slack/manifest.yaml` says the same.

Imports nothing of Slack, so that a check of the settings stays quick.
"""

from __future__ import annotations

# Each API method that the bot calls, and the bot scopes that it takes. `connections:write`
# belongs to the app-level token, see the manifest.
METHODS: dict[str, frozenset[str]] = {
    "auth.test": frozenset(),
    "apps.connections.open": frozenset(),
    "chat.postMessage": frozenset({"chat:write"}),
    "chat.update": frozenset({"chat:write"}),
    # Reads the thread of a question before it posts a second time, wherever it was asked.
    "conversations.replies": frozenset(
        {"channels:history", "groups:history", "im:history", "mpim:history"}
    ),
}
EVENTS: dict[str, frozenset[str]] = {
    "app_mention": frozenset({"app_mentions:read"}),
    "app_uninstalled": frozenset(),
    "message.im": frozenset({"im:history"}),
    "tokens_revoked": frozenset(),
}
SCOPES: frozenset[str] = frozenset().union(*METHODS.values(), *EVENTS.values())
