from __future__ import annotations

import json

import pytest

from supportbot.cli import run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ask", "How?", "--modle", "MiniMax-M3"], "unrecognized arguments: --modle"),
        (["asks", "How?"], "invalid choice: 'asks'"),
        (["ask", " "], "a question has 1 to"),
        (["evaluate", "/nowhere"], "/nowhere is no folder; a dataset is one that holds"),
        (["calibrate", "/nowhere"], "/nowhere is no folder; a dataset is one that holds"),
    ],
)
def test_wrong_usage_ends_with_2_and_is_said_to_programs_too(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json"]) == 2
    out, err = capsys.readouterr()
    assert told in json.loads(out)["error"]
    assert err.startswith("supportbot: ")
    assert told in err
    assert run(words) == 2
    assert capsys.readouterr().out == ""
