"""A scripted model endpoint: a real HTTP server on loopback that can misbehave on demand.

It speaks `POST /v1/chat/completions` (streamed), `GET /v1/models` and RunAPI's price schedule from
a thread of its own, so tests of any colour and child processes can use it::

    with ScriptedModel() as model:
        model.script(says("Refunds take 14 days. [1]"), FAULTS["http_500"])
        ...  # point the bot at model.url
        model.requests[0].body["messages"]

A script is played one request after the other and its last part repeats. Without one, the model
quotes the first sentence of passage [1] of the prompt and cites it, whatever the documents are.

`FAULTS` end without a whole answer from the model; `QUIRKS` are odd, and must be answered in full.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

KEY = "sk-test-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"  # what tests give the bot as its key
THOUGHT = "MARKER-OF-A-THOUGHT: the user asks something, passage [1] may hold it."
NO_ANSWER = "NO_ANSWER"
EVENTS = "text/event-stream"
JSON = "application/json"
USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 200,
    "total_tokens": 1_200,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 150},
}


@dataclass
class Request:
    """One request as it arrived, and what became of it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)
    left: threading.Event = field(default_factory=threading.Event)  # the client closed first

    @property
    def prompt(self) -> str:
        """Return all that the model was sent, as one text."""
        return "\n".join(message["content"] for message in self.body.get("messages", []))


Script = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request and the connection to answer it on."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.writer = writer
        self.line_end = b"\n"

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(
        self, status: int = 200, kind: str = "text/event-stream", **headers: str
    ) -> None:
        """Send the status line and headers; the body ends with the connection."""
        lines = [f"HTTP/1.1 {status} Scripted", f"Content-Type: {kind}", "Connection: close"]
        lines += [
            "trace-id: trace-1234",
            *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items()),
        ]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def reply(self, status: int, body: object, kind: str = JSON, **headers: str) -> None:
        """Send a whole reply that is no stream."""
        text = body if isinstance(body, str) else json.dumps(body)
        await self.head(status, kind, Content_Length=str(len(text.encode())), **headers)
        await self.raw(text.encode())

    async def event(self, data: object) -> None:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        await self.raw(b"data: " + text.encode() + self.line_end * 2)

    async def delta(
        self, content: str | None = None, finish: str | None = None, **more: Any
    ) -> None:
        """Send one chunk of the answer."""
        delta = {"role": "assistant", "content": content, **more}
        await self.chunk([{"index": 0, "delta": delta, "finish_reason": finish}])

    async def chunk(self, choices: object, **more: Any) -> None:
        await self.event(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1_700_000_000,
                "model": self.request.body.get("model", ""),
                "choices": choices,
                **more,
            }
        )

    async def end(self, finish: str = "stop", usage: object = USAGE) -> None:
        """Send the last chunks of a healthy stream."""
        await self.delta("", finish)
        if usage is not None and self.request.body.get("stream_options"):
            await self.chunk([], usage=usage)
        await self.event("[DONE]")

    async def hang(self) -> None:
        """Send nothing more, and wait until the client leaves or the server is closed."""
        while not self.request.left.is_set():  # noqa: ASYNC110 - set from another thread
            await asyncio.sleep(0.02)

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


# ------------------------------------------------------------------------------------- the scripts


def says(
    text: str, pieces: int | Iterable[str] = 24, thought: str = "", pause: float = 0
) -> Script:
    """Stream this text, in pieces of so many characters or in these very pieces."""

    async def play(exchange: Exchange) -> None:
        whole = f"<think>\n{thought}\n</think>\n\n{text}" if thought else text
        parts = cut(whole, pieces) if isinstance(pieces, int) else pieces
        await exchange.head()
        for part in parts:
            await exchange.delta(part)
            await asyncio.sleep(pause)
        await exchange.end()

    return play


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def status(code: int, body: object = None, kind: str = JSON, **headers: str) -> Script:
    """Refuse with this status."""
    told = {"error": {"message": f"scripted {code}", "type": "scripted"}} if body is None else body

    async def play(exchange: Exchange) -> None:
        await exchange.reply(code, told, kind, **headers)

    return play


