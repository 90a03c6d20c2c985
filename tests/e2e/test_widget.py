"""The widget in a real Chromium: what a visitor sees, and what the page must never do."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from pydantic import SecretStr

from supportbot.config import WidgetSettings
from supportbot.conversation import Citation, Outcome, Status, Text
from supportbot.web.pages import FILES
from tests.servers.web import ANSWER, CITATIONS, PIECES, WebServer

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing: install the system package `chromium`")
        pytest.skip(f"{CHROMIUM} is missing: install the system package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as running:
        yield running


@dataclass
class Visit:
    """One visitor's page, and all that it did."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(WATCH)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    @property
    def widget(self) -> Locator:
        return self.page.locator("support-widget")

    @property
    def input(self) -> Locator:
        return self.widget.get_by_role("textbox", name="Your question")

    @property
    def turn(self) -> Locator:
        return self.widget.locator(".turn").last

    def ask(self, question: str = "How do I connect Slack?") -> Locator:
        self.input.fill(question)
        self.input.press("Enter")
        expect(self.turn.locator(".question")).to_contain_text(question)
        return self.turn

    def assert_clean(self, *origins: str) -> None:
        assert not self.complaints
        assert self.page.evaluate("window.violations") == []
        assert [url for url in self.requests if not url.startswith(origins)] == []


@pytest.fixture
def visit(chromium: Browser, server: WebServer) -> Iterator[Visit]:
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    visit = Visit(context.new_page())
    visit.page.goto(f"{server.url}/demo")
    yield visit
    context.close()


def test_a_visitor_gets_a_streamed_answer_with_linked_sources(
    visit: Visit, server: WebServer
) -> None:
    turn = visit.ask()
    expect(turn.locator(".text")).to_contain_text("Mention the bot in a channel to try it.")
    expect(turn.locator("ol > li")).to_have_count(3 + len(CITATIONS))
    source = turn.get_by_role("link", name=CITATIONS[0].title, exact=True)
    expect(source).to_have_attribute("href", CITATIONS[0].link)
    expect(source).to_have_attribute("target", "_blank")
    expect(source).to_have_attribute("rel", "noopener noreferrer nofollow")
    mark = turn.get_by_role("link", name=f"Source 1: {CITATIONS[0].title}").first
    expect(mark).to_have_attribute("href", CITATIONS[0].link)
    expect(turn.locator(".source").nth(1)).to_contain_text(CITATIONS[1].title)
    expect(turn.locator(".source").nth(1).locator("a")).to_have_count(0)
    expect(turn.locator(".source").nth(0)).to_contain_text(CITATIONS[0].quote)
    visit.assert_clean(server.url)


def test_checked_text_is_shown_before_the_answer_is_complete(
    visit: Visit, server: WebServer
) -> None:
    server.answerer.steps = (Status("searching"), Status("writing"), Text(PIECES[0]), 60.0)
    turn = visit.ask()
    expect(turn.locator(".text")).to_have_text("Connect Slack in three steps:")
    expect(turn.locator(".status")).to_have_text("Writing the answer…")
    visit.widget.get_by_role("button", name="Stop").click()
    expect(turn.locator(".failure")).to_have_text("Stopped before the answer was complete.")
    assert server.answerer.cancelled.wait(timeout=60)


def test_a_suggestion_asks_its_question(visit: Visit, server: WebServer) -> None:
    visit.widget.get_by_role("button", name="How do I add documents?").click()
    expect(visit.turn.locator(".sources")).to_be_visible()
    assert server.answerer.questions[0].text == "How do I add documents?"
    expect(visit.widget.locator(".chip")).to_have_count(0)


