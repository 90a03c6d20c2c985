from __future__ import annotations

import json
import logging

import pytest

from supportbot.telemetry import JsonLines


def formatted(message: str, *args: object, secrets: tuple[str, ...] = (), **extra: object) -> str:
    record = logging.LogRecord("supportbot.test", logging.INFO, "f.py", 1, message, args, None)
    vars(record).update(extra)
    return JsonLines(secrets).format(record)


def test_an_event_is_one_line_of_json_whatever_stands_in_it() -> None:
    line = formatted('a "quoted"\nline\x1b[31m %s', "\r\n{", answer_id="ans_1")
    assert "\n" not in line
    assert "\x1b" not in line
    entry = json.loads(line)
    assert entry["message"] == 'a "quoted"\nline\x1b[31m \r\n{'
    assert entry["answer_id"] == "ans_1"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef.123456",
        "token xoxb-123456-abcdef",
        "key sk-abcdefghijk",
        "postgresql://bot:hunter2@db/state",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    line = formatted(text)
    assert "***" in line
    assert not any(part in line for part in ("abcdef", "hunter2"))


def test_known_secrets_are_masked_in_tracebacks_too() -> None:
    try:
        raise ValueError('the endpoint said: key "p@ss w" is wrong')
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (type(error), error, None)})
    line = JsonLines(['"p@ss w"', ""]).format(record)
    assert "p@ss w" not in line
    assert "***" in line