async def grounded(exchange: Exchange) -> None:
    """Answer with the first sentence of passage [1] of the prompt, cited."""
    await says(grounded_text(exchange.request.prompt))(exchange)


def grounded_text(prompt: str) -> str:
    """Return what the model says by itself: the first sentence of passage [1], with its mark."""
    found = re.search(r'<passage id="\[1\]"[^>]*>\n(.*?)\n</passage>', prompt, re.DOTALL)
    if not found:
        return NO_ANSWER
    lines = [line.strip() for line in found[1].splitlines()]
    prose = [line for line in lines if len(line.split()) > 3 and line[0] not in "#|`<!["]
    line = next(iter(prose or lines))
    sentence = re.match(r".*?[.!?。！？](?=\s|$)|.*", line)
    assert sentence is not None
    return f"{sentence[0]} [1]"


async def refused(exchange: Exchange) -> None:
    """Stand for an endpoint that does not listen; `ScriptedModel.script` closes the port for it."""
    exchange.reset()


async def echoed_key(exchange: Exchange) -> None:
    key = exchange.request.headers.get("authorization", "").removeprefix("Bearer ")
    message = f"Incorrect API key provided: {key}. Find yours at https://evil.example/keys"
    await exchange.reply(401, {"error": {"message": message, "code": "invalid_api_key"}})


async def hang_before_headers(exchange: Exchange) -> None:
    await exchange.hang()


