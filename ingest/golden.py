"""Golden questions: what a release must still find, as a YAML file says it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from ingest.errors import GoldenWrong

MAX_QUESTIONS = 1_000
_MAX_BYTES = 4_000_000
_LONGEST = 4_000  # characters of a question, as of the command `search`
_LISTS = ("expect", "must_say", "must_not_say")
_KEYS = ("question", *_LISTS, "refuse", "audience")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Golden:
    """One question, and what must be found for it.

    `expect` are ids or addresses of documents, of which one suffices. Each text of `must_say` must
    stand in a passage that is found, and none of `must_not_say`. With `refuse` the evidence must be
    too thin to answer.
    """

    question: str
    expect: tuple[str, ...] = ()
    must_say: tuple[str, ...] = ()
    must_not_say: tuple[str, ...] = ()
    refuse: bool = False
    audience: str = ""  # "" the public

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {name: list(v) if name in _LISTS else v for name, v in asdict(self).items()}


def read_golden(path: Path) -> tuple[Golden, ...]:
    """Read a file of golden questions.

    Raises:
        GoldenWrong: it cannot be read or used; the message names the line, and what is valid.
    """
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise GoldenWrong(f"{path}{line}: not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise GoldenWrong(f"{path}: not valid YAML: {error}") from None
    if not isinstance(root, yaml.SequenceNode) or not root.value:
        raise GoldenWrong(
            f"{path}: it holds no list of questions; write one as `- question: How do I …?` with"
            " `expect: [page.md]` below it"
        )
    if len(root.value) > MAX_QUESTIONS:
        raise GoldenWrong(
            f"{path}: {len(root.value):,} questions; at most {MAX_QUESTIONS:,} are asked"
        )
    return tuple(_Entry(path, node).golden() for node in root.value)


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GoldenWrong(
            f"{path}: cannot be read ({error.strerror}); name a YAML file of golden questions"
        ) from None
    if len(data) > _MAX_BYTES:
        raise GoldenWrong(f"{path}: larger than {_MAX_BYTES // 1_000_000} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GoldenWrong(f"{path}: not UTF-8 text (byte {error.start})") from None


class _Entry:
    """One entry of the file, read key by key."""

    def __init__(self, path: Path, node: yaml.Node) -> None:
        self._path = path
        self._node = node

    def golden(self) -> Golden:
        """Return the question.

        Raises:
            GoldenWrong: a key or value of it is wrong.
        """
        values = dict(self._values())
        if "question" not in values:
            raise self._wrong(self._node, "it has no `question`")
        golden = Golden(**values)
        if golden.refuse and (golden.expect or golden.must_say):
            raise self._wrong(
                self._node,
                "a question that must be refused has neither `expect` nor `must_say`",
            )
        return golden

    def _values(self) -> Iterator[tuple[str, Any]]:
        if not isinstance(self._node, yaml.MappingNode):
            raise self._wrong(self._node, f"a question is a mapping of {', '.join(_KEYS)}")
        seen: set[str] = set()
        for key, value in self._node.value:
            name = str(key.value)
            if name not in _KEYS:
                raise self._wrong(key, _unknown(name))
            if name in seen:
                raise self._wrong(key, f"`{name}` stands there twice")
            seen.add(name)
            yield name, self._value(name, value)

    def _value(self, name: str, node: yaml.Node) -> Any:
        if name in _LISTS:
            parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
            return tuple(self._text(name, part) for part in parts)
        text = self._text(name, node)
        if name == "refuse":
            if text.lower() not in _FLAGS:
                raise self._wrong(node, "`refuse` is true or false")
            return _FLAGS[text.lower()]
        return text

    def _text(self, name: str, node: yaml.Node) -> str:
        text = node.value.strip() if isinstance(node, yaml.ScalarNode) else ""
        if not text or len(text) > _LONGEST:
            kind = "a text, or a list of texts," if name in _LISTS else "a text"
            raise self._wrong(node, f"`{name}` takes {kind} of 1 to {_LONGEST:,} characters")
        return text

    def _wrong(self, node: yaml.Node, what: str) -> GoldenWrong:
        return GoldenWrong(f"{self._path}, line {node.start_mark.line + 1}: {what}")


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, _KEYS, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(_KEYS)}"
    return f"unknown key `{name[:60]}`; {hint}"
