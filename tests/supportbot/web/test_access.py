from __future__ import annotations

import httpx2
import pytest

from supportbot.web.problems import MEDIA_TYPE
from tests.servers.web import WebServer
from tests.supportbot.web.conftest import KEY, ORIGIN, STAFF_KEY

BODY = {"question": "How do I connect Slack?"}
STREAM = {"Accept": "text/event-stream"}


def ask(http: httpx2.Client, **headers: str) -> httpx2.Response:
    names = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
    return http.post("/v1/answers", json=BODY, headers=names)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "[::1]:8080", "127.0.0.2"])
def test_without_a_key_this_machine_is_served(http: httpx2.Client, host: str) -> None:
    assert ask(http, Host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["bot.example.com", "127.0.0.1.nip.io", "localhost.evil.example", "0.0.0.0", "10.0.0.1"]
)
def test_without_a_key_a_foreign_host_name_is_refused(
    http: httpx2.Client, server: WebServer, host: str
) -> None:
    for path in ("/demo", "/help/", "/docs", "/openapi.json", "/metrics", "/widget.js"):
        assert http.get(path, headers={"Host": host}).status_code == 403
    assert ask(http, Host=host).status_code == 403
    assert not server.answerer.questions


def test_probes_may_name_the_machine_as_they_like(http: httpx2.Client) -> None:
    assert http.get("/healthz", headers={"Host": "10.1.2.3:8080"}).status_code == 200
    assert http.get("/readyz", headers={"Host": "bot"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
def test_without_a_key_a_foreign_page_is_refused(
    http: httpx2.Client, server: WebServer, origin: str
) -> None:
    response = ask(http, Origin=origin)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers
    assert not server.answerer.questions


def test_without_a_key_our_own_pages_are_served(http: httpx2.Client, server: WebServer) -> None:
    assert ask(http, Origin=server.url).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Widget_Key": "wrong"},
        {"X_Widget_Key": KEY.upper()},
        {"X_Widget_Key": KEY[:-1]},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"X_Widget_Key": "schlüssel-ohne-ascii"},
    ],
)
def test_a_missing_or_wrong_key_is_unauthorised(
    keyed_http: httpx2.Client, keyed_server: WebServer, headers: dict[str, str]
) -> None:
    response = ask(keyed_http, **headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == MEDIA_TYPE
    assert not keyed_server.answerer.questions


def test_a_key_is_taken_from_either_header(keyed_http: httpx2.Client) -> None:
    assert ask(keyed_http, Authorization=f"Bearer {KEY}").status_code == 200
    assert ask(keyed_http, X_Widget_Key=KEY).status_code == 200


def test_only_the_key_that_asked_may_rate_or_report_an_answer(
    keyed_http: httpx2.Client, keyed_server: WebServer
) -> None:
    answer_id = ask(keyed_http, X_Widget_Key=KEY).json()["id"]
    report = {"answer_id": answer_id, "rating": "down", "reason": "reported"}
    for key, status in ((STAFF_KEY, 404), (KEY, 204)):
        reply = keyed_http.post("/v1/feedback", json=report, headers={"X-Widget-Key": key})
        assert reply.status_code == status
    assert keyed_server.services.threads.ratings == [(answer_id, "down", "reported", "")]


def test_a_key_decides_what_its_visitors_may_see(
    keyed_http: httpx2.Client, keyed_server: WebServer
) -> None:
    ask(keyed_http, X_Widget_Key=KEY)
    ask(keyed_http, X_Widget_Key=STAFF_KEY)
    public, staff = (question.scope.audiences for question in keyed_server.answerer.questions)
    assert public == {"public"}
    assert staff == {"public", "staff"}


def test_a_key_decides_whose_budget_a_question_is_paid_from(
    keyed_http: httpx2.Client, keyed_server: WebServer
) -> None:
    for key in (KEY, KEY, STAFF_KEY):
        ask(keyed_http, X_Widget_Key=key)
    first, again, staff = (question.workspace for question in keyed_server.answerer.questions)
    assert first == again != staff
    assert first.startswith("widget:")
    assert KEY not in first


@pytest.mark.parametrize(
    "origin",
    [
        "https://help.example.com.evil.example",
        "https://xhelp.example.com",
        "http://help.example.com",
        "https://help.example.com:8443",
        "https://HELP.example.com",
        "https://help.example.com/",
        "https://example.com",
        "https://intranet.example.com",
        "null",
        "",
    ],
)
def test_a_page_that_the_key_does_not_list_is_refused(
    keyed_http: httpx2.Client, keyed_server: WebServer, origin: str
) -> None:
    response = ask(keyed_http, X_Widget_Key=KEY, Origin=origin, **STREAM)
    assert response.status_code == 403
    assert "event:" not in response.text
    assert not keyed_server.answerer.questions


def test_a_listed_page_may_ask_and_read(keyed_http: httpx2.Client) -> None:
    response = ask(keyed_http, X_Widget_Key=KEY, Origin=ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in response.headers
    assert "Origin" in response.headers["vary"]


def test_a_listed_page_may_read_why_it_was_refused(keyed_http: httpx2.Client) -> None:
    response = ask(keyed_http, X_Widget_Key="wrong", Origin=ORIGIN)
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == ORIGIN


def preflight(http: httpx2.Client, origin: str) -> httpx2.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-widget-key",
    }
    return http.options("/v1/answers", headers=headers)


def test_a_preflight_of_a_listed_page_is_allowed(keyed_http: httpx2.Client) -> None:
    response = preflight(keyed_http, ORIGIN)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Widget-Key" in response.headers["access-control-allow-headers"]
    assert "DELETE" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_a_preflight_of_another_page_is_refused(keyed_http: httpx2.Client, origin: str) -> None:
    response = preflight(keyed_http, origin)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_the_demo_works_with_a_key_on_this_machine(
    keyed_http: httpx2.Client, keyed_server: WebServer
) -> None:
    assert f'data-key="{KEY}"' in keyed_http.get("/demo").text
    assert ask(keyed_http, X_Widget_Key=KEY, Origin=keyed_server.url).status_code == 200


def test_another_key_can_neither_read_nor_erase_nor_continue_a_conversation(
    keyed_http: httpx2.Client,
) -> None:
    opened = ask(keyed_http, X_Widget_Key=STAFF_KEY).json()["conversation_id"]
    path = f"/v1/conversations/{opened}"
    assert keyed_http.get(path, headers={"X-Widget-Key": KEY}).status_code == 404
    assert keyed_http.delete(path, headers={"X-Widget-Key": KEY}).status_code == 404
    assert keyed_http.get(path).status_code == 401
    body = {**BODY, "conversation_id": opened}
    other = keyed_http.post("/v1/answers", json=body, headers={"X-Widget-Key": KEY}).json()
    assert other["conversation_id"] != opened
    mine = keyed_http.get(path, headers={"X-Widget-Key": STAFF_KEY})
    assert len(mine.json()["turns"]) == 1


@pytest.mark.parametrize("guess", ["1", "conv_1", "slack:T1:C1:1.1", "conv_x." + "0" * 32, "a/b"])
def test_with_a_key_an_invented_conversation_id_opens_a_new_conversation(
    keyed_http: httpx2.Client, guess: str
) -> None:
    headers = {"X-Widget-Key": KEY}
    body = {**BODY, "conversation_id": guess}
    first = keyed_http.post("/v1/answers", json=body, headers=headers).json()["conversation_id"]
    second = keyed_http.post("/v1/answers", json=body, headers=headers).json()["conversation_id"]
    assert len({guess, first, second}) == 3
    assert keyed_http.get(f"/v1/conversations/{guess}", headers=headers).status_code == 404


def test_on_this_machine_a_program_may_name_its_conversations(http: httpx2.Client) -> None:
    body = {**BODY, "conversation_id": "my-first"}
    assert http.post("/v1/answers", json=body).json()["conversation_id"] == "my-first"


def test_a_conversation_of_slack_cannot_be_named_over_http(http: httpx2.Client) -> None:
    body = {**BODY, "conversation_id": "slack:T1:C1:1700000000.1"}
    answer = http.post("/v1/answers", json=body).json()
    assert answer["conversation_id"].startswith("conv_")
