"""The model endpoint: one streamed chat completion, with all of its quirks kept in here.

The only importer of `openai`. The client's own retries are off and its
time-outs are not relied on: a total deadline, and a limit on silence, hold for each call. The reply
is read as bytes and decoded by `events`, because the client hides what matters: a stream that was
cut, a JSON error or an HTML page in place of a stream.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Any, Literal, Protocol

from supportbot.answering.breaker import Breaker
from supportbot.answering.events import TooLong, read_events
from supportbot.answering.reasoning import Delta, DeltaJoiner, Discard, ReasoningFilter
from supportbot.answering.toolcalls import ToolCall, Tools, WholeReply
from supportbot.conversation import Usage
from supportbot.errors import FailureKind, ModelError
from supportbot.metering import PriceList

if TYPE_CHECKING:
    from supportbot.config import BotSettings

MAX_OUTPUT_TOKENS = 8_192  # thinking counts too
MAX_VISIBLE_CHARACTERS = 200_000
MAX_CHARACTERS = 500_000  # with thinking
TEMPERATURE = 0.2
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0  # the longest pause inside a stream
PATIENCE = 0.6  # share of the time left that one silence may take, so that another try fits
USAGE_SECONDS = 1.0  # how long to wait for the usage after the answer's end
CHARACTERS_PER_TOKEN = 3.6  # measured for English on this model family
# Sent until the endpoint refuses them; a request without them always works.
OPTIONAL_FIELDS: Mapping[str, Any] = {
    "stream_options": {"include_usage": True},
    "reasoning_split": True,
}
_HAS_OTHER_REASON = re.compile(r"\((?!2013)\d{4}\)|\bmodel\b|context|too long", re.I)
_OF_TOOLS = re.compile(r"\btools?\b|tool_|function.?call", re.I)
_ID_HEADERS = ("x-request-id", "trace-id", "x-mm-request-id", "minimax-request-id")
_REFUSES_A_FIELD = re.compile(
    r"(?:unknown|unsupported|unrecogni[sz]ed|unexpected|extra|not (?:supported|permitted|allowed))"
    r".{0,60}(?:param|field|argument|propert|key|input|option)",
    re.I | re.S,
)
_BY_CODE = {  # MiniMax's codes: inside the message of an error, or in `base_resp` under a 200
    **dict.fromkeys((1000, 1024, 1033, 1039, 1041), FailureKind.OVERLOADED),
    1001: FailureKind.TIMEOUT,
    1002: FailureKind.RATE_LIMITED,
    **dict.fromkeys((1004, 2049), FailureKind.UNAUTHORISED),
    **dict.fromkeys((1008, 2056), FailureKind.NO_CREDIT),  # 2056: until the plan's next period
    **dict.fromkeys((1026, 1027), FailureKind.SENSITIVE),
    # 2061: the plan lacks this model, so a fallback may do
    **dict.fromkeys((1042, 2013, 2061), FailureKind.BAD_REQUEST),
}
_BY_STATUS = {
    **dict.fromkeys((401, 403), FailureKind.UNAUTHORISED),
    402: FailureKind.NO_CREDIT,
    408: FailureKind.TIMEOUT,
    429: FailureKind.RATE_LIMITED,
}
_BY_FINISH = {
    "content_filter": FailureKind.SENSITIVE,
    "tool_calls": FailureKind.MALFORMED,  # nobody offered a tool
    "function_call": FailureKind.MALFORMED,
    "error": FailureKind.CUT,
    "abort": FailureKind.CUT,
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a request."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    more: Mapping[str, Any] = field(default_factory=dict)  # such as the calls of an assistant

    @property
    def characters(self) -> int:
        """Return how long all that is sent is."""
        return len(self.content) + (len(json.dumps(self.more)) if self.more else 0)

    def to_json(self) -> dict[str, Any]:
        """Return the form of the endpoint."""
        return {"role": self.role, "content": self.content, **self.more}


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a reply.

    `is_complete` is false when the model ran into its output limit. A reply with `calls` ends so
    that they can be made; `message` is all of it, to be sent back unchanged with their results.
    """

    model: str
    usage: Usage = field(default_factory=Usage)
    request_id: str = ""
    is_complete: bool = True
    calls: tuple[ToolCall, ...] = ()
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Retrying:
    """A try failed and another follows, which begins the answer anew."""

    error: ModelError


