from __future__ import annotations

import asyncio
import json
import socket

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from supportbot.conversation import MAX_QUESTION_CHARACTERS
from supportbot.errors import StateUnavailable
from supportbot.web.auth import Access
from supportbot.web.gate import MAX_BODY_BYTES, Gate
from supportbot.web.problems import MEDIA_TYPE
from tests.servers.web import WebServer
from tests.supportbot.web.conftest import KEY, STAFF_KEY


def post(
    http: httpx2.Client, content: bytes | str, kind: str = "application/json"
) -> httpx2.Response:
    return http.post("/v1/answers", content=content, headers={"Content-Type": kind})


def assert_problem(response: httpx2.Response, *statuses: int) -> None:
    assert response.status_code in statuses
    assert response.headers["content-type"] == MEDIA_TYPE
    body = response.json()
    assert body["status"] == response.status_code
    assert {"type", "title", "detail"} <= set(body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": ""},
        {"question": " \n\t "},
        {"question": None},
        {"question": ["a"]},
        {"question": 7},
        {"question": "x" * (MAX_QUESTION_CHARACTERS + 1)},
        {"question": "x", "conversation_id": ""},
        {"question": "x", "conversation_id": "c" * 129},
        {"question": "x", "conversation_id": 3},
        [],
        "text",
        None,
    ],
)
def test_a_body_that_is_no_question_is_refused(
    http: httpx2.Client, server: WebServer, body: object
) -> None:
    assert_problem(post(http, json.dumps(body)), 422)
    assert not server.answerer.questions


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"question": "x"',
        b'{"question": "a" "b"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"question": "\\ud800"}',
        b'{"question": NaN}',
        b'{"question": ' + b"9" * 20_000 + b"}",
    ],
)
def test_broken_or_deep_json_is_refused(
    http: httpx2.Client, server: WebServer, content: bytes
) -> None:
    assert_problem(post(http, content), 400, 422)
    assert not server.answerer.questions


def test_what_was_sent_is_not_repeated_in_the_refusal(http: httpx2.Client) -> None:
    response = post(http, json.dumps({"question": {"card": "4111-1111"}}))
    assert_problem(response, 422)
    assert "4111" not in response.text
    assert response.json()["errors"][0]["field"] == "question"


def test_the_longest_question_is_answered_and_white_space_does_not_count(
    http: httpx2.Client, server: WebServer
) -> None:
    text = "ü" * MAX_QUESTION_CHARACTERS
    assert post(http, json.dumps({"question": f"  {text}\n"})).status_code == 200
    assert server.answerer.questions[0].text == text


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp",
     "application/json; charset=utf-16", ""],
)  # fmt: skip
def test_only_json_is_taken(http: httpx2.Client, server: WebServer, kind: str) -> None:
    assert_problem(post(http, '{"question": "x"}', kind), 415)
    assert not server.answerer.questions


def test_json_may_name_its_charset(http: httpx2.Client) -> None:
    assert post(http, '{"question": "x"}', "Application/JSON; charset=UTF-8").status_code == 200


def test_a_compressed_body_is_refused(http: httpx2.Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert_problem(http.post("/v1/answers", content=b"x", headers=headers), 415)


def test_a_body_that_says_it_is_large_is_refused_before_it_is_read(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = "POST /v1/answers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_in_chunks_is_refused_at_the_limit(server: WebServer) -> None:
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = "POST /v1/answers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(MAX_BODY_BYTES // 0x1000 + 1):
            connection.sendall(chunk)
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the request is not whole")

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/answers", "headers": headers,
             "client": ("127.0.0.1", 1)}  # fmt: skip
    await Gate(app, Access(()), body_seconds=0.01)(scope, receive, send)
    assert sent[0]["status"] == 408


async def test_a_client_of_another_machine_is_refused_without_a_key() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody else is served")

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/demo", "headers": [(b"host", b"localhost")],
             "client": ("192.0.2.7", 1)}  # fmt: skip
    await Gate(app, Access(()))(scope, receive, send)
    assert sent[0]["status"] == 403


def test_an_unknown_address_is_a_problem(http: httpx2.Client) -> None:
    assert_problem(http.get("/nothing"), 404)
    assert_problem(http.get("/help/nothing"), 404)
    assert_problem(http.get("/assets/..%2Fapp.py"), 404)
    assert_problem(http.get("/assets/nothing.js"), 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "TRACE", "PATCH"])
def test_another_method_is_refused_and_the_right_ones_are_named(
    http: httpx2.Client, method: str
) -> None:
    response = http.request(method, "/v1/answers")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST"


def test_a_database_that_is_down_is_said_plainly(http: httpx2.Client, server: WebServer) -> None:
    server.services.threads.error = StateUnavailable("postgresql://user:secret@host refused")
    response = http.get("/v1/conversations/conv_1")
    assert_problem(response, 503)
    assert "secret" not in response.text


@pytest.fixture
def asking(keyed_http: httpx2.Client) -> httpx2.Client:
    keyed_http.headers["X-Widget-Key"] = KEY
    return keyed_http


def test_the_21st_question_of_a_visitor_within_a_minute_must_wait(asking: httpx2.Client) -> None:
    for number in range(20):
        body = {"question": "x", "conversation_id": f"fresh-{number}"}
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        assert asking.post("/v1/answers", json=body, headers=headers).status_code == 200
    response = asking.post("/v1/answers", json={"question": "x"})
    assert_problem(response, 429)
    assert 1 <= int(response.headers["retry-after"]) <= 60
    other_key = asking.post(
        "/v1/answers", json={"question": "x"}, headers={"X-Widget-Key": STAFF_KEY}
    )
    assert_problem(other_key, 429)
    assert 'supportbot_questions_limited_total{limit="visitor"} 2.0' in asking.get("/metrics").text


def test_this_machine_may_ask_as_often_as_it_likes(http: httpx2.Client) -> None:
    statuses = {post(http, '{"question": "x"}').status_code for _ in range(25)}
    assert statuses == {200}
