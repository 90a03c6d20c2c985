"""A thread of GitHub as an article: its question with what maintainers say to it.

Anybody may write there, so what strangers say stays out: of a thread come the question, the answer
that was marked, and the comments of owners, members and collaborators.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.sources.base import About
from ingest.sources.system import Article, Version, markdown_page, stamp_of

MAINTAINERS = ("OWNER", "MEMBER", "COLLABORATOR")


@dataclass(frozen=True, slots=True)
class Thread:
    """A question with what maintainers say to it."""

    number: int
    title: str
    url: str
    updated: str
    question: str
    tags: tuple[str, ...]
    is_by_maintainer: bool
    answers: tuple[str, ...] = ()

    def article(self, unanswered: str, is_closed: bool) -> Article:
        """Return it as an article; passed over where no maintainer speaks in it."""
        version = self.version(is_closed)
        is_answered = self.answers or self.is_by_maintainer
        return Article(
            key=str(self.number),
            changed=self.updated,
            versions=(version,) if is_answered else (),
            skipped="" if is_answered else unanswered,
        )

    def version(self, is_closed: bool) -> Version:
        """Return it as a document."""
        about = About(
            title=self.title,
            url=self.url,
            modified_at=self.updated,
            audiences=frozenset() if is_closed else None,
            tags=self.tags,
        )
        answers = "".join(f"\n\n## Answer\n\n{_visible(answer)}" for answer in self.answers)
        content = markdown_page(about, _visible(self.question) + answers)
        return Version(
            id=self.url,  # it stays, and customers can read it
            stamp=stamp_of(content.data, self.tags, is_closed),
            place=str(self.number),
            content=content,
        )


def _visible(text: str) -> str:
    """Return Markdown without HTML comments, which issue templates are full of."""
    first, *rest = text.split("<!--")
    return (first + "".join(part.partition("-->")[2] for part in rest)).strip()
