"""The terminal door: renders answers of `ask` and `chat`, and nothing else."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TextIO

from supportbot.answering.answerer import Answerer
from supportbot.conversation import Answer, Citation, Outcome, Question, Status, Text
from supportbot.errors import SupportbotError

HINTS = {
    "empty_knowledge_base": "The knowledge base is empty: run `supportbot-ingest sync FOLDER`.",
    "no_key": "No model key is set, so the bot quotes: set RUNAPI_KEY for written answers.",
}
FAILURE_HINT = "No written answer, because of: {}. `supportbot doctor` says what to do."
FAILED = (Outcome.QUOTED, Outcome.UNAVAILABLE)
CLEAR_LINE = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where to write: answers to `out`, everything else to `err`."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    async def show(self, answerer: Answerer, question: Question) -> Answer:
        """Ask, write the checked text as it comes and then the numbered sources."""
        answer = None
        async for event in answerer.stream(question):
            if isinstance(event, Status):
                self._status(f"{event.stage.capitalize()}… {event.detail}".rstrip())
            elif isinstance(event, Text):
                self._status("")
                self.out.write(event.delta)
                self.out.flush()
            else:
                answer = event
        if answer is None:
            raise SupportbotError("the stream ended without an answer; please report this")
        self._sources(answer)
        return answer

    async def show_json(self, answerer: Answerer, question: Question) -> Answer:
        """Ask and write the answer as one JSON object."""
        answer = await answerer.answer(question)
        json.dump(answer.to_json(), self.out, ensure_ascii=False)
        self.out.write("\n")
        return answer

    def read(self) -> str:
        """Return the next line that is typed, "" at the end of the input."""
        self.err.write("\n> ")
        self.err.flush()
        return sys.stdin.readline().strip()

    def hint(self, answer: Answer) -> None:
        """Say what an operator can do about an answer that is no plain one."""
        failed = answer.cause and answer.outcome in FAILED
        if hint := HINTS.get(answer.cause) or (failed and FAILURE_HINT.format(answer.cause)):
            self.err.write(f"\n{hint}\n")

    def _sources(self, answer: Answer) -> None:
        self.out.write("\n")
        if answer.citations:
            self.out.write("\nSources\n")
        for citation in answer.citations:
            self.out.write(f"  [{citation.number}] {_source_line(citation)}\n")
        if answer.outcome is Outcome.UNAVAILABLE:
            self.err.write(f"Reference: {answer.id}\n")
        self.out.flush()

    def _status(self, text: str) -> None:
        if self.err.isatty():
            self.err.write(CLEAR_LINE + text)
            self.err.flush()


def _source_line(citation: Citation) -> str:
    place = " › ".join(part for part in (citation.title, citation.heading) if part)
    return f"{place} — {citation.uri}"
