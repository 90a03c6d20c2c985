"""Hostile office files: nothing is fetched, nothing expands, nothing is unpacked without bounds."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.errors import ParseFailed
from tests.ingest.office import archive, members, p, word
from tests.ingest.raw import parsed
from tests.ingest.test_pptx import WHOLE as SLIDES
from tests.ingest.test_spreadsheet import WHOLE as CELLS

FILES = {
    "a.docx": (word(p("Body")), ("word/document.xml", "core.xml", "_rels/.rels")),
    "a.pptx": (SLIDES, ("ppt/slides/slide1.xml", "ppt/presentation.xml", "docProps/core.xml")),
    "a.xlsx": (
        CELLS,
        ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml"),
    ),
}
CASES = [(name, part) for name, (_, parts) in FILES.items() for part in parts]
MEGABYTE = 1024 * 1024


class Listener:
    """Counts who connects to a port of this machine."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        self._is_open = True
        self._thread = threading.Thread(target=self._count)
        self._thread.start()

    def _count(self) -> None:
        while self._is_open:
            with suppress(TimeoutError):
                self._socket.accept()[0].close()
                self.connections += 1

    def close(self) -> None:
        self._is_open = False
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def with_doctype(name: str, part: str, doctype: str, used: str) -> bytes:
    """Return a file one part of which declares a document type, and uses it in its text."""
    data, _ = FILES[name]
    parts = members(data)
    xml = parts[part].decode()
    xml = xml[xml.index("?>") + 2 :] if xml.startswith("<?xml") else xml
    end = xml.index(">") + 1
    return archive({**parts, part: f"{doctype}{xml[:end]}{used}{xml[end:]}"})


@pytest.mark.parametrize(("name", "part"), CASES)
def test_an_entity_from_outside_is_neither_fetched_nor_read(
    listener: Listener, tmp_path: Path, name: str, part: str
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    outside = f"http://127.0.0.1:{listener.port}/x"
    for doctype in (
        f'<!DOCTYPE x SYSTEM "{outside}">',
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{outside}">]>',
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>',
        f'<!DOCTYPE x [<!ENTITY % e SYSTEM "{outside}"> %e;]>',
    ):
        with pytest.raises(ParseFailed, match="document type"):
            parsed(name, with_doctype(name, part, doctype, "" if "%" in doctype else "&e;"))
    time.sleep(0.15)
    assert listener.connections == 0


@pytest.mark.parametrize(("name", "part"), CASES)
@pytest.mark.parametrize("used", ["&l9;", '<x a="&l9;"/>'])
def test_entities_that_expand_to_gigabytes_are_refused(name: str, part: str, used: str) -> None:
    laughs = '<!ENTITY l0 "lol">' + "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)
    )
    data = with_doctype(name, part, f"<!DOCTYPE x [{laughs}]>", used)
    began = time.monotonic()
    with pytest.raises(ParseFailed):
        parsed(name, data)
    assert time.monotonic() - began < 5


def test_what_a_document_refers_to_outside_is_not_fetched(listener: Listener) -> None:
    outside = f"http://127.0.0.1:{listener.port}/x"
    data = word(p("Body"))
    for name, (data, _) in FILES.items():
        parts = {
            part: xml.replace(b"</Relationships>", _relation(outside) + b"</Relationships>")
            for part, xml in members(data).items()
        }
        parsed(name, archive(parts))
    time.sleep(0.15)
    assert listener.connections == 0


def _relation(target: str) -> bytes:
    return (
        f'<Relationship Id="out" Type="x/attachedTemplate" Target="{target}"'
        ' TargetMode="External"/>'
    ).encode()


@pytest.mark.parametrize("name", FILES)
def test_a_bomb_is_refused_before_it_is_unpacked(name: str) -> None:
    data, _ = FILES[name]
    bomb = archive({**members(data), "media/bomb": bytes(100 * MEGABYTE)})
    tracemalloc.start()
    with pytest.raises(ParseFailed, match="unpacks to"):
        parsed(name, bomb)
    assert tracemalloc.get_traced_memory()[1] < 5 * MEGABYTE
    tracemalloc.stop()


def test_what_is_referred_to_again_and_again_is_said_once() -> None:
    body = "<w:p>" + '<w:r><w:footnoteReference w:id="2"/></w:r>' * 5000 + "</w:p>"
    notes = f'<w:footnote w:id="2">{p("note " * 5000)}</w:footnote>'
    assert len(parsed("a.docx", word(body, footnotes=notes)).text) < 26_000
    parts = members(SLIDES)
    main = parts["ppt/presentation.xml"]
    entry = main[main.index(b"<p:sldId ") : main.index(b"</p:sldIdLst>")]
    parts["ppt/presentation.xml"] = main.replace(entry, entry * 3000)
    assert parsed("a.pptx", archive(parts)).text == parsed("a.pptx", SLIDES).text


def test_styles_based_on_each_other_in_a_circle_end() -> None:
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{a}"><w:basedOn w:val="{b}"/></w:style>'
        for a, b in [("a", "b"), ("b", "a")]
    )
    page = parsed("a.docx", word(p("Body", '<w:pStyle w:val="a"/>'), styles=styles))
    assert page.text == "Body"
