"""What reads HTML and PDF: how much of the text, how much that is none of it, and how fast.

`make bench-parsers` runs it in the environment of `requirements.txt`, on documentation of Debian
12: its packages are unpacked into a passing folder, or DOCS names a folder that holds them. The
truth of a page is the text of the element in which its generator puts it; of a PDF, what poppler's
`pdftotext` reads, less the heads that repeat on its pages.
"""

from __future__ import annotations

import gzip
import io
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pdfplumber
import trafilatura
from bs4 import BeautifulSoup, Tag, XMLParsedAsHTMLWarning
from markdownify import markdownify
from pdfminer.high_level import extract_text
from pypdf import PdfReader
from readability import Document
from resiliparse.extract.html2text import extract_plain_text

from ingest.parsers import parse
from ingest.sources.base import RawDocument

# What wrote the pages: the Debian package, the folder below usr/share, and where the text is.
SITES = {
    "Sphinx, its own theme": ("python-flask-doc", "doc/python-flask-doc/html", ".body"),
    "Sphinx, Read the Docs": ("bind9-doc", "doc/bind9-doc/arm", ".document"),
    "Sphinx, Django's": ("python-django-doc", "doc/python-django-doc/html", ".yui-g"),
    "MkDocs": ("mkdocs-doc", "doc/mkdocs/html", "[role=main]"),
    "mdBook": ("rust-doc", "doc/rust-doc/html/book", "main"),
    "AsciiDoc": ("git-doc", "doc/git-doc", "body > #header, body > #content"),
    "DocBook, PostgreSQL's": ("postgresql-doc-15", "doc/postgresql-doc-15/html", "body > [id]"),
    "DocBook, Exim's": ("exim4-doc-html", "doc/exim4-doc-html/spec_html", "#content"),
    "GTK-Doc": ("libglib2.0-doc", "gtk-doc/html/gio", "body > div:not(.footer)"),
    "Doxygen": ("doxygen-doc", "doc/doxygen/html", ".headertitle, .contents"),
    "Javadoc": ("ant-doc", "doc/ant/api", "main"),
    "RDoc": ("asciidoctor-doc", "doc/asciidoctor-doc/html", "main"),
    "QDoc": ("qt5-doc-html", "qt5/doc/qtdoc", ".mainContent"),
    "Apache": ("apache2-doc", "doc/apache2-doc/manual/en", "#page-content"),
    "Tomcat": ("tomcat10-docs", "tomcat10-docs/docs", "#content"),
    "Node.js": ("nodejs-doc", "doc/nodejs/api", "#apicontent"),
}
PAGES = 12  # of each, evenly spaced in the order of their paths
SMALLEST, LARGEST = 5_000, 200_000  # bytes of a page
# What wrote the PDF files: the package and the file below usr/share.
PDFS = {
    "dblatex": ("maint-guide", "doc/maint-guide/maint-guide.en.pdf"),
    "Sphinx, LaTeX": ("developers-reference", "developers-reference/developers-reference.pdf"),
    "groff": ("bash-doc", "doc/bash/bash.pdf"),
    "Apache FOP": ("xorg-docs", "doc/xorg-docs/icccm/icccm.pdf.gz"),
    "TeX, three columns": ("octave-doc", "doc/octave/refcard-a4.pdf"),
}
RUN = 5  # words

Read = Callable[[bytes], str]
Judge = Callable[[str], Counter[str]]


def supportbot(data: bytes) -> str:
    """Read with the bot's own parser, in this process."""
    ending = ".pdf" if data.startswith(b"%PDF") else ".html"
    parsed = parse(RawDocument(f"a{ending}", "bench", ending, data))
    return f"# {parsed.title}\n\n{parsed.text}"


def readability(data: bytes) -> str:
    page = Document(data.decode("utf-8", "replace"))
    return f"# {page.short_title()}\n\n{markdownify(page.summary(), heading_style='atx')}"


