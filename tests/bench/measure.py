"""How much processor and memory an ingest takes, beside simple pipelines of other frameworks.

`make bench` runs it. Each run is a process of its own, on the same pages and with the same weights.
All times are processor seconds, user and system, of all threads and of the processes that parse:
those of the whole process, and of the work after the start, when all is imported and the model is
loaded. `supportbot-ingest` is the command itself, which loads only what it needs. Passages are cut
where they are longer than the model's window, and their text behind it is lost to the search.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "data" / "mtrag-govt" / "corpus"
PIPELINES = Path(__file__).with_name("pipelines.py")
OTHERS = ("langchain", "llamaindex", "chroma")
# Without compiled modules Python would compile ours at each start, and not the installed ones.
SETTINGS = ("SUPPORTBOT_", "SLACK_", "RUNAPI_", "OPENAI_", "PYTHONDONTWRITEBYTECODE")
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
MARK = "\n\nThis sentence was added to the page a moment ago, and nothing else was changed.\n"
COLUMNS = (
    *("{pages} pages", "all new", "to LangChain's", "peak MB"),
    *("none new: work", "whole", "{changed} new: work", "whole", "passages cut", "text lost"),
)
COMMAND = "supportbot-ingest"


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took."""

    cpu: float  # processor seconds
    peak: float  # megabytes
    said: str  # its last line: of a pipeline, the processor seconds after the start


@dataclass(frozen=True, slots=True)
class Runs:
    """One pipeline: into an empty store, again, and after a change."""

    fresh: Run
    again: Run
    changed: Run
    cut: float  # share of passages that are longer than the model's window
    lost: float  # share of all tokens that the model never sees


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each number of pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, nargs="+", default=[50, 462], metavar="N")
    parser.add_argument(
        "--others", type=Path, metavar="PYTHON", help="the environment of the others"
    )
    options = parser.parse_args(arguments)
    for pages in options.pages:
        changed = max(1, pages // 100)
        print("", line(COLUMNS).format(pages=pages, changed=changed), sep="\n")
        print(line(["---"] * len(COLUMNS)), flush=True)
        results: dict[str, Runs] = {}
        for name in (*(OTHERS if options.others else ()), "supportbot", COMMAND):
            results[name] = measure(name, pages, changed, options.others)
            print(row(name, results), flush=True)


def measure(name: str, pages: int, changed: int, others: Path | None) -> Runs:
    """Run one pipeline three times on a corpus of its own."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, store = Path(folder, "corpus"), Path(folder, "store")
        corpus.mkdir()
        for n, text in enumerate(texts(pages)):
            (corpus / f"{n:05}.md").write_text(text, encoding="utf-8")
        command = command_of(name, corpus, store, others)
        fresh, again = run(command), run(command)
        kind = "supportbot" if name == COMMAND else name
        cut, lost = run([*command_of(kind, corpus, store, others), "lost"]).said.split()
        for page in sorted(corpus.iterdir())[:changed]:
            page.write_text(page.read_text(encoding="utf-8") + MARK, encoding="utf-8")
        return Runs(fresh, again, run(command), float(cut), float(lost))


def texts(pages: int) -> Iterator[str]:
    """Yield real pages; beyond their number, again, with every paragraph made another one."""
    real = sorted(CORPUS.glob("*.md"))
    for n in range(pages):
        turn, at = divmod(n, len(real))
        text = real[at].read_text(encoding="utf-8")
        yield text.replace("\n\n", f"\n\n({turn}) ") if turn else text


def command_of(name: str, corpus: Path, store: Path, others: Path | None) -> list[str]:
    """Return the command line of a pipeline."""
    if name == COMMAND:
        return [sys.executable, "-m", "ingest.cli", "sync", str(corpus), "--home", str(store)]
    python = str(others) if name in OTHERS else sys.executable
    return [python, str(PIPELINES), name, str(corpus), str(store)]


def run(command: Sequence[str]) -> Run:
    """Run a command and return what it took."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**plain, **OFFLINE, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout
        with process.stdout as output:
            last = output.read().decode().splitlines()[-1:]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or not last:
            errors.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{errors.read()}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Run(usage.ru_utime + usage.ru_stime, kilobytes / 1024, last[0])


def row(name: str, results: dict[str, Runs]) -> str:
    """Return the line of one pipeline."""
    runs = results[name]
    other = results.get("langchain")
    ratio = f"{runs.fresh.cpu / other.fresh.cpu:.2f}" if other else "-"
    again, changed = ("-", "-") if name == COMMAND else (runs.again.said, runs.changed.said)
    cells = [
        *(name, f"{runs.fresh.cpu:.1f}", ratio, f"{runs.fresh.peak:.0f}"),
        *(again[:5], f"{runs.again.cpu:.3f}", changed[:5], f"{runs.changed.cpu:.3f}"),
        *(f"{runs.cut:.2%}", f"{runs.lost:.2%}"),
    ]
    return line(cells)


def line(cells: Sequence[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
