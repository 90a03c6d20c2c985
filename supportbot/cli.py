"""The bot's command line. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from supportbot.config import BotSettings
    from supportbot.conversation import Answer, Question

    Commands = argparse._SubParsersAction["_Parser"]

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
MAX_USER_ID = 255  # characters
EXAMPLES = """examples:
  supportbot ask "How do I connect Slack?"
  supportbot serve --port 8080
  supportbot evaluate my-dataset --retriever hybrid --json
"""


class WrongUsage(Exception):
    """What was typed cannot be meant; the message says what can."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WrongUsage(f"{message}; `{self.prog} --help` lists what is possible")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code: 0 done, 1 failed, 2 wrong usage or settings."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    from knowledge.errors import KnowledgeError, SettingsError
    from supportbot.errors import SupportbotError

    try:
        options = build_parser().parse_args(words)
        return int(options.command(options))
    except (SettingsError, WrongUsage) as error:
        return _complain(words, str(error), USAGE)
    except (KnowledgeError, SupportbotError) as error:
        return _complain(words, str(error), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="supportbot",
        description="A support bot that checks every citation before it speaks.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_ask(commands)
    _add_chat(commands)
    _add_serve(commands)
    _add_evaluate(commands)
    _add_report(commands)
    _add_receipts(commands)
    _add_forget(commands)
    _add_calibrate(commands)
    _add_doctor(commands)
    _add_explain(commands)
    _add_bundle(commands)
    return parser


def _add_ask(commands: Commands) -> None:
    parser = commands.add_parser("ask", help="ask one question")
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    _add_conversation_options(parser)
    parser.set_defaults(command=_ask)


def _add_chat(commands: Commands) -> None:
    parser = commands.add_parser("chat", help="a conversation in the terminal")
    _add_conversation_options(parser)
    parser.set_defaults(command=_chat)


def _add_serve(commands: Commands) -> None:
    parser = commands.add_parser("serve", help="HTTP API, widget and Slack in one process")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="port, 0: any (%(default)s)")
    _add_common_options(parser)
    parser.set_defaults(command=_serve)


def _add_evaluate(commands: Commands) -> None:
    parser = commands.add_parser("evaluate", help="measure retrieval and answers on a dataset")
    parser.add_argument("dataset", metavar="DATASET", type=Path)
    parser.add_argument("--retriever", choices=("bm25", "dense", "hybrid"), default="hybrid")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--run", metavar="FILE", type=Path, help="write a TREC run")
    parser.add_argument("--answers", action="store_true", help="also ask the configured model")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the report as a page")
    parser.add_argument(
        "--grounding", action="store_true", help="also try the check of citations on the dataset"
    )
    parser.add_argument(
        "--no-history", action="store_true", help="search follow-ups without what was asked before"
    )
    _add_common_options(parser)
    parser.set_defaults(command=_evaluate)


def _add_report(commands: Commands) -> None:
    parser = commands.add_parser(
        "report", help="questions, answers, feedback and cost of some days"
    )
    parser.add_argument("--days", type=_days, default=30, help="how far back (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page")
    _add_common_options(parser)
    parser.set_defaults(command=_report)


def _add_receipts(commands: Commands) -> None:
    parser = commands.add_parser("receipts", help="which answers stand on which documents")
    parser.add_argument("--document", metavar="ID", help="of this document alone")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    _add_common_options(parser)
    parser.set_defaults(command=_receipts)


