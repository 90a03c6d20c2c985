from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from supportbot.conversation import Outcome, Status, Text
from supportbot.web.bodies import AnswerBody, ConversationBody
from tests.servers.web import ANSWER, PIECES, WebServer

STREAM = {"Accept": "text/event-stream"}


def ask(http: httpx2.Client, **body: Any) -> httpx2.Response:
    return http.post("/v1/answers", json={"question": "How do I connect Slack?", **body})


def events(response: httpx2.Response) -> list[tuple[str, dict[str, Any]]]:
    frames = [frame.split("\n") for frame in response.text.removesuffix("\n\n").split("\n\n")]
    return [(name[7:], json.loads(data[6:])) for name, data in frames]


def test_a_question_is_answered_as_json(http: httpx2.Client, server: WebServer) -> None:
    response = ask(http)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer["text"] == ANSWER.text
    assert answer["outcome"] == "answered"
    assert [citation["number"] for citation in answer["citations"]] == [1, 2]
    assert [question.text for question in server.answerer.questions] == ["How do I connect Slack?"]
    assert server.answerer.questions[0].door == "http"


def test_the_description_of_the_api_describes_the_answer(http: httpx2.Client) -> None:
    answer = ask(http).json()
    assert AnswerBody.model_validate(answer).model_dump(mode="json") == answer
    shapes = http.get("/openapi.json").json()["components"]["schemas"]
    assert set(shapes["AnswerBody"]["properties"]) == set(answer)


def test_a_stream_is_status_text_and_last_the_answer(http: httpx2.Client) -> None:
    response = http.post("/v1/answers", json={"question": "Slack?"}, headers=STREAM)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    found = events(response)
    assert [name for name, _ in found] == ["status"] * 3 + ["text"] * len(PIECES) + ["answer"]
    assert found[1][1] == {"stage": "reading", "detail": "2 passages"}
    answer = found[-1][1]
    assert "".join(data["delta"] for name, data in found if name == "text") == answer["text"]
    assert set(answer) == set(ANSWER.to_json())


def test_text_of_any_script_and_with_newlines_survives_the_stream(
    http: httpx2.Client, server: WebServer
) -> None:
    text = "Zeile 1\r\n\nüber — 日本語 👩‍👩‍👧\u2028data: x\n\nevent: answer\n"
    server.answerer.steps = (Text(text), ANSWER)
    response = http.post("/v1/answers", json={"question": "x"}, headers=STREAM)
    assert events(response)[0] == ("text", {"delta": text})


def test_an_answerer_that_fails_ends_the_stream_with_an_error_and_a_reference(
    http: httpx2.Client, server: WebServer
) -> None:
    server.answerer.steps = (Status("searching"), RuntimeError("secret detail"))
    found = events(http.post("/v1/answers", json={"question": "x"}, headers=STREAM))
    assert [name for name, _ in found] == ["status", "error"]
    assert found[1][1]["code"] == "internal"
    assert found[1][1]["reference"].startswith("ref_")
    assert "secret" not in json.dumps(found)


def test_an_answerer_that_fails_gives_json_clients_a_problem_with_a_reference(
    http: httpx2.Client, server: WebServer
) -> None:
    server.answerer.steps = (RuntimeError("secret detail"),)
    response = ask(http)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["reference"] in response.json()["detail"]
    assert "secret" not in response.text


def test_a_client_that_leaves_a_stream_cancels_the_answering(
    http: httpx2.Client, server: WebServer
) -> None:
    server.answerer.steps = (Text("first"), 60.0, ANSWER)
    with http.stream("POST", "/v1/answers", json={"question": "x"}, headers=STREAM) as response:
        assert next(response.iter_lines()) == "event: text"
    assert server.answerer.cancelled.wait(timeout=60)


def test_a_client_that_leaves_before_the_json_cancels_the_answering(server: WebServer) -> None:
    server.answerer.steps = (60.0, ANSWER)
    timeout = httpx2.Timeout(5, read=0.3)
    with (
        httpx2.Client(base_url=server.url, timeout=timeout) as impatient,
        pytest.raises(httpx2.ReadTimeout),
    ):
        ask(impatient)
    assert server.answerer.cancelled.wait(timeout=60)


def test_a_conversation_goes_on_under_its_id(http: httpx2.Client, server: WebServer) -> None:
    first = ask(http).json()["conversation_id"]
    assert ask(http, conversation_id=first).json()["conversation_id"] == first
    assert {question.conversation_id for question in server.answerer.questions} == {first}


def test_a_conversation_can_be_read_and_erased(http: httpx2.Client) -> None:
    answer = ask(http).json()
    path = f"/v1/conversations/{answer['conversation_id']}"
    conversation = ConversationBody.model_validate(http.get(path).json())
    assert [turn.model_dump(mode="json") for turn in conversation.turns] == [answer]
    assert http.delete(path).status_code == 204
    assert http.get(path).status_code == 404
    assert http.delete(path).status_code == 404


def test_a_rating_is_kept(http: httpx2.Client, server: WebServer) -> None:
    answer_id = ask(http).json()["id"]
    body = {"answer_id": answer_id, "rating": "down", "reason": "wrong", "comment": "It is 30."}
    assert http.post("/v1/feedback", json=body).status_code == 204
    assert server.services.threads.ratings == [(answer_id, "down", "wrong", "It is 30.")]


def test_a_rating_of_an_unknown_answer_is_not_found(http: httpx2.Client) -> None:
    response = http.post("/v1/feedback", json={"answer_id": "ans_nobody", "rating": "up"})
    assert response.status_code == 404


def test_answers_are_counted_by_outcome() -> None:
    with WebServer() as server, httpx2.Client(base_url=server.url, timeout=60) as http:
        ask(http)
        http.post("/v1/answers", json={"question": "x"}, headers=STREAM)
        text = http.get("/metrics").text
    assert f'supportbot_questions_total{{door="http",outcome="{Outcome.ANSWERED}"}} 2.0' in text
    assert 'supportbot_answer_seconds_count{door="http"} 2.0' in text
    assert 'supportbot_questions_total{door="http",outcome="unavailable"} 0.0' in text