ModelEvent = Delta | Discard | Retrying | Finished


class Model(Protocol):
    """What turns messages into text."""

    @property
    def id(self) -> str:
        """Return the model's ID."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        deadline: float,
        reference: str = "",
        tools: Tools | None = None,
    ) -> AsyncGenerator[ModelEvent, None]:
        """Stream one reply; `Finished` comes last, with calls or after at least one `Delta`.

        Args:
            messages: one system message at most, first; the question last.
            deadline: on the clock of the running event loop.
            reference: our own id of the answer, for the provider's logs.
            tools: what the model may call; an endpoint that refuses them is asked without.

        Raises:
            ModelError: the reply failed, perhaps after some text.
        """
        ...

    async def aclose(self) -> None:
        """Close its connections."""
        ...


class EndpointModel:
    """One model behind an OpenAI-compatible endpoint."""

    def __init__(
        self,
        url: str,
        key: str,
        name: str,
        breaker: Breaker | None = None,
        prices: PriceList | None = None,
    ) -> None:
        import openai

        self._name = name
        self._key = key
        self._breaker = breaker or Breaker()
        self._prices = prices or PriceList()
        # "tools" stands for those of a request, where it has any.
        self._optional = {**OPTIONAL_FIELDS, "tools": None}
        self._later: dict[str, Any] = {}  # to be asked for again after a plain request worked
        self._is_proven = False  # a request with optional fields has worked
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},
            # A redirect would multiply calls and carry questions to a host nobody configured.
            http_client=openai.DefaultAsyncHttpx2Client(follow_redirects=False),
        )

    @property
    def id(self) -> str:
        """Return the model's ID."""
        return self._name

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def stream(
        self,
        messages: Sequence[Message],
        deadline: float,
        reference: str = "",
        tools: Tools | None = None,
    ) -> AsyncGenerator[ModelEvent, None]:
        """Stream one reply; see `Model.stream`. One call is made, never more."""
        self._breaker.check()
        request = self._request(messages, deadline, reference, tools)
        takes_calls = "tools" in request["extra_body"] and tools is not None and tools.may_be_called
        reply = Reply(self._name, sum(one.characters for one in messages), takes_calls=takes_calls)
        try:
            async with aclosing(self._call(request, deadline, reply)) as events:
                async for event in events:
                    yield event
            finished = reply.finished()
        except ModelError as error:
            self._note(error, reply)
            raise
        self._breaker.succeeded()
        self._is_proven = self._is_proven or bool(request["extra_body"])
        self._optional, self._later = {**self._optional, **self._later}, {}
        yield replace(finished, usage=self._priced(finished.usage))

    def _priced(self, usage: Usage) -> Usage:
        price = self._prices.of(self._name)
        dollars = price.cost(usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        return replace(usage, cost_usd=round(dollars, 10))

    async def _call(
        self, request: dict[str, Any], deadline: float, reply: Reply
    ) -> AsyncGenerator[Delta | Discard, None]:
        async with AsyncExitStack() as stack:
            with self._translated("no reply", sent=request["extra_body"]):
                async with asyncio.timeout_at(_patience(deadline, deadline)):
                    response = await stack.enter_async_context(
                        self._client.chat.completions.with_streaming_response.create(**request)
                    )
            reply.request_id = _first_header(response.headers, _ID_HEADERS)
            events = await stack.enter_async_context(aclosing(read_events(response.iter_bytes())))
            quiet_until = _patience(deadline, deadline)
            while not reply.is_over:
                with self._translated("the stream fell silent", reply):
                    async with asyncio.timeout_at(reply.limit(quiet_until)):
                        data = await anext(events, None)
                if data is None:
                    break
                before = reply.characters
                with self._translated("the stream makes no sense", reply):
                    news = reply.take(data)
                for event in news:
                    yield event
                if reply.characters > before:
                    quiet_until = _patience(deadline, SILENCE_SECONDS)
            for event in reply.rest():
                yield event

    def _request(
        self, messages: Sequence[Message], deadline: float, reference: str, tools: Tools | None
    ) -> dict[str, Any]:
        import openai

        optional = dict(self._optional)
        if "tools" in optional:
            del optional["tools"]
            optional |= _told(tools) if tools else {}
        left = max(0.1, deadline - asyncio.get_running_loop().time())
        return {
            "model": self._name,
            "messages": [message.to_json() for message in messages],
            "max_tokens": MAX_OUTPUT_TOKENS,
            "temperature": TEMPERATURE,
            "stream": True,
            "extra_body": optional,
            "extra_headers": {"X-Client-Request-Id": reference} if reference else {},
            "timeout": openai.Timeout(left, connect=min(CONNECT_SECONDS, left * PATIENCE)),
        }

    @contextmanager
    def _translated(
        self, doing: str, reply: Reply | None = None, sent: Iterable[str] = ()
    ) -> Iterator[None]:
        """Turn what the client, its transport and the decoder raise into `ModelError`."""
        import httpx2
        import openai

        broken = FailureKind.CUT if reply else FailureKind.REFUSED
        try:
            yield
        except ModelError as error:
            raise ModelError(error.kind, self._masked(error.detail)) from None
        except (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException):
            if reply is None or not reply.finish:
                raise ModelError(FailureKind.TIMEOUT, doing) from None
            reply.is_over = True
        except openai.APIStatusError as error:
            raise self._refusal(error, sent) from None
        except TooLong as error:
            raise ModelError(FailureKind.TIMEOUT, str(error)) from None
        except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError) as error:
            raise ModelError(broken, f"{doing}: {type(error).__name__}") from None
        except (openai.OpenAIError, ValueError, RecursionError, httpx2.InvalidURL) as error:
            raise ModelError(FailureKind.MALFORMED, f"{doing}: {type(error).__name__}") from None

    def _refusal(self, error: Any, sent: Iterable[str]) -> ModelError:
        message = _message_of(error.body) or str(error.message)
        kind = _kind_of(message, None) or kind_of_status(error.status_code)
        if error.status_code in (400, 422) and self._drops_a_field(message, set(sent)):
            kind = FailureKind.FIELD_REFUSED
        after = _retry_after(error.response.headers.get("retry-after", ""))
        return ModelError(kind, self._masked(f"HTTP {error.status_code}: {message}"), after)

    def _drops_a_field(self, message: str, sent: set[str]) -> bool:
        """Tell whether the endpoint refused an optional field; it is not sent again.

        A refusal that names none is taken for one only while no request with optional fields ever
        worked; then all are dropped, and if the message is unclear, from the next question on.
        Tools are not waited for: a question that may be refused for them is asked without at once.
        """
        named = {name for name in sent if _names(message, name)}
        if named:
            self._later = {k: v for k, v in self._optional.items() if k not in named}
            self._optional = {}
            return True
        if not sent or self._is_proven:
            return False
        self._optional = {}
        if "tools" in sent and not _HAS_OTHER_REASON.search(message):
            return True
        return bool(_REFUSES_A_FIELD.search(message))

    def _note(self, error: ModelError, reply: Reply) -> None:
        if reply.writes_calls:
            self._optional.pop("tools", None)
        if error.is_transient and error.kind is not FailureKind.FIELD_REFUSED:
            self._breaker.failed()

    def _masked(self, text: str) -> str:
        """Return the text for a log: one line, bounded, without our key or anything like one."""
        text = text.replace(self._key, "***")
        text = re.sub(r"\b(?:sk|pk|key|Bearer)[-_ ][\w.\-]{6,}", "***", text)
        return "".join(char if char.isprintable() else " " for char in text)[:300]


