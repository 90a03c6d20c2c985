"""GitHub: the issues or the discussions of a repository that a maintainer has answered.

https://docs.github.com/en/rest/issues/issues
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import TypeAdapter

from ingest.config import SourceSettings
from ingest.errors import DocumentEmpty, FetchFailed, SourceUnusable
from ingest.retrying import Patience
from ingest.sources.api import (
    OVERLAP_SECONDS,
    PATIENCE,
    Api,
    Told,
    epoch,
    login,
    needed_login,
    origin_of,
    paged,
    path_of,
)
from ingest.sources.base import Labels
from ingest.sources.github_discussions import DiscussionsOf, GraphApi
from ingest.sources.github_threads import MAINTAINERS, Thread
from ingest.sources.state import SourceState
from ingest.sources.system import ApiSource, Article, Changes, Version
from knowledge.documents import PUBLIC

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MANY = 100  # changed issues; from there on all comments at once take fewer requests
_UNANSWERED = "issues without an answer of a maintainer"
_ISSUE_NUMBER = re.compile(r"/issues/(\d+)$")


class _Label(Told):
    name: str | None = None


class _Issue(Told):
    number: int
    title: str
    html_url: str
    state: str
    updated_at: str
    author_association: str
    comments: int
    body: str | None = None
    labels: tuple[_Label | str, ...] = ()
    pull_request: Any = None


class _Comment(Told):
    issue_url: str
    html_url: str
    author_association: str
    body: str | None = None


class _Repository(Told):
    private: bool


_ISSUES = TypeAdapter(tuple[_Issue, ...])
_ISSUE = TypeAdapter(_Issue)
_COMMENTS = TypeAdapter(tuple[_Comment, ...])
_REPOSITORY = TypeAdapter(_Repository)


def open_source(
    settings: SourceSettings, labels: Labels, home: Path, patience: Patience = PATIENCE
) -> ApiSource:
    """Return the threads at `https://github.com/OWNER/NAME`, with `/issues` or `/discussions`.

    Issues are meant where neither is said. Another host is a GitHub Enterprise Server.
    """
    owner, name, what = _place(settings)
    origin = origin_of(settings)
    is_cloud = origin in ("https://github.com", "https://www.github.com")
    is_discussed = what == "discussions"
    # GraphQL takes no request without a token.
    headers = needed_login(settings) if is_discussed else login(settings)
    api = Api(
        settings,
        "https://api.github.com" if is_cloud else origin,
        {**headers, "accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"},
        patience,
    )
    graph = GraphApi(api, "/graphql" if is_cloud else "/api/graphql", owner, name)
    rest = f"{'' if is_cloud else '/api/v3'}/repos/{owner}/{name}"
    is_open = labels.audience == PUBLIC
    issues = _Issues(api, rest, graph if headers else None, is_open)
    system = DiscussionsOf(graph, is_open) if is_discussed else issues
    return ApiSource(system, settings, labels, SourceState.of(home, settings.place))


def _place(settings: SourceSettings) -> tuple[str, str, str]:
    origin_of(settings)
    parts = path_of(settings)
    is_right = len(parts) in (2, 3) and all(map(_NAME.fullmatch, parts))
    if not is_right or (len(parts) == 3 and parts[2] not in ("issues", "discussions")):
        raise SourceUnusable(
            f"{settings.place}: not a repository; it takes https://github.com/OWNER/NAME/issues or"
            " …/discussions"
        )
    owner, name, *what = parts
    return owner, name, what[0] if what else "issues"


class _Issues:
    def __init__(self, api: Api, rest: str, graph: GraphApi | None, is_open: bool) -> None:
        self._api = api
        self._rest = rest
        self._graph = graph
        self._is_open = is_open

    def everything(self) -> Iterator[Article]:
        """Yield all issues, pull requests left out.

        Raises:
            FetchFailed: there are fewer than GitHub counts, as when one was deleted meanwhile.
        """
        is_closed = self._is_closed()
        answers: defaultdict[int, list[str]] = defaultdict(list)
        for comment in self._comments(f"{self._rest}/issues/comments", sort="created"):
            if comment.author_association in MAINTAINERS and _number(comment):
                answers[_number(comment)].append(comment.body or "")
        numbers: set[int] = set()
        for issue in self._issues(sort="created"):
            numbers.add(issue.number)
            thread = _of_issue(issue, answers.get(issue.number, []))
            yield thread.article(_UNANSWERED, is_closed)
        total = self._graph.count_issues() if self._graph else 0
        if len(numbers) < total:
            raise FetchFailed(
                f"it lists {len(numbers)} issues and counts {total}; sync again", is_transient=True
            )

    def changes(self, since: str) -> Changes | None:
        """Return what changed; without a token GitHub does not count the issues."""
        # All must be closed where a repository has become private.
        if self._graph is None or self._is_closed():
            return None
        moment = f"{datetime.fromtimestamp(epoch(since) - OVERLAP_SECONDS, UTC):%Y-%m-%dT%H:%M:%SZ}"
        issues = {issue.number: issue for issue in self._issues(sort="updated", since=moment)}
        comments = self._comments(f"{self._rest}/issues/comments", sort="updated", since=moment)
        numbers = {_number(comment) for comment in comments} | set(issues)
        if len(numbers) > _MANY:
            return None
        articles = []
        for number in sorted(filter(None, numbers)):
            thread = self._thread(issues.get(number) or self._issue(number))
            articles.append(thread.article(_UNANSWERED, is_closed=False))
        return Changes(articles, self._graph.count_issues())

    def fetch(self, place: str) -> Version:
        """Return one issue."""
        thread = self._thread(self._issue(int(place)))
        for version in thread.article("", self._is_closed()).versions:
            return version
        raise DocumentEmpty("no maintainer's answer is left in it")

    def _is_closed(self) -> bool:
        """Tell whether the threads of a private repository would become public."""
        return self._is_open and self._api.get(self._rest, _REPOSITORY).value.private

    def _issue(self, number: int) -> _Issue:
        return self._api.get(f"{self._rest}/issues/{number}", _ISSUE).value

    def _thread(self, issue: _Issue) -> Thread:
        comments: Iterator[_Comment] | Sequence[_Comment] = ()
        if issue.comments:
            comments = self._comments(f"{self._rest}/issues/{issue.number}/comments")
        by_maintainers = [c for c in comments if c.author_association in MAINTAINERS]
        return _of_issue(issue, [comment.body or "" for comment in by_maintainers])

    def _issues(self, **query: str) -> Iterator[_Issue]:
        asked = {"state": "all", "direction": "asc", "per_page": "100", **query}
        first = f"{self._rest}/issues?{urlencode(asked)}"

        def page(url: str) -> tuple[tuple[_Issue, ...], str]:
            reply = self._api.get(url, _ISSUES)
            return reply.value, reply.next_page

        for issues in paged(page, first):
            yield from (issue for issue in issues if issue.pull_request is None)

    def _comments(self, url: str, **query: str) -> Iterator[_Comment]:
        def page(url: str) -> tuple[tuple[_Comment, ...], str]:
            reply = self._api.get(url, _COMMENTS)
            return reply.value, reply.next_page

        first = f"{url}?{urlencode({'direction': 'asc', 'per_page': '100', **query})}"
        for comments in paged(page, first):
            yield from comments


def _of_issue(issue: _Issue, answers: Sequence[str]) -> Thread:
    names = [each if isinstance(each, str) else each.name or "" for each in issue.labels]
    return Thread(
        number=issue.number,
        title=issue.title,
        url=issue.html_url,
        updated=issue.updated_at,
        question=issue.body or "",
        tags=(*filter(None, names), issue.state),
        is_by_maintainer=issue.author_association in MAINTAINERS,
        answers=tuple(answer for answer in answers if answer.strip()),
    )


def _number(comment: _Comment) -> int:
    """Return the number of the issue that is commented on, 0 of a pull request."""
    match = _ISSUE_NUMBER.search(comment.issue_url)
    return int(match[1]) if match and "/pull/" not in comment.html_url else 0
