"""What reads a PDF: how fast, and how much of the text stays as its readers see it.

`make bench-parsers` runs it in the environment of `requirements.txt`, on two files of
`tests/data/documents` that were made for that: running heads on each of three pages and a word
broken at a line's end, and two columns that are drawn line by line across the page.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "data" / "documents"
PAGES = {"manual.pdf": 3, "columns.pdf": 1}
ROUNDS = 10
# Each stands in one piece where the order of reading is right.
SENTENCES = {
    "manual.pdf": (
        "The router needs a power outlet and a broadband line.",
        "Plug the network cable into the port that is marked WAN.",
        "The table shows what each light means and after how many seconds it changes.",
        "A red light for more than two minutes means that the line is down.",
        "The warranty covers this for two years.",
        "Hold the reset button for 12 seconds.",
    ),
    "columns.pdf": (
        "The first column tells how to begin with it.",
        "You open the box and you take out the router with its long cable.",
        "Then the cable goes into the wall and the green light comes on after about half a minute.",
        "The second column tells what to do at the end of it.",
        "You close the box and you put it on a shelf in the cellar.",
        "This line below goes across the whole page again",
    ),
}
HEADS = ("Confidential draft", "Page 1 of 3", "Page 2 of 3", "Page 3 of 3")
BROKEN = "could not synchronise."

Read = Callable[[bytes], str]


def supportbot() -> Read:
    """Return the bot's own parser, in this process."""
    from ingest.parsers import parse
    from ingest.sources.base import RawDocument

    return lambda data: parse(RawDocument("a.pdf", "bench", ".pdf", data)).text


def pypdf() -> Read:
    """Return pypdf, with its defaults."""
    from pypdf import PdfReader

    def read(data: bytes) -> str:
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)

    return read


def pdfminer() -> Read:
    """Return pdfminer.six, with its analysis of the layout."""
    from pdfminer.high_level import extract_text

    return lambda data: str(extract_text(io.BytesIO(data)))


def pdfplumber() -> Read:
    """Return pdfplumber, with its defaults."""
    import pdfplumber

    def read(data: bytes) -> str:
        with pdfplumber.open(io.BytesIO(data)) as document:
            return "\n".join(page.extract_text() for page in document.pages)

    return read


def main() -> None:
    """Print a table."""
    whole = sum(map(len, SENTENCES.values()))
    print(f"\n| parser | CPU ms a page | of {whole} sentences whole | heads kept | word joined |")
    print("| --- | --- | --- | --- | --- |")
    for load in (supportbot, pypdf, pdfminer, pdfplumber):
        print(row(load.__name__, load()), flush=True)


def row(name: str, read: Read) -> str:
    """Return the line of one parser."""
    files = {name: (FOLDER / name).read_bytes() for name in PAGES}
    texts = {file: " ".join(read(data).split()) for file, data in files.items()}
    began = time.process_time()
    for _ in range(ROUNDS):
        for data in files.values():
            read(data)
    pages = ROUNDS * sum(PAGES.values())
    milliseconds = 1000 * (time.process_time() - began) / pages
    kept = sum(sentence in texts[file] for file, some in SENTENCES.items() for sentence in some)
    heads = sum(head in texts["manual.pdf"] for head in HEADS)
    joined = "yes" if BROKEN in texts["manual.pdf"] else "no"
    return f"| {name} | {milliseconds:.1f} | {kept} | {heads} of {len(HEADS)} | {joined} |"


if __name__ == "__main__":
    main()
