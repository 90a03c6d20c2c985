from __future__ import annotations

import json
import random

import pytest

from knowledge.documents import Chunk
from supportbot.dataset import LabelledQuestion
from supportbot.mutations import MUTATIONS, Foreign, reworded
from supportbot.trials import CLOSE, FREE, REWORDED, SWAPPED_CITATION, VERBATIM, try_out

REFUNDS = (
    "Refunds take 14 days after we receive the parcel at our depot. You cannot return a gift card "
    "that was used. Write to the Northwind Team in March before you send anything back."
)
ROUTERS = (
    "Press the reset button on the router for ten seconds until the light blinks. Choose **Restore "
    "defaults** to erase all Contoso settings. Firmware v2.3.1 needs 512 MB of free memory."
)
GARDEN = (
    "Water the seedlings every morning until leaves appear on the stem. Our friend Priya Raman "
    "grows tomatoes under glass near Lisbon. Spread compost around roots late in autumn."
)
FOREIGN = Foreign(REFUNDS.casefold(), ["Priya Raman"], [GARDEN.split(". ")[0]], ["seedlings"])
CHUNKS = {
    name: [Chunk(name, name, name.title(), name, (), text, 0)]
    for name, text in (("refunds", REFUNDS), ("routers", ROUTERS), ("garden", GARDEN))
}
ANSWER = "Refunds take 14 days after we receive the parcel. Our staff is happy to help everybody."
QUESTIONS = [
    LabelledQuestion("q1", "How long do refunds take?", True, {"refunds": 1}, (), ANSWER),
    LabelledQuestion("q2", "How do I reset the router?", True, {"routers": 1}),
    LabelledQuestion("q3", "Who are you?", False),
]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("changed number", "Refunds take 14 days."),
        ("changed number", "There are three plans."),
        ("changed unit or date", "Refunds take 14 days."),
        ("changed unit or date", "The sale ends in March."),
        ("changed unit or date", "It costs $5."),
        ("changed code", "Firmware v2.3.1 is new."),
        ("changed code", "Open /etc/hosts.conf/here to see it."),
        ("changed label", "Choose **Restore defaults** now."),
        ("flipped negation", "You cannot return it."),
        ("flipped negation", "You can return it."),
        ("flipped opposite", "Pay before you go."),
        ("swapped entity", "Write to the Northwind Team."),
        ("invented URL", "Refunds take 14 days."),
        ("invented URL", "See https://shop.example/refunds."),
        ("invented step", "Refunds take 14 days."),
        ("merged sources", "Refunds take 14 days after we receive the parcel back."),
    ],
)
def test_a_sentence_is_made_wrong_in_one_place(kind: str, sentence: str) -> None:
    changed = MUTATIONS[kind](sentence, FOREIGN, random.Random(1))
    assert changed
    assert changed != sentence


@pytest.mark.parametrize("kind", [kind for kind in MUTATIONS if kind != "invented URL"])
def test_a_sentence_without_a_place_for_it_is_left_alone(kind: str) -> None:
    nothing = Foreign("", [], [], ["word"])
    assert MUTATIONS[kind]("so it goes", nothing, random.Random(1)) is None


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("they do not pay", "they don't pay"),
        ("it takes 3 days", "it takes three days"),
        ("it takes three days", "it takes 3 days"),
        ("only 1,000 seats", "only 1000 seats"),
        ("If it rains, lamps are red.", "Lamps are red if it rains."),
    ],
)
def test_rewording_keeps_the_sense(sentence: str, told: str) -> None:
    assert reworded(sentence, random.Random(1)) == told


def test_right_and_wrong_sentences_are_counted_apart() -> None:
    report = try_out(QUESTIONS, CHUNKS)
    counts = {count.kind: count for count in report.counts}
    assert set(counts) == {SWAPPED_CITATION, *MUTATIONS, VERBATIM, REWORDED, CLOSE, FREE}
    assert (counts[VERBATIM].tried, counts[VERBATIM].stopped) == (6, 0)
    assert (counts[CLOSE].tried, counts[CLOSE].stopped) == (1, 0)
    assert (counts[FREE].tried, counts[FREE].stopped) == (1, 1)
    assert counts[FREE].examples == ("Our staff is happy to help everybody. [1]",)
    assert counts["invented URL"].tried == counts["invented URL"].stopped == 7
    assert report.hard_facts == 1.0
    assert report.false_alarms == 0.0


def test_the_same_seed_gives_the_same_trials() -> None:
    first = try_out(QUESTIONS, CHUNKS).to_json()
    assert try_out(QUESTIONS, CHUNKS).to_json() == first
    assert json.loads(json.dumps(first)) == first


def test_nothing_to_try_is_no_figure() -> None:
    report = try_out(QUESTIONS[2:], CHUNKS)
    assert (report.hard_facts, report.false_alarms) == (None, None)
    assert any("none" in line for line in report.render())