def _add_forget(commands: Commands) -> None:
    parser = commands.add_parser("forget", help="erase all conversations of a person")
    parser.add_argument(
        "--user", metavar="ID", type=_user, required=True, help="as Slack names them: U024BE7LH"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    _add_common_options(parser)
    parser.set_defaults(command=_forget)


def _add_calibrate(commands: Commands) -> None:
    parser = commands.add_parser("calibrate", help="fit on a dataset when the bot refuses")
    parser.add_argument("dataset", metavar="DATASET", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    _add_common_options(parser)
    parser.set_defaults(command=_calibrate)


def _add_doctor(commands: Commands) -> None:
    parser = commands.add_parser("doctor", help="check everything that a start would need")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    _add_common_options(parser)
    parser.set_defaults(command=_doctor)


def _add_explain(commands: Commands) -> None:
    parser = commands.add_parser("explain", help="how an answer came about; repeats its search")
    parser.add_argument("answer", metavar="ANSWER_ID")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    _add_common_options(parser)
    parser.set_defaults(command=_explain)


def _add_bundle(commands: Commands) -> None:
    parser = commands.add_parser(
        "bundle", help="what a report of a bad answer needs, as JSON without personal data"
    )
    parser.add_argument(
        "answer", metavar="ANSWER_ID", nargs="?", help="without one: all that were reported"
    )
    _add_common_options(parser)
    parser.set_defaults(command=_bundle)


def _add_conversation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="ID", help="model ID, such as MiniMax-M2.5")
    parser.add_argument("--conversation", metavar="ID", help="go on with this conversation")
    parser.add_argument("--audience", metavar="NAME", help="ask as one of this audience")
    _add_common_options(parser)


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", metavar="DIR", type=Path, help="instead of SUPPORTBOT_HOME")


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return number


def _user(text: str) -> str:
    if not 0 < len(text := text.strip()) <= MAX_USER_ID:
        raise argparse.ArgumentTypeError(f"an id of a person has 1 to {MAX_USER_ID} characters")
    return text


def _days(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < 5 else 0
    if not 1 <= number <= 3_650:
        raise argparse.ArgumentTypeError("days are a number from 1 to 3650")
    return number


def _ask(options: argparse.Namespace) -> int:
    return asyncio.run(_ask_once(options))


async def _ask_once(options: argparse.Namespace) -> int:
    from supportbot.bootstrap import build_services
    from supportbot.terminal import Terminal

    question = _question(options, options.question)
    terminal = Terminal()
    async with build_services(_settings(options)) as services:
        await services.warm()
        show = terminal.show_json if options.json else terminal.show
        answer = await show(services.answerer, question)
    terminal.hint(answer)
    return _exit_code(answer)


def _chat(options: argparse.Namespace) -> int:
    return asyncio.run(_converse(options))


async def _converse(options: argparse.Namespace) -> int:
    from supportbot.bootstrap import build_services
    from supportbot.conversation import new_id
    from supportbot.terminal import Terminal

    options.conversation = options.conversation or new_id("conv")
    terminal = Terminal()
    async with build_services(_settings(options)) as services:
        await services.warm()
        terminal.err.write("Ask a question; an empty line or Ctrl-D ends the conversation.\n")
        while text := await asyncio.to_thread(terminal.read):
            await terminal.show(services.answerer, _question(options, text))
    return DONE


def _serve(options: argparse.Namespace) -> int:
    from supportbot.server import serve

    return asyncio.run(serve(_settings(options), options.host, options.port))


def _evaluate(options: argparse.Namespace) -> int:
    return asyncio.run(_measure(options))


async def _measure(options: argparse.Namespace) -> int:
    from supportbot.evaluation import EvaluationOptions, evaluate

    wanted = EvaluationOptions(
        _dataset(options),
        options.retriever,
        options.run,
        options.answers,
        history=not options.no_history,
        html=options.html,
        grounding=options.grounding,
    )
    report = await evaluate(wanted, _settings(options))
    if options.html:
        from supportbot.evaluation_page import page

        options.html.write_text(page(report), encoding="utf-8")
    print(json.dumps(report.to_json()) if options.json else report.render())
    return DONE


def _report(options: argparse.Namespace) -> int:
    from supportbot.looking_back import report
    from supportbot.report import render

    made = asyncio.run(report(_settings(options), options.days, options.html))
    print(json.dumps(made.to_json(), ensure_ascii=False) if options.json else _plain(render(made)))
    return DONE


def _receipts(options: argparse.Namespace) -> int:
    from supportbot.looking_back import receipts
    from supportbot.receipts import render

    found = asyncio.run(receipts(_settings(options), options.document))
    as_json = json.dumps({"receipts": [one.to_json() for one in found]}, ensure_ascii=False)
    print(as_json if options.json else _plain(render(found)))
    return DONE


def _forget(options: argparse.Namespace) -> int:
    from supportbot.looking_back import forget

    erased = asyncio.run(forget(_settings(options), options.user))
    told = {"user": options.user, **asdict(erased)}
    text = f"erased {erased.conversations} conversations with {erased.questions} questions"
    print(json.dumps(told) if options.json else text)
    return DONE


def _calibrate(options: argparse.Namespace) -> int:
    from supportbot.calibration import calibrate
    from supportbot.evaluation import EvaluationOptions

    wanted = EvaluationOptions(_dataset(options))
    fitted = asyncio.run(calibrate(wanted, _settings(options)))
    print(json.dumps(fitted.to_json()) if options.json else fitted.render())
    return DONE


def _doctor(options: argparse.Namespace) -> int:
    from supportbot.doctor import examine, render

    findings = asyncio.run(examine(_settings(options)))
    print(render(findings, as_json=options.json))
    return FAILED if any(finding.is_broken for finding in findings) else DONE


def _explain(options: argparse.Namespace) -> int:
    from supportbot.explaining import explain

    found = asyncio.run(explain(options.answer, _settings(options)))
    as_json = json.dumps(found.to_json(), ensure_ascii=False)
    print(as_json if options.json else _plain(found.render()))
    return DONE


def _bundle(options: argparse.Namespace) -> int:
    from supportbot.explaining import bundles

    for bundle in asyncio.run(bundles(options.answer, _settings(options))):
        print(json.dumps(bundle))
    return DONE


def _settings(options: argparse.Namespace) -> BotSettings:
    """Read the settings and set up logging; at a terminal only what went wrong is logged."""
    from knowledge.config import load
    from supportbot.config import BotSettings
    from supportbot.telemetry import configure_logging

    flags = {"home": options.home, "model": getattr(options, "model", None)}
    settings = load(BotSettings, flags)
    is_quiet = settings.log_level == "info" and options.command is not _serve
    configure_logging("error" if is_quiet else settings.log_level, settings.secrets)
    return settings


def _dataset(options: argparse.Namespace) -> Path:
    if not options.dataset.is_dir():
        raise WrongUsage(
            f"{options.dataset} is no folder; a dataset is one that holds queries.jsonl, qrels.tsv,"
            " and corpus/ or corpus.jsonl"
        )
    return Path(options.dataset)


def _question(options: argparse.Namespace, text: str) -> Question:
    from knowledge.documents import Scope
    from supportbot.conversation import MAX_MESSAGE_CHARACTERS, Question, new_id

    text = text.strip()
    if not 0 < len(text) <= MAX_MESSAGE_CHARACTERS:
        raise WrongUsage(f"a question has 1 to {MAX_MESSAGE_CHARACTERS} characters")
    return Question(
        text,
        conversation_id=options.conversation or new_id("conv"),
        scope=Scope.of(options.audience),
    )


def _exit_code(answer: Answer) -> int:
    from supportbot.conversation import Outcome

    return FAILED if answer.outcome is Outcome.UNAVAILABLE else DONE


def _plain(text: str) -> str:
    """Return lines that hold strangers' words without what would steer the terminal."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def _complain(words: Sequence[str], message: str, code: int) -> int:
    if "--json" in words:
        print(json.dumps({"error": message}))
    print(f"supportbot: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
