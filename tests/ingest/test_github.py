from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import DocumentEmpty, SourceUnusable
from ingest.parsers import parse
from ingest.sources.base import Labels
from ingest.sources.system import ApiSource
from tests.ingest.systems import Sleeps, opened
from tests.servers.knowledge_systems import Answered, GitHubServer, post


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    with GitHubServer() as server:
        yield server


def threads(
    server: GitHubServer,
    home: Path,
    what: str = "issues",
    labels: Labels | None = None,
    **settings: Any,
) -> ApiSource:
    return opened("github", home, labels, url=f"{server.url}/acme/app/{what}", **settings)


def only_text(source: ApiSource) -> str:
    (item,) = source.list().items
    return parse(source.read(item)).text.strip()


def test_an_issue_is_its_question_with_the_answers_of_maintainers(
    github: GitHubServer, tmp_path: Path
) -> None:
    github.put(
        4,
        "Export fails",
        "<!-- template -->\nIt stops.",
        labels=[{"name": "bug"}, "export"],
        state="closed",
    )
    github.comment(4, "Buy pills instead.", "NONE")
    github.comment(4, "Update to 2.1.", "MEMBER")
    github.comment(4, "<!-- note -->And restart.", "OWNER")
    source = threads(github, tmp_path)
    (item,) = source.list().items
    raw = source.read(item)
    assert item.id == raw.about.url == f"{github.url}/acme/app/issues/4"
    assert raw.about.tags == ("bug", "export", "closed")
    assert parse(raw).text.strip() == (
        "It stops.\n\n## Answer\n\nUpdate to 2.1.\n\n## Answer\n\nAnd restart."
    )
    assert threads(github, tmp_path).read(item) == raw


def test_pull_requests_and_what_no_maintainer_answered_are_left_out(
    github: GitHubServer, tmp_path: Path
) -> None:
    github.put(1, "A question", "How?")
    github.put(2, "A change", "Diff.", pull_request={"url": "x"})
    github.comment(2, "Looks good.", "OWNER")
    github.put(3, "Unanswered", "How?")
    github.comment(3, "Me too.", "CONTRIBUTOR")
    github.put(4, "Known problem", "It breaks.", author_association="OWNER")
    listing = threads(github, tmp_path).list()
    assert [item.id.rpartition("/")[2] for item in listing.items] == ["4"]
    assert listing.skipped == (("issues without an answer of a maintainer", 2),)


def test_an_answer_that_comes_later_brings_the_issue(github: GitHubServer, tmp_path: Path) -> None:
    github.put(1, "A question", "How?")
    assert threads(github, tmp_path).list().items == ()
    # The comment tells its time, even where the issue does not.
    github.comment(1, "So.", "MEMBER", moment="2025-02-01T00:00:00Z")
    assert "So." in only_text(threads(github, tmp_path))


def test_unchanged_issues_take_four_requests(github: GitHubServer, tmp_path: Path) -> None:
    for number in range(1, 9):
        github.put(number, "Title", "Text.", author_association="OWNER")
    github.put(9, "Title", "Text.", author_association="OWNER", updated_at="2025-02-01T00:00:00Z")
    threads(github, tmp_path).list()
    github.asked.clear()
    assert len(threads(github, tmp_path).list().items) == 9
    assert len(github.asked) == 4
    assert github.asked[1].query["since"] == "2025-01-31T23:59:00Z"


def test_without_a_token_public_issues_are_listed_in_full(
    github: GitHubServer, tmp_path: Path
) -> None:
    github.is_public = True
    github.put(1, "Title", "Text.", author_association="OWNER")
    for _ in range(2):
        assert len(threads(github, tmp_path, token=None).list().items) == 1
    assert github.paths("graphql") == []


@pytest.mark.parametrize("what", ["issues", "discussions"])
def test_a_private_repository_never_becomes_public(
    github: GitHubServer, tmp_path: Path, what: str
) -> None:
    github.put(1, "Title", "Text.", author_association="OWNER")
    github.discuss(1, "Title", "Text.", authorAssociation="OWNER")
    before = threads(github, tmp_path, what).list().items[0].stamp
    github.is_private = True
    for home in (tmp_path, tmp_path, tmp_path / "new"):
        source = threads(github, home, what)
        (item,) = source.list().items
        assert item.stamp != before
        assert threads(github, home, what).read(item).about.audiences == frozenset()
    partners = threads(github, tmp_path, what, Labels(audience="partners"))
    assert partners.read(partners.list().items[0]).about.audiences is None