async def hang_before_first_chunk(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.hang()


async def hang_in_thought(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta(f"<think>{THOUGHT}")
    await exchange.hang()


async def hang_after_a_sentence(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta(grounded_text(exchange.request.prompt) + "\n\nAnd ")
    await exchange.hang()


async def drip(exchange: Exchange, head: tuple[int, str], data: bytes) -> None:
    await exchange.head(*head)
    while not exchange.request.left.is_set():
        await exchange.raw(data)
        await asyncio.sleep(0.02)


async def drip_keep_alives(exchange: Exchange) -> None:
    await drip(exchange, (200, "text/event-stream"), b": keep-alive\n\n")


async def drip_spaces(exchange: Exchange) -> None:
    await drip(exchange, (200, "application/json"), b" ")


async def drip_empty_deltas(exchange: Exchange) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]}
    await drip(exchange, (200, "text/event-stream"), b"data: %s\n\n" % json.dumps(chunk).encode())


async def drip_letters(exchange: Exchange) -> None:
    """Never silent and never at the end: a letter of a sentence that nothing holds each time."""
    await exchange.head()
    for letter in itertools.cycle("nothing of this stands anywhere and it goes on, "):
        if exchange.request.left.is_set():
            return
        await exchange.delta(letter)
        await asyncio.sleep(0.02)


async def drip_thought(exchange: Exchange) -> None:
    await exchange.head()
    while not exchange.request.left.is_set():
        await exchange.delta(None, reasoning_content=THOUGHT[:9])
        await asyncio.sleep(0.02)


async def endless(exchange: Exchange, piece: str, start: str = "") -> None:
    await exchange.head()
    await exchange.delta(start)
    count = 0
    while not exchange.request.left.is_set():
        await exchange.delta(f"{piece}{(count := count + 1)} ")


async def endless_tokens(exchange: Exchange) -> None:
    await endless(exchange, "and so on and so forth, " * 40)


async def endless_sentences(exchange: Exchange) -> None:
    await endless(exchange, "Nothing of this stands anywhere. " * 40)


async def endless_thought(exchange: Exchange) -> None:
    await endless(exchange, "hmm, let me think, " * 40, "<think>")


async def one_huge_line(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.raw(b'data: {"choices": [{"delta": {"content": "')
    while not exchange.request.left.is_set():
        await exchange.raw(b"x" * 65_536)


async def cut_clean(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta("Refunds are not")


async def cut_by_reset(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta("Refunds are not")
    await asyncio.sleep(0.05)
    exchange.reset()


async def cut_after_a_sentence(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta(grounded_text(exchange.request.prompt) + "\n\nBut refunds are not")


async def reset_after_a_sentence(exchange: Exchange) -> None:
    await cut_after_a_sentence(exchange)
    await asyncio.sleep(0.05)
    exchange.reset()


async def garbage_after_a_sentence(exchange: Exchange) -> None:
    await cut_after_a_sentence(exchange)
    await exchange.raw(b"data: {\xff\xfe not json\n\n")
    await exchange.end()


async def error_after_a_sentence(exchange: Exchange) -> None:
    await cut_after_a_sentence(exchange)
    await exchange.event({"error": {"message": f"upstream said no to {KEY}", "code": 500}})


async def length_after_a_sentence(exchange: Exchange) -> None:
    await cut_after_a_sentence(exchange)
    await exchange.end("length")


def plays(*chunks: dict[str, Any], finish: str = "stop") -> Script:
    """Stream these deltas, each given as the fields of the delta."""

    async def play(exchange: Exchange) -> None:
        await exchange.head()
        for chunk in chunks:
            await exchange.delta(**chunk)
        await exchange.end(finish)

    return play


def events(*data: object) -> Script:
    """Stream these events as they are, and close."""

    async def play(exchange: Exchange) -> None:
        await exchange.head()
        for item in data:
            await exchange.event(item)

    return play


def calls(
    *wanted: tuple[str, str],
    thought: str = "",
    text: str = "",
    id: str = "call_function_a",
    finish: str = "tool_calls",
) -> Script:
    """Stream a thought in its field, a text, and calls of (name, arguments), piece by piece."""

    async def play(exchange: Exchange) -> None:
        await exchange.head()
        for part in cut(thought, 7):
            details = {"type": "reasoning.text", "id": "t1", "index": 0, "text": part}
            await exchange.delta("", reasoning_content=part, reasoning_details=[details])
        await exchange.delta(text)
        for index, (name, arguments) in enumerate(wanted):
            head = {"index": index, "id": f"{id}_{index}", "type": "function"}
            function = {"name": name, "arguments": ""}
            await exchange.delta(None, tool_calls=[{**head, "function": function}])
            for part in cut(arguments, 5):
                piece = {"index": index, "function": {"arguments": part}}
                await exchange.delta(None, tool_calls=[piece])
        if finish:
            await exchange.end(finish)

    return play


CALL = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": "{}"}}
XML_CALL = '<minimax:tool_call>\n<invoke name="refund"></invoke>\n</minimax:tool_call>'
HTML = "<html><body><h1>502 Bad Gateway</h1><p>MARKER-OF-A-PROVIDER</p></body></html>"


def base_resp(code: int) -> dict[str, Any]:
    return {"choices": None, "base_resp": {"status_code": code, "status_msg": f"scripted ({code})"}}


SHOWS_A_SENTENCE = "after_a_sentence"  # faults whose name ends so show one checked sentence first
FAULTS: dict[str, Script] = {
    "refused": refused,
    "http_400": status(400),
    "http_400_too_long": status(400, {"error": {"message": "context window exceeds limit (2013)"}}),
    "http_401": status(401),
    "http_401_echoing_the_key": echoed_key,
    "http_402": status(402),
    "http_403": status(403),
    "http_404": status(404),
    "http_413": status(413),
    "http_422_text": status(422, {"error": "no"}),
    "http_429": status(429),
    "http_429_retry_after_0": status(429, Retry_After="0"),
    "http_429_retry_after_100": status(429, Retry_After="100"),
    "http_429_retry_after_date": status(429, Retry_After="Fri, 01 Jan 2100 00:00:00 GMT"),
    "http_429_retry_after_nonsense": status(429, Retry_After="soon"),
    "http_500": status(500),
    "http_500_html": status(500, HTML, "text/html"),
    "http_500_empty": status(500, ""),
    "http_502": status(502, HTML, "text/html"),
    "http_503": status(503),
    "http_503_retry_after_100": status(503, Retry_After="100"),
    "http_529": status(529),
    "http_204": status(204, ""),
    "redirect_loop": status(307, "", Location="/v1/chat/completions"),
    "hang_before_headers": hang_before_headers,
    "hang_before_first_chunk": hang_before_first_chunk,
    "hang_in_thought": hang_in_thought,
    "hang_after_a_sentence": hang_after_a_sentence,
    "drip_keep_alives": drip_keep_alives,
    "drip_spaces": drip_spaces,
    "drip_empty_deltas": drip_empty_deltas,
    "drip_letters": drip_letters,
    "drip_thought": drip_thought,
    "endless_tokens": endless_tokens,
    "endless_sentences": endless_sentences,
    "endless_thought": endless_thought,
    "one_huge_line": one_huge_line,
    "cut_clean": cut_clean,
    "cut_by_reset": cut_by_reset,
    "cut_after_a_sentence": cut_after_a_sentence,
    "reset_after_a_sentence": reset_after_a_sentence,
    "garbage_after_a_sentence": garbage_after_a_sentence,
    "error_after_a_sentence": error_after_a_sentence,
    "length_after_a_sentence": length_after_a_sentence,
    "html_200": status(200, HTML, "text/html"),
    "html_as_stream": events(HTML),
    "json_error_200": status(200, {"error": {"message": "scripted", "code": "overloaded"}}),
    "json_garbage_200": status(200, '{"choices": [{"mess'),
    "json_deep_200": status(200, "[" * 100_000),
    "json_list_200": status(200, [1, 2]),
    "json_number_in_stream": events(7),
    "error_in_stream": events({"error": {"message": "scripted", "type": "server_error"}}),
    "error_text_in_stream": events({"error": "scripted"}),
    "base_resp_1002": status(200, base_resp(1002)),
    "base_resp_1004": status(200, base_resp(1004)),
    "base_resp_1008": status(200, base_resp(1008)),
    "base_resp_1027": status(200, base_resp(1027)),
    "base_resp_1033_in_stream": events(base_resp(1033)),
    "base_resp_2013_in_stream": events(base_resp(2013)),
    "choices_null": status(200, {"choices": None}),
    "choices_null_in_stream": events({"choices": None}, "[DONE]"),
    "choices_empty_in_stream": events({"choices": []}, "[DONE]"),
    "delta_null_in_stream": events({"choices": [{"delta": None, "finish_reason": "stop"}]}),
    "content_of_another_type": events({"choices": [{"delta": {"content": {"a": 1}}}]}, "[DONE]"),
    "empty_body": status(200, "", "text/event-stream"),
    "empty_data_lines_only": events("", "", "[DONE]"),
    "done_only": events("[DONE]"),
    "empty_answer": plays({"content": ""}),
    "null_answer": plays({"content": None}),
    "white_space": says(" \n\n \t\n"),
    "thought_only": says("", thought=THOUGHT),
    "thought_unclosed": says(f"<think>\n{THOUGHT}", 5),
    "thought_unclosed_length": plays({"content": f"<think>{THOUGHT}"}, finish="length"),
    "reasoning_field_only": plays({"reasoning_content": f"{THOUGHT} Refunds take 14 days. [1]"}),
    "reasoning_details_only": plays(
        {"reasoning_details": [{"type": "reasoning.text", "text": THOUGHT}]}
    ),
    "same_text_in_both_fields": plays({"content": THOUGHT, "reasoning_content": THOUGHT}),
    "content_filter": plays({"content": ""}, finish="content_filter"),
    "tool_call": plays({"tool_calls": [{"index": 0, **CALL}]}, finish="tool_calls"),
    "tool_call_in_text": says(XML_CALL, 3),
    "garbage_bytes": status(200, "\x00\x01\x02" * 500, "text/event-stream"),
}


def whole(deltas: Callable[[str], Iterable[dict[str, Any]]]) -> Script:
    """Say the grounded answer in the deltas that are made of it."""

    async def play(exchange: Exchange) -> None:
        await exchange.head()
        for delta in deltas(grounded_text(exchange.request.prompt)):
            await exchange.delta(**delta)
        await exchange.end()

    return play


async def split_bytes(exchange: Exchange) -> None:
    text = f"<think>{THOUGHT} ✅</think>{grounded_text(exchange.request.prompt)}"
    await exchange.head()
    data = b"".join(
        b"data: %s\r\n\r\n" % json.dumps({"choices": [choice]}, ensure_ascii=False).encode()
        for choice in [
            *({"index": 0, "delta": {"content": part}} for part in text),
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        ]
    )
    for part in range(0, len(data), 997):
        await exchange.raw(data[part : part + 997])


async def crlf(exchange: Exchange) -> None:
    exchange.line_end = b"\r\n"
    await grounded(exchange)


async def no_usage(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta(grounded_text(exchange.request.prompt))
    await exchange.end(usage=None)


async def no_done(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta(grounded_text(exchange.request.prompt))
    await exchange.delta("", "stop")


async def hang_after_the_end(exchange: Exchange) -> None:
    await no_done(exchange)
    await exchange.hang()


async def doubled_final_chunk(exchange: Exchange) -> None:
    text = grounded_text(exchange.request.prompt)
    await exchange.head()
    for part in cut(text[:-8], 7):
        await exchange.delta(part)
    await exchange.delta(text[-8:], "stop")
    await exchange.delta(text[-8:], "stop")
    await exchange.event("[DONE]")


async def final_snapshot(exchange: Exchange) -> None:
    text = grounded_text(exchange.request.prompt)
    await exchange.head()
    for part in cut(text, 7):
        await exchange.delta(part)
    message = {"role": "assistant", "content": text}
    await exchange.chunk([{"index": 0, "message": message, "finish_reason": "stop"}])
    await exchange.event("[DONE]")


async def keep_alives_between(exchange: Exchange) -> None:
    await exchange.head()
    for part in cut(grounded_text(exchange.request.prompt), 9):
        await exchange.raw(b": keep-alive\n\ndata:\n\nevent: ping\n\n")
        await exchange.delta(part)
        await exchange.chunk([], usage={"total_tokens": 0})
    await exchange.end()


async def usage_null_and_good_base_resp(exchange: Exchange) -> None:
    """Send what MiniMax puts beside every chunk: no usage yet, no error, nothing sensitive."""
    said = {"base_resp": {"status_code": 0, "status_msg": ""}, "input_sensitive": False}
    await exchange.head()
    for part in cut(grounded_text(exchange.request.prompt), 9):
        choice = {"index": 0, "delta": {"role": "assistant", "content": part}}
        await exchange.chunk([choice], usage=None, **said)
    await exchange.end()


async def usage_with_the_end(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.delta(grounded_text(exchange.request.prompt))
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}
    await exchange.chunk([choice], usage=USAGE)
    await exchange.event("[DONE]")


def snapshots(text: str, step: int) -> list[dict[str, Any]]:
    """Return deltas that each hold the whole text so far, as some relays send."""
    return [{"content": text[:end]} for end in [*range(step, len(text), step), len(text)]]


async def optional_fields_refused(exchange: Exchange) -> None:
    plain = {"model", "messages", "max_tokens", "temperature", "stream"}
    odd = sorted(set(exchange.request.body) - plain)
    if odd:
        message = f"Unsupported parameter: {odd[0]} (2013)"
        await exchange.reply(400, {"error": {"message": message, "code": None}})
    else:
        await grounded(exchange)


async def whole_json_instead_of_a_stream(exchange: Exchange) -> None:
    message = {"role": "assistant", "content": grounded_text(exchange.request.prompt)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    await exchange.reply(200, {"choices": choices, "usage": USAGE})


QUIRKS: dict[str, Script] = {
    "plain": grounded,
    "crlf": crlf,
    "split_bytes": split_bytes,
    "no_usage": no_usage,
    "no_done": no_done,
    "hang_after_the_end": hang_after_the_end,
    "doubled_final_chunk": doubled_final_chunk,
    "final_snapshot": final_snapshot,
    "keep_alives_between": keep_alives_between,
    "optional_fields_refused": optional_fields_refused,
    "whole_json_instead_of_a_stream": whole_json_instead_of_a_stream,
    "cumulative": whole(lambda text: ({"content": text[:end]} for end in range(1, len(text) + 1))),
    "letter_by_letter": whole(lambda text: ({"content": letter} for letter in text)),
    "thought_in_content": whole(
        lambda text: [{"content": f"<think>\n{THOUGHT}\n</think>\n\n{text}"}]
    ),
    "thought_letter_by_letter": whole(
        lambda text: ({"content": letter} for letter in f"<think>{THOUGHT}</think>{text}")
    ),
    "thought_without_opening": whole(
        lambda text: ({"content": part} for part in cut(f"{THOUGHT}\n</think>\n\n{text}", 6))
    ),
    "thought_thinking_tag": whole(
        lambda text: [{"content": f"<thinking>{THOUGHT}</thinking>{text}"}]
    ),
    "thought_raw_token": whole(lambda text: [{"content": f"<mm:think>{THOUGHT}</mm:think>{text}"}]),
    "thought_nested": whole(
        lambda text: [{"content": f"<think>of <think> {THOUGHT}</think> {THOUGHT} </think>{text}"}]
    ),
    "thought_in_field": whole(
        lambda text: [{"reasoning_content": THOUGHT}, {"content": text[:9]}, {"content": text[9:]}]
    ),
    "thought_in_details": whole(
        lambda text: [{"reasoning_details": [{"text": THOUGHT}]}, {"content": text}]
    ),
    "thought_in_both": whole(
        lambda text: [
            {"content": THOUGHT[:20], "reasoning_content": THOUGHT[:20]},
            {"content": THOUGHT[20:], "reasoning_content": THOUGHT[20:]},
            {"content": text},
        ]
    ),
    "thought_in_field_and_details": whole(
        lambda text: [
            {"reasoning_content": THOUGHT, "reasoning_details": [{"text": THOUGHT}]},
            {"content": text},
        ]
    ),
    "thought_in_snapshots": whole(
        lambda text: snapshots(f"<think>\n{THOUGHT}\n</think>\n\n{text}", 9)
    ),
    "thought_in_snapshots_of_a_field": whole(
        lambda text: [
            *({"reasoning_content": part["content"]} for part in snapshots(THOUGHT, 9)),
            *snapshots(text, 9),
        ]
    ),
    "usage_null_and_good_base_resp": usage_null_and_good_base_resp,
    "usage_with_the_end": usage_with_the_end,
    "role_empty": whole(lambda text: [{"role": "", "content": text}]),
}


# -------------------------------------------------------------------------------------- the server


class ScriptedModel:
    """The endpoint; a context manager that listens while it is entered."""

    def __init__(self) -> None:
        self.requests: list[Request] = []  # chat requests, oldest first
        self.looks: list[Request] = []  # at the lists of models and prices
        self.models: Script = status(200, {"object": "list", "data": [{"id": "MiniMax-M2"}]})
        self.prices: Script = status(404)
        self._scripts: list[Script] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model", daemon=True)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """Return the base URL to configure."""
        return f"http://127.0.0.1:{self._port}/v1"

    def script(self, *scripts: Script) -> None:
        """Play these from the next request on, one a request; the last one repeats."""
        self._scripts = list(scripts)
        self._call(self._unlisten() if scripts[:1] == (refused,) else self._listen())

    def reset(self) -> None:
        """Forget the requests and answer by itself again."""
        self.requests.clear()
        self.script()

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self._port, reuse_address=True
            )
            self._port = self._server.sockets[0].getsockname()[1]

    async def _unlisten(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _stop(self) -> None:
        await self._unlisten()
        for request in (*self.requests, *self.looks):
            request.left.set()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(path, headers, json.loads(body) if body else {})
        exchange = Exchange(request, writer)
        if method == "POST":
            self.requests.append(request)
            play = self._next()
        else:
            self.looks.append(request)
            play = self.models if path.endswith("/models") else self.prices
        watch = asyncio.ensure_future(self._watch(reader, request))
        try:
            await play(exchange)
        except ConnectionError:
            request.left.set()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    def _next(self) -> Script:
        if len(self._scripts) > 1:
            return self._scripts.pop(0)
        return self._scripts[0] if self._scripts else grounded

    @staticmethod
    async def _watch(reader: asyncio.StreamReader, request: Request) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        request.left.set()
