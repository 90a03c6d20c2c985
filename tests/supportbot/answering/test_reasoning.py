from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.answering.reasoning import Delta, DeltaJoiner, Discard, ReasoningFilter

SHAPES = {
    "open and close": ("<think>\nsecret\n</think>\n\nanswer", "\n\nanswer"),
    "no thinking": ("answer", "answer"),
    "another tag": ("<thinking>secret</thinking>answer", "answer"),
    "raw token": ("<mm:think>secret</mm:think>answer", "answer"),
    "upper case and space": ("<THINK >secret</Think >answer", "answer"),
    "never opened": ("secret</think>answer", "answer"),
    "never closed": ("<think>secret answer", ""),
    "literal tag inside": ("<think>about <think> secret</think>answer", "answer"),
    "nested": ("<think>secret <think> secret</think> secret</think>answer", "answer"),
    "twice": ("<think>secret</think>an<think>secret</think>swer", "answer"),
    "closed twice": ("<think>secret</think>secret</think>answer", "answer"),
    "tool call": (
        'an<minimax:tool_call>\n<invoke name="secret">\n</minimax:tool_call>swer',
        "answer",
    ),
    "tool call in thought": ("<think><minimax:tool_call>secret</think>answer", "answer"),
    "tool call never closed": ("answer<minimax:tool_call>secret", "answer"),
    "no tag at all": ("a < b and <b> or </thin", "a < b and <b> or </thin"),
}


def visible(pieces: list[str]) -> str:
    filter_, text = ReasoningFilter(), ""
    events = [event for piece in pieces for event in filter_.feed(piece)]
    for event in [*events, *filter_.finish()]:
        text = "" if isinstance(event, Discard) else text + event.text
    return text


@pytest.mark.parametrize("shape", SHAPES)
def test_thinking_of_every_shape_is_taken_out_split_at_every_character(shape: str) -> None:
    raw, expected = SHAPES[shape]
    assert visible([raw]) == expected
    assert visible(list(raw)) == expected


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<mm:think>", "</thinking>", "<", "</", " b\n"]),
        max_size=12,
    ),
    st.lists(st.integers(0, 60), max_size=8),
)
def test_however_the_stream_is_split_the_visible_text_is_the_same(
    parts: list[str], cuts: list[int]
) -> None:
    raw = "".join(parts)
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    pieces = [raw[start:end] for start, end in pairwise(places)]
    assert visible(pieces) == visible([raw])


def test_text_is_settled_only_after_a_sign_that_thinking_ended() -> None:
    filter_ = ReasoningFilter()
    assert filter_.feed("maybe a thought") == [Delta("maybe a thought", is_settled=False)]
    assert filter_.feed("</think>answer") == [Discard(), Delta("answer", is_settled=True)]


def test_a_reasoning_field_settles_the_text() -> None:
    filter_ = ReasoningFilter()
    filter_.settle()
    assert filter_.feed("answer") == [Delta("answer", is_settled=True)]


def joined(pieces: list[str]) -> str:
    joiner = DeltaJoiner()
    return "".join([*map(joiner.feed, pieces), joiner.finish()])


def test_snapshots_of_the_whole_text_add_only_what_is_new() -> None:
    text = "Refunds take 14 days."
    assert joined([text[:end] for end in range(1, len(text) + 1)]) == text


def test_increments_are_joined_as_they_are() -> None:
    assert joined(["1", "10", " ", "10", " ha", " ha", " ha"]) == "110 10 ha ha ha"


def test_a_last_snapshot_of_the_whole_text_is_not_said_again() -> None:
    text = "Refunds take 14 days, always."
    assert joined([text[:9], text[9:], text]) == text


def test_halves_of_an_emoji_in_two_pieces_become_one() -> None:
    assert joined(["ok \ud83d", "\ude00!"]) == "ok 😀!"
    assert joined(["ok \ud83d", "x"]) == "ok x"


@given(st.text(min_size=1, max_size=60), st.lists(st.integers(1, 59), max_size=6))
def test_text_survives_any_increments_that_do_not_repeat_it(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(places)]
    first = pieces[0]
    if not any(piece.startswith(first) for piece in pieces[1:]):
        assert joined(pieces) == text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