@pytest.mark.parametrize(
    ("outcome", "sign"),
    [
        (Outcome.QUOTED, ".quoted .label"),
        (Outcome.NOT_FOUND, ".not_found .text"),
        (Outcome.UNAVAILABLE, ".unavailable .retry"),
    ],
)
def test_how_an_answer_ended_can_be_seen(
    visit: Visit, server: WebServer, outcome: Outcome, sign: str
) -> None:
    server.answerer.steps = (replace(ANSWER, outcome=outcome, citations=()),)
    expect(visit.ask().locator(sign)).to_be_visible()


MARKUP = """\
# Prices & plans

Both plans, **in short**: `a < b` and *more* &amp; less \\*kept\\*. [1]

| Plan | Price |
|---|---|
| Basic | $1 [1] |

- first [1]
  - inner
- see https://docs.example.com/plans. [2]

```sh
echo "[1] <b>**not bold**</b>"
```

> A quote. [2]
> > > It goes on.
"""


def test_markdown_is_shown_as_markdown(visit: Visit, server: WebServer) -> None:
    server.answerer.steps = (replace(ANSWER, text=MARKUP),)
    text = visit.ask().locator(".text")
    expect(text.locator("h3")).to_have_text("Prices & plans")
    expect(text.locator("strong")).to_have_text("in short")
    expect(text.locator("em")).to_have_text("more")
    expect(text.locator("p").first).to_contain_text("a < b and more & less *kept*.")
    expect(text.locator("td").nth(1)).to_contain_text("$1")
    expect(text.locator("ul ul li")).to_have_text("inner")
    expect(text.locator("pre")).to_have_text('echo "[1] <b>**not bold**</b>"')
    expect(text.locator("blockquote")).to_contain_text("It goes on.")
    address = text.get_by_role("link", name="https://docs.example.com/plans", exact=True)
    expect(address).to_have_attribute("href", "https://docs.example.com/plans")


HARM = (
    '<img src=x onerror="window.harmed=1"> <script>window.harmed=1</script> '
    "[a](javascript:window.harmed=1) ![b](https://evil.example/?d=1) "
    "[c](https://user:pw@evil.example/) [d](data:text/html,x) <svg onload=window.harmed=1> "
    "[e](//evil.example) <javascript:window.harmed=1> `<i>` </script><style>*{display:none}</style>"
)


def test_markup_in_an_answer_does_nothing(visit: Visit, server: WebServer) -> None:
    bad = Citation(
        number=1,
        document_id=HARM,
        title=HARM,
        uri="javascript:window.harmed=1",
        heading=HARM,
        quote=HARM,
        link="javascript:window.harmed=1",
    )
    steps = (Text(f"{HARM} [1]"), replace(ANSWER, text=f"{HARM} [1]", citations=(bad,)))
    server.answerer.steps = steps
    turn = visit.ask(HARM)
    expect(turn.locator(".sources")).to_be_visible()
    for link in turn.locator("a").all():
        link_to = link.get_attribute("href") or ""
        assert link_to.startswith(("https://", "http://"))
        assert "@" not in link_to
    assert turn.locator("img, script, svg[onload], style, iframe, form").count() == 0
    visit.page.wait_for_load_state("networkidle")
    assert visit.page.evaluate("window.harmed") is None
    visit.assert_clean(server.url)


@pytest.mark.parametrize(
    "start",
    [
        *("> " * 3_000, "[" * 3_000, "**" * 3_000, "x" + "`" * 3_001, "- " * 3_000, "1. " * 3_000),
        *("|" * 3_000 + "\n|-|\n", "```\n", "```a``` ", "\\" * 3_001, "&#" * 3_000, "http://" * 99),
    ],
)
def test_odd_markdown_is_shown_all_the_same(visit: Visit, server: WebServer, start: str) -> None:
    server.answerer.steps = (replace(ANSWER, text=f"{start} end"),)
    turn = visit.ask()
    expect(turn.locator(".sources")).to_be_visible()
    expect(turn.locator(".text")).to_contain_text("end")
    assert not visit.complaints