def build_model(settings: BotSettings, prices: PriceList | None = None) -> Model | None:
    """Return the configured model with its fallbacks, None where there is no key."""
    from supportbot.answering.chain import ModelChain

    if settings.runapi_key is None:
        return None
    url, key = str(settings.model_url), settings.runapi_key.get_secret_value()
    names = dict.fromkeys((settings.model, *settings.model_fallbacks))
    return ModelChain([EndpointModel(url, key, name, prices=prices) for name in names])


class Reply:
    """What has arrived of one reply, and what it means."""

    def __init__(self, model: str, prompt_characters: int, *, takes_calls: bool = False) -> None:
        self.request_id = ""
        self.finish = ""  # the finish reason
        self.is_over = False  # nothing more is awaited
        self.characters = 0  # visible or not
        self._model = model
        self._prompt_characters = prompt_characters
        self._visible = 0
        self._has_text = False
        self._usage: Mapping[str, Any] = {}
        self._joiner = DeltaJoiner()
        self._filter = ReasoningFilter()
        self._whole = WholeReply() if takes_calls else None

    @property
    def writes_calls(self) -> bool:
        """Tell whether calls that may be made arrive as text, where they cannot be trusted."""
        return self._whole is not None and self._filter.has_call

    def limit(self, quiet_until: float) -> float:
        """Return until when to wait for the next event."""
        if not self.finish:
            return quiet_until
        return min(quiet_until, asyncio.get_running_loop().time() + USAGE_SECONDS)

    def take(self, data: str) -> list[Delta | Discard]:
        """Return what one event makes visible.

        Raises:
            ModelError: the event is an error, or no event of a reply at all.
            ValueError: it is no JSON.
        """
        if not data.strip():
            return []
        if data.startswith("[DONE]"):
            self.is_over = True
            return []
        chunk = json.loads(data)
        if not isinstance(chunk, dict):
            raise ModelError(FailureKind.MALFORMED, "an event is no object")
        raise_told_error(chunk)
        if isinstance(usage := chunk.get("usage"), dict) and _count(usage, "prompt_tokens"):
            self._usage = usage
            self.is_over = bool(self.finish)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        return self._choice(choice) if isinstance(choice, dict) and not self.finish else []

    def rest(self) -> list[Delta | Discard]:
        """Return what was held back until the end."""
        content = self._joiner.finish()
        if self._whole:
            self._whole.take({}, content)
        return self._counted(self._filter.feed(content) + self._filter.finish())

    def finished(self) -> Finished:
        """Return how the reply ended.

        Raises:
            ModelError: it was cut off, refused, or holds no text and no calls.
        """
        if finished := self._called():
            return finished
        if kind := _BY_FINISH.get(self.finish):
            raise ModelError(kind, f"finish reason {self.finish}")
        if not self._has_text:
            raise ModelError(FailureKind.EMPTY, f"no visible text; finish reason {self.finish!r}")
        is_full = self._visible > MAX_VISIBLE_CHARACTERS
        if not self.finish and not is_full:
            raise ModelError(FailureKind.CUT, "the stream ended without a finish reason")
        is_complete = self.finish != "length" and not is_full and not self._filter.ends_inside
        return Finished(self._model, self._tokens(), self.request_id, is_complete)

    def _called(self) -> Finished | None:
        """Return the end of a reply that wants calls made, None: it is no such reply.

        Raises:
            ModelError: of kind `FIELD_REFUSED`, where the endpoint writes calls into the text.
        """
        if self.writes_calls:
            raise ModelError(FailureKind.FIELD_REFUSED, "tool calls arrive as text")
        calls = self._whole.calls() if self._whole else ()
        if self._whole is None or not calls or self.finish not in ("tool_calls", "stop"):
            return None
        message = Message("assistant", self._whole.content, self._whole.fields())
        tokens = self._tokens()
        return Finished(self._model, tokens, self.request_id, calls=calls, message=message)

    def _choice(self, choice: Mapping[str, Any]) -> list[Delta | Discard]:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            # A relay that ignores `stream`, or repeats the whole message at the end.
            message = choice.get("message")
            delta = message if isinstance(message, dict) and not self.characters else {}
        reasoning, content = _reasoning_of(delta), _text(delta.get("content"))
        finish = choice.get("finish_reason")
        self.finish = finish if isinstance(finish, str) else ""
        self.characters += len(reasoning) + len(content)
        if reasoning:
            self._filter.settle()
        is_thought = reasoning.strip() and content.strip() == reasoning.strip()  # in both fields
        new = "" if is_thought else self._joiner.feed(content)
        if self._whole:
            self.characters += self._whole.take(delta, new)
        if self.characters > MAX_CHARACTERS:
            raise ModelError(FailureKind.TIMEOUT, "the reply has no end")
        return self._counted(self._filter.feed(new))

    def _counted(self, news: list[Delta | Discard]) -> list[Delta | Discard]:
        for event in news:
            if isinstance(event, Delta):
                self._visible += len(event.text)
                self._has_text = self._has_text or bool(event.text.strip())
            else:
                self._has_text = False
        self.is_over = self.is_over or self._visible > MAX_VISIBLE_CHARACTERS
        return news

    def _tokens(self) -> Usage:
        """Return the usage as told; estimated from the lengths where nothing was told."""
        told = self._usage
        return Usage(
            input_tokens=_count(told, "prompt_tokens")
            or round(self._prompt_characters / CHARACTERS_PER_TOKEN),
            output_tokens=_count(told, "completion_tokens")
            or round(self.characters / CHARACTERS_PER_TOKEN),
            cached_tokens=_count(told, "prompt_tokens_details", "cached_tokens"),
            reasoning_tokens=_count(told, "completion_tokens_details", "reasoning_tokens"),
        )