def test_a_spent_budget_is_waited_for_until_it_is_renewed(
    github: GitHubServer, tmp_path: Path
) -> None:
    github.put(1, "Title", "Text.", author_association="OWNER")
    soon = str(int(time.time()) + 30)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": soon}
    sleeps = Sleeps()
    github.faults.append(Answered({"message": "rate limit"}, 403, headers))
    assert len(threads(github, tmp_path, sleeps=sleeps).list().items) == 1
    assert 28 <= sleeps.waits[0] <= 30
    late = {**headers, "X-RateLimit-Reset": str(int(time.time()) + 3_000)}
    github.faults.append(Answered({"message": "rate limit"}, 403, late))
    with pytest.raises(SourceUnusable, match=r"asks to wait (299\d|3000) seconds"):
        threads(github, tmp_path).list()


def test_a_secondary_limit_is_waited_for(github: GitHubServer, tmp_path: Path) -> None:
    sleeps = Sleeps()
    github.faults.append(Answered({"message": "secondary"}, 403, {"Retry-After": "60"}))
    threads(github, tmp_path, sleeps=sleeps).list()
    assert sleeps.waits == [60]


def test_a_discussion_is_its_question_with_the_marked_answer_first(
    github: GitHubServer, tmp_path: Path
) -> None:
    github.discuss(
        7,
        "How to export?",
        "I cannot find it.",
        answer=post("Under *File*."),
        labels={"nodes": [{"name": "export"}]},
        comments={
            "nodes": [
                post("Buy pills."),
                post("Under *File*.", isAnswer=True),
                post("Since 2.0.", "MEMBER"),
                post("Rude.", "MEMBER", isMinimized=True),
            ]
        },
    )
    source = threads(github, tmp_path, "discussions")
    (item,) = source.list().items
    raw = source.read(item)
    assert item.id == f"{github.url}/acme/app/discussions/7"
    assert raw.about.tags == ("Q&A", "export")
    assert parse(raw).text.strip() == (
        "I cannot find it.\n\n## Answer\n\nUnder *File*.\n\n## Answer\n\nSince 2.0."
    )
    assert threads(github, tmp_path, "discussions").read(item) == raw


def test_unanswered_discussions_are_passed_over(github: GitHubServer, tmp_path: Path) -> None:
    github.discuss(1, "Why?", "Why?", comments={"nodes": [post("Me too.")]})
    listing = threads(github, tmp_path, "discussions").list()
    assert listing.skipped == (("unanswered discussions", 1),)


def test_a_discussion_that_lost_its_answer_is_withdrawn_when_it_is_read(
    github: GitHubServer, tmp_path: Path
) -> None:
    github.discuss(1, "Why?", "Why?", answer=post("So."))
    (item,) = threads(github, tmp_path, "discussions").list().items
    github.discuss(1, "Why?", "Why?", answer=None)
    with pytest.raises(DocumentEmpty):
        threads(github, tmp_path, "discussions").read(item)


def test_only_the_pages_with_changed_discussions_are_asked_for(
    github: GitHubServer, tmp_path: Path
) -> None:
    for number in range(1, 9):
        github.discuss(
            number,
            "Why?",
            "Why?",
            answer=post("So."),
            updatedAt=f"2025-01-{number:02}T00:00:00Z",
        )
    threads(github, tmp_path, "discussions").list()
    github.asked.clear()
    assert len(threads(github, tmp_path, "discussions").list().items) == 8
    assert len(github.asked) == 1


def test_an_error_of_graphql_makes_no_short_listing(github: GitHubServer, tmp_path: Path) -> None:
    github.discuss(1, "Why?", "Why?", answer=post("So."))
    github.graph_errors = [{"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}]
    with pytest.raises(SourceUnusable, match="Could not resolve"):
        threads(github, tmp_path, "discussions").list()


def test_discussions_need_a_token(github: GitHubServer, tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match="token_variable"):
        threads(github, tmp_path, "discussions", token=None)


@pytest.mark.parametrize("path", ["", "/acme", "/acme/app/pulls", "/acme/app/issues/1", "/a/b%2F"])
def test_what_is_no_repository_is_refused(github: GitHubServer, tmp_path: Path, path: str) -> None:
    with pytest.raises(SourceUnusable, match="OWNER/NAME"):
        opened("github", tmp_path, url=github.url + path)
