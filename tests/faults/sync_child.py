"""Runs shell commands and `supportbot-ingest` commands, one after the other, in one process.

Standard input: one JSON list a line, `["sh", SCRIPT]` or `["ingest", WORD…]`. Standard output: one
JSON list a line, `[exit code, standard output, standard error]`.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

from ingest.cli import main


def ingest(words: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def sh(script: str) -> tuple[int, str, str]:
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


if __name__ == "__main__":
    for line in sys.stdin:
        kind, *words = json.loads(line)
        print(json.dumps(ingest(words) if kind == "ingest" else sh(*words)), flush=True)
