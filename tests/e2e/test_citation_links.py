"""Where a citation's link takes a real Chromium: to the quote, not to its twin."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser

from knowledge.documents import Chunk
from supportbot.answering.links import link_to
from tests.e2e.test_widget import chromium

__all__ = ["chromium"]  # a fixture
pytestmark = pytest.mark.browser

# Each block: its HTML, and its Markdown as the passage holds it.
FIRST = "Press the reset button for ten seconds."
TWIN = "Hold the cover while you do so. Press the reset button for ten seconds. Then let it cool."
SIGNS = "Für Rück-Sendungen gilt: Größe, Farbe & Menge – alles “zählt”, immer!"
CJK = "退款需要十四天。请在收到包裹后联系我们。"
EMOJI = "All done 🎉 your plan is active now"
EDGES = (
    "If you send the parcel back by post, we pay the costs and, if you send the parcel back in "
    "person, you get a voucher for the next order."
)
INLINE_HTML = (
    "<p>Open <b>My orders</b>, follow <a href='#x'>the long link</a> and run "
    "<code>shop --all *</code> to see *every* order of the whole year.</p>"
)
INLINE = (
    "Open **My orders**, follow [the long link](https://shop.example/x) and run `shop --all *` to "
    r"see \*every\* order of the whole year."
)
ROWS_HTML = (
    "<table><tr><th>Plan</th><th>Price</th></tr><tr><td>Basic</td><td>$5</td></tr>"
    "<tr><td>Plus seats</td><td>$12 a-month</td></tr></table>"
)
BLOCKS = {
    "twin": (f"<p>{TWIN}</p>", TWIN),
    "signs": (f"<p>{SIGNS.replace('&', '&amp;')}</p>", SIGNS),
    "cjk": (f"<p>{CJK}</p>", CJK),
    "emoji": (f"<p>{EMOJI}</p>", EMOJI),
    "inline": (INLINE_HTML, INLINE),
    "item": (
        "<ul><li>Open the lid, then wait</li><li>Choose the <i>blue</i> cable</li></ul>",
        "- Open the lid, then wait\n- Choose the *blue* cable",
    ),
    "row": (ROWS_HTML, "| Plan | Price |\n|---|---|\n| Basic | $5 |\n| Plus seats | $12 a-month |"),
    "code": (
        "<pre><code>cd shop\nshop-cli cancel  --order [ID] *\n</code></pre>",
        "```sh\ncd shop\nshop-cli cancel  --order [ID] *\n```",
    ),
    "edges": (f"<p>{EDGES}</p>", EDGES),
}
ABOVE = f"<h2>First</h2><p>{FIRST}</p><p>If you send the parcel back, sign it. Plus</p>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    blocks = "".join(
        f"<div style='height:3000px'></div><h2>About {name}</h2><div id='{name}'>{html}</div>"
        for name, (html, _) in BLOCKS.items()
    )
    page = f"<!doctype html><meta charset=utf-8><title>Help</title>{ABOVE}{blocks}"
    (folder / "help.html").write_text(f"{page}<div style='height:3000px'></div>", encoding="utf-8")
    handler = partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/help.html"
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


def landed(browser: Browser, link: str) -> str:
    """Return which block stands in the middle of the window after the link was opened."""
    context = browser.new_context(viewport={"width": 1000, "height": 600})
    page = context.new_page()
    page.goto(link)
    page.wait_for_timeout(400)
    found = page.evaluate(
        """() => [...document.querySelectorAll("div[id]")].find((block) => {
             const box = block.getBoundingClientRect();
             return scrollY > 0 && box.top < innerHeight && box.bottom > 0;
           })?.id ?? ''"""
    )
    context.close()
    return str(found)


@pytest.mark.parametrize(
    ("block", "quote"),
    [
        ("twin", FIRST),
        ("twin", TWIN),
        ("signs", SIGNS),
        ("cjk", CJK),
        ("cjk", "退款需要十四天。"),
        ("emoji", EMOJI),
        ("inline", INLINE),
        ("item", "- Choose the *blue* cable"),
        ("item", "- Open the lid, then wait"),
        ("row", "| Plus seats | $12 a-month |"),
        ("row", "| Basic | $5 |"),
        ("code", "shop-cli cancel  --order [ID] *"),
        ("code", BLOCKS["code"][1]),
        ("edges", EDGES),
    ],
)
def test_a_link_scrolls_to_the_quote(chromium: Browser, site: str, block: str, quote: str) -> None:
    text = BLOCKS[block][1]
    chunk = Chunk("c", "help.html", "Help", site, (f"About {block}",), text, 1)
    link = link_to(site, quote, chunk, [FIRST, "If you send the parcel back, sign it. Plus"])
    assert landed(chromium, link) == block, link


def test_the_heading_tells_whole_twins_apart(chromium: Browser, tmp_path: Path) -> None:
    gap = "<div style='height:3000px'></div>"
    sections = "".join(
        f"{gap}<div id='{name}'><h2>Reset the {name}</h2><p>{FIRST}</p></div>"
        for name in ("router", "modem", "phone")
    )
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html>{sections}{gap}")
    chunk = Chunk("c", "d", "Help", "https://x.example", ("Reset the modem",), FIRST, 1)
    link = link_to("https://x.example", FIRST, chunk, [FIRST, FIRST])
    directive = link.partition("#")[2]
    assert landed(chromium, f"file://{page}#{directive}") == "modem"
