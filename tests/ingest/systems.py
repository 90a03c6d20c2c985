"""Every system with an API as a source: how it is opened, written to and deleted from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from ingest.config import SourceSettings
from ingest.retrying import Patience
from ingest.sources.base import Labels
from ingest.sources.system import ApiSource
from tests.servers.knowledge_systems import (
    TOKEN,
    ConfluenceServer,
    FeedServer,
    GitHubServer,
    IntercomServer,
    NotionServer,
    ZendeskServer,
    block,
    post,
)

LOOPBACK = "127.0.0.0/8"


@dataclass
class Sleeps:
    """A clock that waits in no time and keeps what was waited."""

    waits: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def patience(self, seconds: float = 120.0) -> Patience:
        return Patience(seconds, self.sleep, lambda: time.monotonic() + sum(self.waits))


def opened(
    kind: str,
    home: Path,
    labels: Labels | None = None,
    sleeps: Sleeps | None = None,
    **settings: Any,
) -> ApiSource:
    """Open a source of a system on loopback, patient without waiting."""
    values = {"kind": kind, "allow_private": [LOOPBACK], "token": TOKEN, **settings}
    source = import_module(f"ingest.sources.{kind}").open_source(
        SourceSettings.model_validate(values),
        labels or Labels(),
        home,
        (sleeps or Sleeps()).patience(),
    )
    assert isinstance(source, ApiSource)
    return source


@dataclass
class System:
    """One system, its server, and how a test writes to it; keys are 1, 2, 3 and so on."""

    kind: str
    server: Any
    path: str
    write: Callable[[int, str, str, str], None]  # key, title, body, ISO time
    delete: Callable[[int], None]
    single: str  # part of the path by which one article is fetched alone; "": there is none
    settings: dict[str, Any] = field(default_factory=dict)

    def open(self, home: Path, labels: Labels | None = None, **settings: Any) -> ApiSource:
        """Open it as a source."""
        url = {"url": self.server.url + self.path}
        return opened(self.kind, home, labels, **{**url, **self.settings, **settings})


def zendesk() -> System:
    server = ZendeskServer()

    def write(key: int, title: str, body: str, moment: str) -> None:
        server.put(key, title, f"<p>{body}</p>", updated_at=moment)

    user = {"user": "agent@example.com"}
    return System("zendesk", server, "", write, server.articles.pop, "/en-us/articles/", user)


def intercom() -> System:
    server = IntercomServer()

    def write(key: int, title: str, body: str, moment: str) -> None:
        seconds = int(time.mktime(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")))
        server.put(key, title, f"<p>{body}</p>", updated_at=seconds)

    return System("intercom", server, "", write, server.articles.pop, "/articles/")


def notion() -> System:
    server = NotionServer()

    def write(key: int, title: str, body: str, moment: str) -> None:
        edited = {"last_edited_time": moment}
        server.put(f"{key:032x}", title, block("paragraph", body), **edited)

    def delete(key: int) -> None:
        del server.found[f"{key:032x}"]

    return System("notion", server, "", write, delete, "/v1/pages/")


def confluence() -> System:
    server = ConfluenceServer()

    def write(key: int, title: str, body: str, _moment: str) -> None:
        server.put(str(key), title, f"<p>{body}</p>")

    def delete(key: int) -> None:
        del server.pages[str(key)]

    user = {"user": "bot@example.com"}
    path = "/wiki/spaces/HELP"
    return System("confluence", server, path, write, delete, "/v2/pages/", user)


def issues() -> System:
    server = GitHubServer()

    def write(key: int, title: str, body: str, moment: str) -> None:
        server.put(key, title, body, updated_at=moment, author_association="OWNER")

    return System("github", server, "/acme/app/issues", write, server.issues.pop, "/app/issues/3")


def discussions() -> System:
    server = GitHubServer()

    def write(key: int, title: str, body: str, moment: str) -> None:
        server.discuss(key, title, "How?", updatedAt=moment, answer=post(body))

    return System("github", server, "/acme/app/discussions", write, server.discussions.pop, "")


def feed() -> System:
    server = FeedServer()

    def write(key: int, title: str, body: str, moment: str) -> None:
        server.put(str(key), title, f"<p>{body}</p>", date_modified=moment)

    def delete(key: int) -> None:
        del server.items[str(key)]

    return System("feed", server, "/feed.json", write, delete, "")


SYSTEMS: dict[str, Callable[[], System]] = {
    "zendesk": zendesk,
    "intercom": intercom,
    "notion": notion,
    "confluence": confluence,
    "github issues": issues,
    "github discussions": discussions,
    "feed": feed,
}


class SystemPlace:
    """A system as the contract suite of sources takes it."""

    names = ("a", "b", "c")
    lag = 1

    def __init__(self, system: System, home: Path) -> None:
        self._system = system
        self._home = home
        self._hour = 0

    def open(self) -> ApiSource:
        """Return the source, as a process of its own would open it."""
        return self._system.open(self._home, Labels(audience="partners", tags=("a",)))

    def write(self, name: str, text: str) -> None:
        """Write a document, an hour after the last one."""
        self._hour += 1
        moment = f"2025-02-{1 + self._hour // 24:02}T{self._hour % 24:02}:00:00Z"
        self._system.write(ord(name) - ord("a") + 1, name, text, moment)

    def remove(self, name: str) -> None:
        """Remove a document."""
        self._system.delete(ord(name) - ord("a") + 1)

    def break_down(self) -> None:
        """Stop working."""
        self._system.server.is_down = True


@contextmanager
def system_place(name: str, folder: Path) -> Iterator[SystemPlace]:
    """Run the server of a system."""
    system = SYSTEMS[name]()
    with system.server:
        yield SystemPlace(system, folder / "home")
