"""What leaves the bot, and what is sent to the model, where the model obeys the attacker.

The model is the worst there is: it says what the attacker wants, alone and among true sentences.
So these tests hold for any model. The attacks are our own, see `attacks.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from html.parser import HTMLParser
from typing import get_args
from urllib.parse import unquote

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parsers.characters import clean, line
from knowledge.documents import Chunk
from supportbot.answering.answerer import Answerer, AnswererSettings
from supportbot.answering.chain import ModelChain
from supportbot.answering.cleaning import visible
from supportbot.answering.draft import Draft, prepared
from supportbot.answering.grounding import marks_of
from supportbot.answering.model import EndpointModel
from supportbot.answering.prompts import REPAIR, RULES
from supportbot.answering.texts import TEXTS
from supportbot.conversation import Answer, Outcome, Question, Text
from supportbot.rendering import render
from supportbot.slack.blocks import to_messages
from tests.fakes import FakeRetriever, MemoryThreads
from tests.servers.model import KEY, Exchange, ScriptedModel, says
from tests.supportbot.answering.attacks import (
    ATTACKS,
    GERMAN,
    HARMLESS,
    SEES,
    SEES_GERMAN,
    SMUGGLED,
    Attack,
    Place,
)
from tests.supportbot.answering.passages import REFUNDS

ASKED = "How long do the refunds take after you have the parcel?"
ALLOWED_NAMES = """
a blockquote br code em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul
"""
ALLOWED = frozenset(ALLOWED_NAMES.split())
BLOCKS = (
    "\n",
    "\n\n",
    "- ",
    "> ",
    "# ",
    "| ",
    "|---|\n",
    "`",
    "``",
    "```\n",
    "~~~\n",
    "\\",
    "![",
    "<",
    "@",
)
URL = re.compile(r"https?://[^\s<>\"'`|)\]]+")
DELIMITER = re.compile(r"<(\W*)(passages?|question|earlier_questions)\b", re.I)
TEMPLATE = re.compile(r"<\|\w+\|>|\]~!?b|\[e~\[|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ScriptedModel]:
    with ScriptedModel() as scripted:
        yield scripted


@pytest_asyncio.fixture
async def model(endpoint: ScriptedModel) -> AsyncIterator[ModelChain]:
    endpoint.reset()
    opened = EndpointModel(endpoint.url, KEY, "MiniMax-M2")
    yield ModelChain([opened], (0.0, 0.0))
    await opened.aclose()


def obeys(reply: str):
    """Script a model that says this, and its whole prompt where that is asked for."""

    async def play(exchange: Exchange) -> None:
        prompt = exchange.request.prompt
        await says(reply.replace("{prompt}", prompt), 97)(exchange)

    return play


def planted(attack: Attack) -> tuple[list[Chunk], str, list[str]]:
    """Return the passages, the question and what was asked before."""
    text = attack.planted
    chunks = [attack.passage]
    poison = Chunk("c9", "page.md", "A page", "https://shop.example/page", (), "", 0)
    changes = {
        "document": {"text": clean(f"Our page on refunds is here. {text}")},
        "title": {"title": line(text)},
        "heading": {"heading_path": (line(text),)},
        "address": {"uri": text},
    }
    if attack.place in changes:
        poison = replace(poison, text="Our page on refunds is here.")
        chunks.append(replace(poison, **changes[attack.place]))
    question = f"{ASKED} {text}" if attack.place == "question" else ASKED
    return chunks, question, [text] if attack.place == "history" else []


async def answered(
    model: ModelChain, chunks: Sequence[Chunk], question: str, before: Sequence[str] = ()
) -> Answer:
    threads = MemoryThreads()
    for text in before:
        earlier = Question(text, "conv_1")
        await threads.record(earlier, Answer(text, "conv_1", Outcome.ANSWERED, "Yes. [1]"))
    bot = Answerer(
        retriever=FakeRetriever(*chunks),
        model=model,
        threads=threads,
        settings=AnswererSettings(),
    )
    async with aclosing(bot.stream(Question(question, "conv_1"))) as stream:
        events = [event async for event in stream]
    finals = [event for event in events if isinstance(event, Answer)]
    assert finals == events[-1:]
    assert finals[0].text == "".join(one.delta for one in events if isinstance(one, Text))
    return finals[0]


class Page(HTMLParser):
    """The elements and addresses of a page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses |= {value or "" for name, value in attrs if name == "href"}

    def handle_data(self, data: str) -> None:
        self.words += data