def _told(tools: Tools) -> dict[str, Any]:
    """Return the fields of a request that describe tools."""
    chosen = {} if tools.may_be_called else {"tool_choice": "none"}
    return {"tools": list(tools.functions), **chosen}


def _names(message: str, field: str) -> bool:
    """Tell whether an error message speaks of a field of the request."""
    return bool(_OF_TOOLS.search(message)) if field == "tools" else field in message


def _patience(deadline: float, most: float) -> float:
    """Return until when one silence is borne."""
    now = asyncio.get_running_loop().time()
    return now + min(most, max(0.0, deadline - now) * PATIENCE)


def kind_of_status(status: int) -> FailureKind:
    """Return what an HTTP status that is no success means."""
    otherwise = FailureKind.OVERLOADED if status >= 500 else FailureKind.BAD_REQUEST
    return _BY_STATUS.get(status, otherwise)


def raise_told_error(chunk: Mapping[str, Any]) -> None:
    """Raise the error that a body tells although its status was 200.

    Raises:
        ModelError: there is one.
    """
    base = chunk.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        message = f"{base.get('status_msg', '')} ({base['status_code']})"
        raise ModelError(_kind_of(message, None) or FailureKind.OVERLOADED, f"base_resp: {message}")
    if chunk.get("error"):
        message = _message_of(chunk)
        raise ModelError(_kind_of(message, None) or FailureKind.OVERLOADED, f"error: {message}")


def _kind_of(message: str, otherwise: FailureKind | None) -> FailureKind | None:
    codes = (int(code) for code in re.findall(r"\((\d{4})\)", message))
    return next((_BY_CODE[code] for code in codes if code in _BY_CODE), otherwise)


def _message_of(body: object) -> str:
    """Return the message of an error body in any of the shapes that relays give it."""
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    names = ("message", "error", "detail", "errorMessage", "msg")
    return next((text for name in names if (text := _message_of(body.get(name)))), "")


def _reasoning_of(delta: Mapping[str, Any]) -> str:
    plain = _text(delta.get("reasoning_content")) or _text(delta.get("reasoning"))
    details = delta.get("reasoning_details")
    if plain or not isinstance(details, list):
        return plain
    return "".join(_text(part.get("text")) for part in details if isinstance(part, dict))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(usage: Mapping[str, Any], *path: str) -> int:
    value: object = usage
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _first_header(headers: Mapping[str, str], names: Sequence[str]) -> str:
    return next((headers[name][:200] for name in names if headers.get(name)), "")


def _retry_after(value: str, now: Callable[[], float] = time) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110, 10.2.3), None where it has none."""
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value.strip()):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now())
    except (ValueError, TypeError, OverflowError):
        return None