def test_the_keyboard_is_enough(visit: Visit, server: WebServer) -> None:
    page = visit.page
    expect(visit.widget.get_by_role("dialog")).to_be_visible()
    visit.input.focus()
    page.keyboard.press("Escape")
    expect(visit.widget.get_by_role("dialog")).to_be_hidden()
    launcher = visit.widget.get_by_role("button", name="Open the chat")
    expect(launcher).to_be_focused()
    expect(launcher).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(visit.input).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(visit.turn.locator(".sources")).to_be_visible()
    assert server.answerer.questions[0].text == "one\ntwo"
    expect(visit.input).to_be_focused()
    expect(visit.input).to_have_value("")


def test_a_screen_reader_hears_the_stages_and_the_whole_answer_once(visit: Visit) -> None:
    visit.ask()
    status = visit.widget.locator(".panel > [role=status]")
    expect(status).to_contain_text("Answer: Connect Slack in three steps:")
    expect(visit.widget.get_by_role("log")).to_have_attribute("aria-live", "off")
    expect(visit.widget.get_by_role("dialog", name="Ask us anything")).to_be_visible()


def test_a_broken_connection_is_said_and_the_question_can_be_asked_again(
    visit: Visit, server: WebServer
) -> None:
    visit.page.context.set_offline(True)
    turn = visit.ask()
    expect(turn.locator(".failure")).to_contain_text("We could not be reached.")
    visit.page.context.set_offline(False)
    turn.get_by_role("button", name="Try again").click()
    expect(visit.turn.locator(".sources")).to_be_visible()
    expect(visit.widget.locator(".turn")).to_have_count(1)
    assert len(server.answerer.questions) == 1


def test_an_error_within_the_stream_keeps_what_was_shown_and_names_a_reference(
    visit: Visit, server: WebServer
) -> None:
    server.answerer.steps = (Text(PIECES[0]), RuntimeError("secret"))
    turn = visit.ask()
    expect(turn.locator(".failure")).to_contain_text("ref_")
    expect(turn.locator(".text")).to_have_text("Connect Slack in three steps:")
    expect(turn.get_by_role("button", name="Try again")).to_be_visible()


def test_a_conversation_goes_on_after_the_page_was_reloaded(
    visit: Visit, server: WebServer
) -> None:
    expect(visit.ask("first").locator(".sources")).to_be_visible()
    visit.page.reload()
    expect(visit.widget.locator(".question")).to_contain_text("first")
    expect(visit.turn.locator(".sources")).to_be_visible()
    expect(visit.ask("second").locator(".sources")).to_be_visible()
    first, second = server.answerer.questions
    assert first.conversation_id == second.conversation_id


def test_a_new_conversation_forgets_the_old_one(visit: Visit, server: WebServer) -> None:
    expect(visit.ask("first").locator(".sources")).to_be_visible()
    visit.widget.get_by_role("button", name="New conversation").click()
    expect(visit.widget.locator(".turn")).to_have_count(0)
    expect(visit.widget.locator(".chip")).to_have_count(3)
    expect(visit.ask("second").locator(".sources")).to_be_visible()
    first, second = server.answerer.questions
    assert first.conversation_id != second.conversation_id


def test_a_visitor_says_whether_it_helped(visit: Visit, server: WebServer) -> None:
    turn = visit.ask()
    turn.get_by_role("button", name="Not helpful").click()
    expect(turn.get_by_text("Thank you.")).to_be_visible()
    expect(turn.get_by_role("button", name="Not helpful")).to_have_attribute("aria-pressed", "true")
    assert [rating for _, rating, _, _ in server.services.threads.ratings] == ["down"]