def resiliparse(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    html = extract_plain_text(text, preserve_formatting="minimal_html", main_content=True)
    return str(markdownify(html, heading_style="atx"))


def plumber(data: bytes) -> str:
    with pdfplumber.open(io.BytesIO(data)) as document:
        return "\n".join(page.extract_text() for page in document.pages)


PAGE_READERS: dict[str, Read] = {
    "supportbot": supportbot,
    "trafilatura": lambda data: trafilatura.extract(data, output_format="markdown") or "",
    "readability-lxml": readability,
    "resiliparse": resiliparse,
}
PDF_READERS: dict[str, Read] = {
    "supportbot": supportbot,
    "pypdf": lambda data: "\n".join(p.extract_text() for p in PdfReader(io.BytesIO(data)).pages),
    "pdfminer.six": lambda data: str(extract_text(io.BytesIO(data))),
    "pdfplumber": plumber,
}


def timed(read: Read, data: bytes) -> tuple[str, float]:
    """Return the text, without the addresses of links, and the CPU milliseconds that it took."""
    began = time.process_time()
    text = read(data)
    taken = 1000 * (time.process_time() - began)
    return re.sub(r"\]\([^)\s]*\)", "]", text.replace("\\", "")), taken


def words(text: str) -> list[str]:
    """Return the words, in their order."""
    return re.findall(r"\w+", text.lower())


def runs(text: str) -> Counter[tuple[str, ...]]:
    """Count the runs of five words."""
    found = words(text)
    return Counter(zip(*(found[start:] for start in range(RUN)), strict=False))


def line_of(text: str) -> str:
    """Return the words alone, so that lines of different writers can be compared."""
    return " ".join(words(text))


def without_numbers(text: str) -> str:
    return re.sub(r"\d+", "0", line_of(text))


def pages(root: Path) -> Iterator[tuple[str, bytes, Judge]]:
    """Yield what wrote a page, its bytes, and what counts what is kept of it."""
    for maker, (_, folder, selector) in SITES.items():
        found = sorted(file for file in (root / folder).rglob("*.htm*") if is_fit(file))
        for file in found[:: -(-len(found) // PAGES) or 1]:
            page = BeautifulSoup(file.read_bytes(), "lxml")
            for tag in page(["script", "style", "template", "noscript"]):
                tag.extract()
            if true := [tag.extract() for tag in page.select(selector)]:
                yield maker, file.read_bytes(), partial(judge_page, true, page.body or page)


def is_fit(file: Path) -> bool:
    return file.suffix in (".html", ".htm") and SMALLEST <= file.stat().st_size <= LARGEST


def documents(root: Path) -> Iterator[tuple[str, bytes, Judge]]:
    """Yield what wrote a PDF, its bytes, and what counts what is kept of it."""
    for maker, (_, name) in PDFS.items():
        data = (root / name).read_bytes()
        data = gzip.decompress(data) if name.endswith(".gz") else data
        told = subprocess.run(["pdftotext", "-", "-"], input=data, capture_output=True, check=True)
        yield maker, data, partial(judge_document, told.stdout.decode())


def judge_page(true: list[Tag], rest: Tag, text: str) -> Counter[str]:
    """Count what is there and what is kept of a page."""
    content = Counter(words(" ".join(tag.get_text(" ") for tag in true)))
    furniture = Counter(words(rest.get_text(" ")))
    got = Counter(words(text))
    lines = [line_of(line) for line in text.splitlines()]
    headings = {line_of(line) for line in text.splitlines() if line.lstrip(" -*").startswith("#")}
    joined = "\n" + "\n".join(filter(None, lines)) + "\n"
    counts = Counter[str](pages=1)

    def count(name: str, kept: int, whole: int) -> None:
        counts[name] += kept
        counts[f"{name}, whole"] += whole

    count("text", (content & got).total(), content.total())
    count("furniture", ((got - content) & furniture).total(), furniture.total())
    for tag in (found for part in true for found in part.find_all(True)):
        said = line_of(tag.get_text(" "))
        if not said:
            continue
        if re.fullmatch("h[1-6]", tag.name):
            count("headings", said in headings, 1)
        elif tag.name == "tr" and len(tag.find_all(["td", "th"], recursive=False)) > 1:
            count("rows", any(said in line for line in lines), 1)
        elif tag.name == "pre":
            block = "\n".join(filter(None, map(line_of, tag.get_text().splitlines())))
            count("code", f"\n{block}\n" in joined, 1)
    return counts


def judge_document(reference: str, text: str) -> Counter[str]:
    """Count what is kept of a PDF: runs of words, heads of its pages, and words left broken."""
    pages = [list(filter(line_of, page.splitlines())) for page in reference.split("\f")]
    edges = Counter(
        edge for page in pages if page for edge in {*map(without_numbers, (page[0], page[-1]))}
    )
    heads = {edge: n for edge, n in edges.items() if n > 2 and len(edge.split()) > 1}
    bare = (line for page in pages for line in page if without_numbers(line) not in {*heads, "0"})
    true, got, flat = runs(" ".join(bare)), runs(text), without_numbers(text)
    known = set(words(reference))
    broken = re.findall(r"([a-z]{2,})-\s+([a-z]{2,})", text)
    return Counter(
        {
            "text": (true & got).total(),
            "text, whole": true.total(),
            "heads": sum(min(n, flat.count(head)) for head, n in heads.items()),
            "heads, whole": sum(heads.values()),
            "broken words": sum(first + last in known for first, last in broken),
            "pages": len(pages) - 1,
        }
    )


def share(counts: Counter[str], kind: str) -> str:
    """Return a share in per cent, or the number of what has no whole."""
    whole = counts[f"{kind}, whole"]
    return f"{100 * counts[kind] / whole:.1f} %" if whole else str(counts[kind])


def compare(
    readers: dict[str, Read], files: Iterable[tuple[str, bytes, Judge]], kinds: tuple[str, ...]
) -> None:
    """Print a table of the readers, and one of the first two shares by what wrote the files."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    for maker, data, judge in files:
        for name, read in readers.items():
            text, taken = timed(read, data)
            found = judge(text) + Counter({"milliseconds": round(taken)})
            counts.setdefault(maker, {}).setdefault(name, Counter()).update(found)
    table("reader", ("pages", "CPU ms a page", *kinds))
    for name in readers:
        total = sum((some[name] for some in counts.values()), Counter[str]())
        speed = f"{total['milliseconds'] / total['pages']:.0f}"
        line(name, str(total["pages"]), speed, *(share(total, kind) for kind in kinds))
    table(f"{kinds[0]}, {kinds[1]}", readers)
    for maker, some in counts.items():
        line(maker, *(f"{share(of, kinds[0])}, {share(of, kinds[1])}" for of in some.values()))


def table(title: str, columns: Iterable[str]) -> None:
    print()
    line(title, *columns)
    line("---", *("---" for _ in columns))


def line(*cells: str) -> None:
    print("|", " | ".join(cells), "|", flush=True)


def fetch(root: Path) -> None:
    """Unpack Debian's packages into the folder."""
    packages = {package for package, *_ in (*SITES.values(), *PDFS.values())}
    subprocess.run(["apt-get", "download", "-qq", *sorted(packages)], cwd=root, check=True)
    for file in root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", file, root], check=True)


def main() -> None:
    """Compare on what a folder holds, such as / where the packages are installed."""
    warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
    with tempfile.TemporaryDirectory() as passing:
        root = Path(sys.argv[1] if len(sys.argv) > 1 else passing)
        if not (root / "usr/share").exists():
            fetch(root)
        root /= "usr/share"
        compare(PAGE_READERS, pages(root), ("text", "furniture", "headings", "rows", "code"))
        compare(PDF_READERS, documents(root), ("text", "heads", "broken words"))


if __name__ == "__main__":
    main()
