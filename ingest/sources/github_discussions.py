"""GitHub's GraphQL: the discussions of a repository, and the number of its issues.

https://docs.github.com/en/graphql/guides/using-the-graphql-api-for-discussions
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import Field, TypeAdapter

from ingest.errors import DocumentEmpty, FetchFailed
from ingest.sources.api import OVERLAP_SECONDS, Api, Told, epoch, paged
from ingest.sources.github_threads import MAINTAINERS, Thread
from ingest.sources.system import Article, Changes, Version


class _Label(Told):
    name: str | None = None


class _Post(Told):
    author: str = Field(alias="authorAssociation")
    body: str = ""
    is_minimized: bool = Field(default=False, alias="isMinimized")
    is_answer: bool = Field(default=False, alias="isAnswer")


_Node = TypeVar("_Node")


class _Nodes(Told, Generic[_Node]):
    nodes: tuple[_Node, ...]


class _Category(Told):
    name: str


class _Discussion(Told):
    number: int
    title: str
    url: str
    updated: str = Field(alias="updatedAt")
    author: str = Field(alias="authorAssociation")
    category: _Category
    labels: _Nodes[_Label] | None = None
    answer: _Post | None = None
    comments: _Nodes[_Post]
    body: str = ""


class _PageInfo(Told):
    has_next: bool = Field(alias="hasNextPage")
    end: str | None = Field(default=None, alias="endCursor")


class _Discussions(Told):
    total: int = Field(alias="totalCount")
    page: _PageInfo = Field(alias="pageInfo")
    nodes: tuple[_Discussion, ...]


class _Total(Told):
    total: int = Field(alias="totalCount")


class Repository(Told):
    is_private: bool = Field(alias="isPrivate")
    issues: _Total | None = None
    discussions: _Discussions | None = None
    discussion: _Discussion | None = None


class _Data(Told):
    repository: Repository | None = None


class _Complaint(Told):
    type: str = ""
    message: str = ""


class _Graph(Told):
    data: _Data | None = None
    errors: tuple[_Complaint, ...] = ()


_GRAPH = TypeAdapter(_Graph)

_DISCUSSION = """
number title url body updatedAt authorAssociation category { name }
labels(first: 20) { nodes { name } }
answer { body authorAssociation isMinimized isAnswer }
comments(first: 50) { nodes { body authorAssociation isMinimized isAnswer } }
"""
_COUNT_QUERY = """
query($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { isPrivate issues { totalCount } }
}
"""
_LIST_QUERY = (
    """
query($owner: String!, $name: String!, $after: String, $order: DiscussionOrder!) {
  repository(owner: $owner, name: $name) {
    isPrivate
    discussions(first: 50, after: $after, orderBy: $order) {
      totalCount pageInfo { hasNextPage endCursor } nodes {"""
    + _DISCUSSION
    + "} } } }"
)
_ONE_QUERY = (
    """
query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { isPrivate discussion(number: $number) {"""
    + _DISCUSSION
    + "} } }"
)


@dataclass(frozen=True, slots=True)
class GraphApi:
    """GitHub's GraphQL on one repository."""

    api: Api = field(repr=False)
    path: str
    owner: str
    name: str

    def ask(self, query: str, **variables: Any) -> Repository:
        """Return what it tells of the repository.

        Raises:
            FetchFailed: it tells an error, or nothing.
        """
        body = {"query": query, "variables": {"owner": self.owner, "name": self.name, **variables}}
        graph = self.api.post(self.path, body, _GRAPH)
        for complaint in graph.errors:
            is_limit = complaint.type == "RATE_LIMITED"
            raise FetchFailed(
                f"GitHub's GraphQL says {complaint.message[:200]!r}", is_transient=is_limit
            )
        if graph.data is None or graph.data.repository is None:
            raise FetchFailed("it knows no such repository, or the token may not see it")
        return graph.data.repository

    def count_issues(self) -> int:
        """Return how many issues there are, open and closed."""
        issues = self.ask(_COUNT_QUERY).issues
        return issues.total if issues else 0

    def discussions(self, order: str, direction: str) -> Iterator[tuple[Repository, _Discussions]]:
        """Yield the discussions, page by page."""

        def page(cursor: str) -> tuple[tuple[Repository, _Discussions], str]:
            repository = self.ask(
                _LIST_QUERY,
                after=cursor or None,
                order={"field": order, "direction": direction},
            )
            found = repository.discussions
            if found is None:
                raise FetchFailed("it tells no discussions")
            following = (found.page.end or "") if found.page.has_next else ""
            return (repository, found), following

        return paged(page)


class DiscussionsOf:
    def __init__(self, graph: GraphApi, is_open: bool) -> None:
        self._graph = graph
        self._is_open = is_open

    def everything(self) -> Iterator[Article]:
        """Yield all discussions.

        Raises:
            FetchFailed: there are fewer than GitHub counts, as when one was deleted meanwhile.
        """
        numbers: set[int] = set()
        total = 0
        for repository, found in self._graph.discussions("CREATED_AT", "ASC"):
            total = found.total
            for node in found.nodes:
                numbers.add(node.number)
                yield self._article(repository, node)
        if len(numbers) < total:
            raise FetchFailed(
                f"it lists {len(numbers)} discussions and counts {total}; sync again",
                is_transient=True,
            )

    def changes(self, since: str) -> Changes | None:
        """Return what changed: the list begins with the latest changes."""
        oldest = epoch(since) - OVERLAP_SECONDS
        articles: list[Article] = []
        total = 0
        for repository, found in self._graph.discussions("UPDATED_AT", "DESC"):
            if self._is_open and repository.is_private:
                return None  # all must be closed where a repository has become private
            total = found.total
            fresh = [node for node in found.nodes if epoch(node.updated) >= oldest]
            articles += [self._article(repository, node) for node in fresh]
            if len(fresh) < len(found.nodes):
                break
        return Changes(articles, total)

    def fetch(self, place: str) -> Version:
        """Return one discussion."""
        repository = self._graph.ask(_ONE_QUERY, number=int(place))
        if repository.discussion:
            for version in self._article(repository, repository.discussion).versions:
                return version
        raise DocumentEmpty("it was withdrawn after it was listed")

    def _article(self, repository: Repository, node: _Discussion) -> Article:
        is_closed = self._is_open and repository.is_private
        return _of_discussion(node).article("unanswered discussions", is_closed)


def _of_discussion(node: _Discussion) -> Thread:
    marked = [node.answer] if node.answer else []
    others = [
        post for post in node.comments.nodes if post.author in MAINTAINERS and not post.is_answer
    ]
    posts = [post for post in (*marked, *others) if post.body.strip() and not post.is_minimized]
    labels = node.labels.nodes if node.labels else ()
    return Thread(
        number=node.number,
        title=node.title,
        url=node.url,
        updated=node.updated,
        question=node.body,
        tags=(node.category.name, *filter(None, (label.name for label in labels))),
        is_by_maintainer=node.author in MAINTAINERS,
        answers=tuple(post.body for post in posts),
    )
