"""Text of a picture, by the `tesseract` command where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from ingest.errors import ParseFailed

_LIST_SECONDS = 10
_NO_LANGUAGES = ("osd", "equ", "snum")  # layout and symbols
_MOST_LANGUAGES = 4  # each makes a page slower


def is_installed() -> bool:
    """Tell whether there is a `tesseract` command."""
    return shutil.which("tesseract") is not None


def text_of(picture: bytes, dpi: int, seconds: float) -> str:
    """Return the text of a picture (PGM, PNG) in the languages that are installed.

    Raises:
        ParseFailed: it takes longer than `seconds`, or tesseract fails.
    """
    command = _command()
    languages = _languages(command)
    options = ["-l", "+".join(languages)] if languages else []
    made = _run([command, "stdin", "stdout", "--dpi", str(dpi), *options], picture, seconds)
    return made.decode("utf-8", "replace").replace("\f", "")


def _command() -> str:
    command = shutil.which("tesseract")
    if command is None:
        raise ParseFailed("tesseract is not installed")
    return command


@cache
def _languages(command: str) -> tuple[str, ...]:
    lines = _run([command, "--list-langs"], b"", _LIST_SECONDS).decode().splitlines()[1:]
    names = [line.strip() for line in lines if line.strip() not in ("", *_NO_LANGUAGES)]
    names.sort(key=lambda name: (name != "eng", name))
    return tuple(name for name in names if "/" not in name)[:_MOST_LANGUAGES]


def _run(command: list[str], given: bytes, seconds: float) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603
            command, input=given, capture_output=True, timeout=seconds, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise ParseFailed(f"tesseract took longer than {seconds:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ParseFailed(f"tesseract failed: {' '.join(said)[:200]}") from error
    except OSError as error:
        raise ParseFailed(f"tesseract cannot be run: {error}") from error
    return done.stdout
