"""How time, memory and disk grow with the number of documents.

`python -m tests.bench.scale --documents 5000 20000 100000` prints a line for each run of
`supportbot-ingest`: into an empty home, with nothing changed, with every hundredth document
changed, and one search. Each document is one passage: a title and some sentences of real pages.
Memory is the command's own peak, and beside it the highest sum of the command and its workers that
was seen at any moment (Linux only).
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import CORPUS, MARK, OFFLINE, ROOT, SETTINGS, line

COLUMNS = (
    *("documents", "run", "seconds", "CPU seconds", "ms a document"),
    *("peak MB", "with workers", "disk MB"),
)
QUESTION = "How do I apply for a permit?"
A_FOLDER = 1000  # documents
EVERY = 100  # of which document one is changed
LOOK_SECONDS = 0.2
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took."""

    seconds: float
    cpu: float  # processor seconds
    peak: float  # megabytes
    together: float  # megabytes, workers included


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[5_000, 20_000], metavar="N")
    options = parser.parse_args(arguments)
    print(line(COLUMNS), line(["---"] * len(COLUMNS)), sep="\n", flush=True)
    for documents in options.documents:
        with tempfile.TemporaryDirectory() as folder:
            measure(documents, Path(folder, "corpus"), Path(folder, "home"))


def measure(documents: int, corpus: Path, home: Path) -> None:
    """Write documents, run the commands on them, and print what each took."""
    write(documents, corpus)
    sync = ("sync", str(corpus))
    show(documents, "all new", run(sync, home), home)
    show(documents, "none new", run(sync, home), home)
    for path in sorted(corpus.rglob("*.md"))[::EVERY]:
        path.write_text(path.read_text(encoding="utf-8") + MARK, encoding="utf-8")
    show(documents, "1 % changed", run(sync, home), home)
    show(documents, "search", run(("search", QUESTION), home), home)


def write(documents: int, corpus: Path) -> None:
    """Write so many documents that are all different, the same ones each time."""
    known = list(sentences())
    for n in range(documents):
        some = random.Random(n).sample(known, 4)
        path = corpus / f"{n // A_FOLDER:04}" / f"{n:07}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        title = " ".join(some[0].split()[:6]).rstrip(".,;:")
        path.write_text(f"# {title} {n}\n\n{' '.join(some[1:])}\n", encoding="utf-8")


def sentences() -> Iterator[str]:
    """Yield the different sentences of middle length of real pages, without markup."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(CORPUS.glob("*.md")))
    parts = dict.fromkeys(part.strip() for text in texts for part in _SENTENCE.split(text))
    for part in parts:
        if 60 <= len(part) <= 200 and part[0].isupper() and part.endswith("."):
            yield part


def run(arguments: Sequence[str], home: Path) -> Run:
    """Run a command and return what it took."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingest.cli", *arguments, "--home", str(home)],
            cwd=ROOT,
            env={**plain, **OFFLINE, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
        together, done = 0.0, 0
        while not done:
            together = max(together, sum(map(megabytes, family(process.pid))))
            time.sleep(LOOK_SECONDS)
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(arguments)} failed with {process.returncode}:\n{output.read()}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    cpu = usage.ru_utime + usage.ru_stime
    return Run(time.monotonic() - began, cpu, kilobytes / 1024, together)


def family(pid: int) -> Iterator[int]:
    """Yield the ids of a process and of all that it started, as the system tells them."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in told(children).split():
            yield from family(int(child))


def megabytes(pid: int) -> float:
    """Return the memory that a process has now; 0 where it is gone or the system does not tell."""
    found = re.search(r"VmRSS:\s+(\d+) kB", told(Path(f"/proc/{pid}/status")))
    return int(found.group(1)) / 1024 if found else 0.0


def told(path: Path) -> str:
    """Return what the system tells in a file; "" of what has ended."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def show(documents: int, name: str, run: Run, home: Path) -> None:
    """Print the line of one run."""
    disk = sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) / 1e6
    each = 1000 * run.seconds / documents
    cells = [
        *(f"{documents:,}", name, f"{run.seconds:.1f}", f"{run.cpu:.1f}", f"{each:.2f}"),
        *(f"{run.peak:.0f}", f"{run.together:.0f}", f"{disk:.0f}"),
    ]
    print(line(cells), flush=True)


if __name__ == "__main__":
    main()