def test_a_visitor_reports_an_answer_on_a_phone(chromium: Browser, server: WebServer) -> None:
    context = chromium.new_context(viewport=PHONE, is_mobile=True, has_touch=True)
    visit = Visit(context.new_page())
    visit.page.goto(f"{server.url}/demo")
    visit.widget.get_by_role("button", name="Open the chat").tap()
    turn = visit.ask()
    report = turn.get_by_role("button", name="Report this answer")
    report.tap()
    thanks = turn.get_by_text("Reported.", exact=True)
    expect(thanks).to_be_visible()
    expect(report).to_have_attribute("aria-pressed", "true")
    places = [one.bounding_box() for one in turn.locator(".foot > *").all()]
    assert all(one["x"] >= 0 and one["x"] + one["width"] <= PHONE["width"] for one in places)
    assert thanks.bounding_box()["height"] < 30  # on one line
    [(_, rating, reason, _)] = server.services.threads.ratings
    assert (rating, reason) == ("down", "reported")
    turn.get_by_role("button", name="Helpful", exact=True).tap()
    expect(report).to_have_attribute("aria-pressed", "false")
    visit.assert_clean(server.url)
    context.close()


def test_on_a_phone_the_chat_fills_the_screen_and_nothing_scrolls_sideways(
    chromium: Browser, server: WebServer
) -> None:
    wide = "| " + " | ".join(f"column-{number}" for number in range(12)) + " |"
    table = f"{wide}\n{re.sub('[^|]+', '---', wide)}\n{wide}"
    long = f"{'x' * 300} [1]\n\n```\n{'y' * 300}\n```\n\n{table}"
    server.answerer.steps = (replace(ANSWER, text=long),)
    context = chromium.new_context(viewport=PHONE, is_mobile=True, has_touch=True)
    visit = Visit(context.new_page())
    for path in ("/help/", "/docs", "/demo"):
        visit.page.goto(server.url + path)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    visit.widget.get_by_role("button", name="Open the chat").tap()
    expect(visit.ask().locator(".sources")).to_be_visible()
    dialog = visit.widget.get_by_role("dialog")
    dialog.evaluate("(one) => Promise.all(one.getAnimations().map((moves) => moves.finished))")
    assert dialog.bounding_box() == {"x": 0, "y": 0, **PHONE}
    log = visit.widget.get_by_role("log")
    assert log.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    visit.widget.get_by_role("button", name="Close the chat").first.click()
    expect(visit.widget.get_by_role("button", name="Open the chat")).to_be_visible()
    context.close()


RUDE_PAGE = """<!doctype html><link rel=icon href="data:,"><link rel=stylesheet href=/rude.css>
<script src=/rude.js></script><script src="{bot}/widget.js" data-key="{key}" defer></script><p>Shop
"""
RUDE_STYLE = """
* { font: 60px serif !important; color: red !important; position: static !important; --ink: red; }
p { display: none; }
"""
RUDE_SCRIPT = """
Object.prototype.rude = 1; Array.prototype.rude = () => 1;
window.el = window.icon = window.Turn = window.Api = 1;
"""


class HostPage(BaseHTTPRequestHandler):
    """A customer's site: a strict policy, rude CSS and rude scripts; `bot` is the bot's address."""

    bot = ""
    key = ""

    def do_GET(self) -> None:
        pages = {
            "/": ("text/html", RUDE_PAGE.format(bot=self.bot, key=self.key)),
            "/rude.css": ("text/css", RUDE_STYLE),
            "/rude.js": ("text/javascript", RUDE_SCRIPT),
        }
        kind, text = pages.get(self.path, ("text/plain", ""))
        policy = (
            f"default-src 'none'; script-src 'self' {self.bot}; connect-src {self.bot}; "
            "style-src 'self'; img-src data:; require-trusted-types-for 'script'; "
            "trusted-types 'none'; base-uri 'none'"
        )
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host_page() -> Iterator[ThreadingHTTPServer]:
    page = ThreadingHTTPServer(("127.0.0.1", 0), type("Host", (HostPage,), {}))
    thread = Thread(target=page.serve_forever, daemon=True)
    thread.start()
    yield page
    page.shutdown()
    thread.join()
    page.server_close()


