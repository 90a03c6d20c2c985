"""The command line of the knowledge base: `supportbot-ingest`.

Results go to standard output, everything else to standard error; with `--json`, standard output
holds one JSON object and nothing else (`watch`: one a line, one a sync).
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from ingest.terminal import fail

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

_STOP_SECONDS = 8.0


class _UsageError(Exception):
    """The command line makes no sense; the message says what would."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().split())
        raise _UsageError(f"{message}{_suggestion(message)}\n{usage}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = build_parser().parse_args(words)
    except _UsageError as error:
        return fail(str(error), 2, "--json" in words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both are a clean stop
    if args.until_eof:
        threading.Thread(target=_stop_at_eof, daemon=True).start()
    # Also if the import is stopped: half of a module cannot be asked.
    told: Callable[[argparse.Namespace], str] = _nothing_done
    try:
        from ingest.commands import COMMANDS, what_holds

        told = what_holds
        return COMMANDS[args.command](args)
    except KeyboardInterrupt:
        return fail(told(args), 130, args.json)
    except BrokenPipeError:
        sys.stdout = None  # nobody reads it, not even the last flush
        return 1
    except Exception as error:  # noqa: BLE001 - the door: whatever happens, one line and a code
        return _fail_by(error, args)


def _stop_at_eof() -> None:
    """Wait for the end of standard input, and stop this process, by force if need be."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os._exit(130)


def _nothing_done(_args: argparse.Namespace) -> str:
    return "stopped before anything was done"


def _fail_by(error: Exception, args: argparse.Namespace) -> int:
    from ingest.errors import GoldenWrong, IngestError, SourceUnreachable, SourceUnusable
    from knowledge.errors import KnowledgeError, SettingsError

    if isinstance(error, SourceUnreachable):
        return fail(str(error), 1, args.json)
    if isinstance(error, SettingsError | SourceUnusable | GoldenWrong):
        return fail(str(error), 2, args.json)
    if isinstance(error, KnowledgeError | IngestError):
        return fail(str(error), 1, args.json)
    import secrets
    import traceback

    reference = secrets.token_hex(4)
    if args.verbose:
        traceback.print_exc()
    return fail(
        f"unexpected {type(error).__name__} (reference {reference}); nothing was promoted by this"
        " command. Run it again with --verbose for the details",
        1,
        args.json,
    )


def _suggestion(message: str) -> str:
    word = message.partition("invalid choice: ")[2].split(" ")[0].strip("'")
    close = difflib.get_close_matches(word, _COMMANDS, n=1) if word else []
    return f"; did you mean `{close[0]}`?" if close else ""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="supportbot-ingest",
        description="Keep the knowledge base: documents in, releases out.",
        epilog="Exit codes: 0 done; 1 failed, nothing was promoted; 2 wrong usage or settings;"
        " 3 promoted, but some documents failed.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for name, (about, extend) in _COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        extend(command)
        _add_common(command)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--home", metavar="FOLDER", help="where the knowledge base lives")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument("--quiet", action="store_true", help="no progress, only failures")
    command.add_argument("--verbose", action="store_true", help="show tracebacks")
    command.add_argument(
        "--until-eof",
        action="store_true",
        help="stop when standard input ends, as it does when the program at its other end dies",
    )


def _takes_sources(command: argparse.ArgumentParser, count: str = "*") -> None:
    command.add_argument(
        "source",
        nargs=count,
        metavar="SOURCE",
        help="a file, a folder, a quoted glob, or the address of a page, a sitemap or a repository"
        + (" (default: supportbot.toml)" * (count == "*")),
    )
    command.add_argument(
        "--base-url",
        type=_web_address,
        metavar="URL",
        help="where customers read these documents: guide/a.md is at URL/guide/a",
    )
    command.add_argument(
        "--allow-private",
        type=_network,
        action="append",
        default=[],
        metavar="NETWORK",
        help="fetch from this network of your own too, such as 10.0.0.0/8",
    )


def _lists(command: argparse.ArgumentParser) -> None:
    _takes_sources(command)
    command.add_argument(
        "--retry-failed",
        action="store_true",
        help="try documents again that failed before, although they are as they were",
    )


def _passes_gate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--gate",
        metavar="FILE",
        help="golden questions that must still pass (default: `gate` of supportbot.toml)",
    )
    command.add_argument(
        "--force", action="store_true", help="promote although golden questions no longer pass"
    )


def _plans(command: argparse.ArgumentParser) -> None:
    _lists(command)
    command.add_argument(
        "--gate",
        nargs="?",
        const="",
        metavar="FILE",
        help="build the release, ask it these golden questions, and drop it (default: `gate` of"
        " supportbot.toml)",
    )


def _syncs(command: argparse.ArgumentParser) -> None:
    _lists(command)
    _passes_gate(command)
    command.add_argument(
        "--allow-loss",
        "--allow-empty",
        action="store_true",
        help="go on although a source lists nothing any more, or far less than before",
    )


def _takes_more_sources(command: argparse.ArgumentParser) -> None:
    _takes_sources(command, "+")
    _passes_gate(command)


def _takes_documents(command: argparse.ArgumentParser) -> None:
    command.add_argument("document_id", nargs="+", metavar="DOCUMENT_ID")
    _passes_gate(command)


def _takes_release(command: argparse.ArgumentParser) -> None:
    command.add_argument("release", nargs="?", metavar="RELEASE", help="default: the one before")


def _takes_query(command: argparse.ArgumentParser) -> None:
    command.add_argument("query", metavar="QUERY", type=_query)
    command.add_argument("-k", type=_count, default=8, metavar="N", help="hits (default: 8)")
    command.add_argument("--audience", metavar="NAME", help="who asks (default: the public)")


def _takes_nothing(_command: argparse.ArgumentParser) -> None:
    pass


def _web_address(text: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http(s) address")
    return text


def _network(text: str) -> IPv4Network | IPv6Network:
    from ipaddress import ip_network

    try:
        return ip_network(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; it takes 10.0.0.0/8") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError("a number from 1 to 100 is needed")
    return int(text)


def _query(text: str) -> str:
    if not text.strip() or len(text) > 4000:
        raise argparse.ArgumentTypeError("1 to 4,000 characters are needed")
    return text


_COMMANDS = {
    "sync": ("make the knowledge base hold exactly what the sources hold", _syncs),
    "add": ("add or update these documents, and leave the rest", _takes_more_sources),
    "remove": ("remove documents, and leave the rest", _takes_documents),
    "plan": ("show what `sync` would do, and do nothing", _plans),
    "status": ("show the current release and the last failures", _takes_nothing),
    "releases": ("list the releases", _takes_nothing),
    "rollback": ("make an earlier release current again", _takes_release),
    "search": ("show what retrieval finds for a question", _takes_query),
    "watch": ("sync, and again on each change", _syncs),
}

if __name__ == "__main__":
    sys.exit(main())