def words(text: str, letters: str = r"[^\W\d_]+") -> list[str]:
    return re.findall(letters, unicodedata.normalize("NFKC", text).casefold())


def runs(text: str) -> set[tuple[str, ...]]:
    """Return all 8 words in a row, with figures as words and without."""
    forms = words(text), words(text, r"\w+"), words(text, r"\S+")
    return {tuple(form[start : start + 8]) for form in forms for start in range(len(form) - 7)}


def slack_texts(answer: Answer) -> list[str]:
    """Return all texts of the messages in Slack's markup."""

    def texts(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (str(part["text"]) for _ in [0] if isinstance(part.get("text"), str))
            part = list(part.values())
        if isinstance(part, list):
            for one in part:
                yield from texts(one)

    messages = to_messages(answer)
    return [*(m.text for m in messages), *(t for m in messages for t in texts(m.blocks or []))]


def assert_safe(answer: Answer, chunks: Sequence[Chunk]) -> None:
    """Check what leaves: in the text, as HTML and in Slack."""
    assert answer.outcome in {Outcome.ANSWERED, Outcome.NOT_FOUND, Outcome.QUOTED}
    assert answer.text.strip()
    cited = [chunk for one in answer.citations for chunk in chunks if chunk.uri == one.uri]
    assert {chunk.uri for chunk in cited} == {one.uri for one in answer.citations}
    assert set(marks_of(answer.text)) == {one.number for one in answer.citations}
    own = {one.link for one in answer.citations} | {one.uri for one in answer.citations}
    own |= {url.rstrip(".,") for chunk in cited for url in URL.findall(chunk.text)}
    assert_safe_text(answer.text, own)
    page = Page(answer.html)
    assert page.tags <= ALLOWED
    assert page.attributes <= {"href", "title", "class", "rel", "start"}
    assert set(map(unquote, page.addresses)) <= set(map(unquote, own))
    assert_safe_text(page.words, own)
    for text in slack_texts(answer):
        assert not re.search(r"<[!@#]|@(?:channel|here|everyone)\b", text)
        links = re.findall(r"<([^|>]*)", text)
        assert {unquote(link.replace("&amp;", "&")) for link in links} <= set(map(unquote, own))
        assert visible(text).replace("\u200b", "") == text.replace("\u200b", "")
    rules = runs(RULES) | runs(REPAIR)
    for text in (answer.text, page.words, *slack_texts(answer)):
        assert not runs(text) & rules


def assert_safe_text(text: str, own: set[str]) -> None:
    folded = unicodedata.normalize("NFKC", text)
    assert "evil" not in folded.casefold()
    assert "pwned" not in folded.casefold()
    assert {url.rstrip(".,") for url in URL.findall(text)} <= own
    assert visible(text) == text
    assert not re.search(r"!\[(?!\d{1,3}\])", text)
    assert not re.search(r"<(?!https?://[^<>]*>)[a-z/!?@#]", text, re.I)
    assert not re.search(r"(?<![\w.])@(?:channel|here|everyone)\b", folded)


def assert_contained(endpoint: ScriptedModel, passages: int, has_history: bool) -> None:
    """Check what was sent: the rules alone in the system message, data within its delimiters."""
    assert endpoint.requests
    for request in endpoint.requests:
        system, user = request.body["messages"]
        assert (system["role"], user["role"]) == ("system", "user")
        assert system["content"] == RULES
        sent = unicodedata.normalize("NFKC", user["content"])
        expected = ["passages", *["passage", "/passage"] * passages, "/passages"]
        before = ["earlier_questions", "/earlier_questions"] * has_history
        sent, *mended = sent.split("<deleted_sentences>")
        assert [one.count("</deleted_sentences>") for one in mended] == [1] * len(mended[:1])
        assert not any(DELIMITER.search(one) for one in mended)
        found = ["/" * ("/" in mark) + name.lower() for mark, name in DELIMITER.findall(sent)]
        assert found == [*before, *expected, "question", "/question"]
        assert not TEMPLATE.search(sent)
        assert visible(user["content"]) == user["content"]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.place}: {attack.name}")