def test_the_widget_works_on_a_rude_site_with_a_strict_policy(
    chromium: Browser, host_page: ThreadingHTTPServer
) -> None:
    origin = f"http://127.0.0.1:{host_page.server_port}"
    key = "wk_0123456789abcdef"
    widget = WidgetSettings(key=SecretStr(key), origins=(origin,))
    with WebServer(widget) as server:
        host_page.RequestHandlerClass.bot = server.url
        host_page.RequestHandlerClass.key = key
        context = chromium.new_context()
        visit = Visit(context.new_page())
        visit.page.goto(origin)
        visit.widget.get_by_role("button", name="Open the chat").click()
        turn = visit.ask()
        expect(turn.locator(".sources")).to_be_visible()
        style = turn.locator(".text p").first.evaluate(
            "(one) => [getComputedStyle(one).fontSize, getComputedStyle(one).color]"
        )
        assert style == ["15px", "rgb(27, 29, 41)"]
        assert visit.widget.get_by_role("dialog").bounding_box()["width"] == 408
        turn.get_by_role("button", name="Helpful", exact=True).click()
        expect(turn.get_by_text("Thank you.")).to_be_visible()
        visit.assert_clean(origin, server.url, "data:")
        context.close()


def test_a_site_that_the_key_does_not_list_gets_no_answer(
    chromium: Browser, host_page: ThreadingHTTPServer
) -> None:
    key = "wk_0123456789abcdef"
    widget = WidgetSettings(key=SecretStr(key), origins=("https://shop.example.com",))
    with WebServer(widget) as server:
        host_page.RequestHandlerClass.bot = server.url
        host_page.RequestHandlerClass.key = key
        context = chromium.new_context()
        visit = Visit(context.new_page())
        visit.page.goto(f"http://127.0.0.1:{host_page.server_port}")
        visit.widget.get_by_role("button", name="Open the chat").click()
        expect(visit.ask().locator(".failure")).to_be_visible()
        assert not server.answerer.questions
        context.close()


class Dribble(BaseHTTPRequestHandler):
    """A bot whose stream arrives byte by byte, with every kind of line end and with comments."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/widget.js":
            self.send_header("Content-Type", "text/javascript")
            self.end_headers()
            self.wfile.write((FILES / "widget.js").read_bytes())
        else:
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b'<script src="/widget.js" data-open defer></script>')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({**ANSWER.to_json(), "text": "über 日本 👩‍👧"}, ensure_ascii=False)
        stream = (
            ': hello\r\n\r\nevent: text\rdata: {"delta": "über"}\r\r'
            'event:text\ndata:{"delta":\ndata: " 日本"}\n\n: still here\n\n'
            f"event: answer\r\ndata: {answer}\r\n\r\n"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for byte in stream.encode():
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


def test_a_stream_may_be_cut_anywhere(chromium: Browser) -> None:
    bot = ThreadingHTTPServer(("127.0.0.1", 0), Dribble)
    thread = Thread(target=bot.serve_forever, daemon=True)
    thread.start()
    context = chromium.new_context()
    visit = Visit(context.new_page())
    visit.page.goto(f"http://127.0.0.1:{bot.server_port}/")
    turn = visit.ask()
    expect(turn.locator(".sources")).to_be_visible()
    expect(turn.locator(".text")).to_have_text("über 日本 👩‍👧")
    context.close()
    bot.shutdown()
    thread.join()
    bot.server_close()


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(one * 2 for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


PAIRS = [
    *(("ink", "paper"), ("muted", "paper"), ("muted", "raised"), ("accent", "paper")),
    *(("on-accent", "accent"), ("on-tint", "tint"), ("warn", "warn-tint"), ("ink", "raised")),
]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(theme: int, pair: tuple[str, str]) -> None:
    script = (FILES / "widget.js").read_text(encoding="utf-8")
    blocks = re.findall(r"\.root \{(.*?)\}", script, re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[theme]))
    bright, dark = sorted((luminance(colours[name]) for name in pair), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5