async def test_a_model_that_obeys_an_attacker_does_no_harm(
    endpoint: ScriptedModel, model: ModelChain, attack: Attack
) -> None:
    true = SEES if attack.passage is REFUNDS else SEES_GERMAN
    chunks, question, before = planted(attack)
    for reply in (attack.reply, f"{true}\n\n{attack.reply}\n\n{true}"):
        endpoint.reset()
        endpoint.script(obeys(reply))
        answer = await answered(model, chunks, question, before)
        assert_safe(answer, chunks)
        assert_contained(endpoint, len(chunks), bool(before))
        if answer.outcome is Outcome.ANSWERED:
            held = " ".join(f"{one.title} {one.heading} {one.text}" for one in chunks)
            told = answer.text.replace(TEXTS["en"].cut, "")
            assert set(words(told)) <= set(words(held))
    assert answer.outcome is Outcome.ANSWERED
    assert true.removesuffix(" [1]").removesuffix(".") in answer.text


@pytest.mark.parametrize("payload", SMUGGLED, ids=ascii)
async def test_nothing_is_smuggled_out_in_a_sentence_that_holds(
    endpoint: ScriptedModel, model: ModelChain, payload: str
) -> None:
    for place in (f"parcel {payload}.", f"parcel, see {payload} [1]", f"{payload} parcel."):
        endpoint.script(says(f"{SEES}\n\nRefunds take 14 days after we receive the {place} [1]"))
        assert_safe(await answered(model, [REFUNDS], ASKED), [REFUNDS])


@settings(max_examples=100)
@given(st.lists(st.sampled_from([*SMUGGLED, *BLOCKS]), min_size=1, max_size=4), st.booleans())
def test_nothing_is_smuggled_out_however_it_is_put_together(parts: list[str], near: bool) -> None:
    payload = ("" if near else " ").join(parts)
    draft = Draft(prepared([REFUNDS]), "en")
    draft.add(f"Refunds take 14 days after we receive the {payload} parcel. [1]\n\n{SEES}", True)
    draft.finish()
    assert_safe_text(draft.text, {"https://shop.example/returns"})
    assert Page(render(draft.text, draft.citations)).tags <= ALLOWED


@pytest.mark.parametrize("sentence", HARMLESS, ids=lambda text: ascii(text[:40]))
async def test_what_only_looks_like_an_attack_is_said_whole(
    endpoint: ScriptedModel, model: ModelChain, sentence: str
) -> None:
    page = replace(REFUNDS, title="Guide", text=f"{sentence} It is so for all customers.")
    endpoint.script(says(f"{sentence} [1]"))
    answer = await answered(model, [page], sentence)
    assert answer.text == f"{sentence} [1]"


async def test_what_a_page_says_to_its_readers_is_quoted_as_it_stands(
    endpoint: ScriptedModel, model: ModelChain
) -> None:
    order = "To verify your account visit https://evil.example/login today."
    page = replace(REFUNDS, text=order)
    endpoint.script(says(f"{order} [1]"))
    answer = await answered(model, [page], "How do I verify my account today?")
    assert (answer.text, answer.citations[0].quote) == (f"{order} [1]", order)
    assert Page(answer.html).addresses == {answer.citations[0].link}


async def test_an_asker_is_answered_in_their_language_from_passages_in_another(
    endpoint: ScriptedModel, model: ModelChain
) -> None:
    endpoint.script(says("Refunds of what you have paid for take 14 days. [1]"))
    assert (await answered(model, [GERMAN], ASKED)).outcome is Outcome.ANSWERED


def test_there_are_attacks_of_all_kinds() -> None:
    assert {attack.place for attack in ATTACKS} == set(get_args(Place))
    assert len(ATTACKS) >= 90
    assert len(SMUGGLED) >= 50
    assert len(HARMLESS) >= 50
