from __future__ import annotations

import pytest

from ingest.findings.look import is_same_subject
from ingest.findings.values import Claim, claims, disagree, stems


def claim(text: str) -> Claim:
    found = list(claims(text))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Refunds take 14 days after arrival.", [("time", "1.2096e+06")]),
        ("Refunds take two weeks after arrival.", [("time", "1.2096e+06")]),
        ("The plan costs $1,250.50 for a team.", [("$", "1250.5")]),
        ("The plan costs 9 EUR for a team.", [("€", "9")]),
        ("Uploads may hold 5 GB of files.", [("bytes", "5e+09")]),
        ("Uploads may hold 5GB of files.", [("bytes", "5e+09")]),
        ("Discounts of 20 % for schools apply.", [("%", "20")]),
        ("Install version 2.3.1 of the agent.", [("version", "2.3.1")]),
        ("Install agent v2.3 on servers.", [("version", "2.3")]),
        ("Our warehouse opens on 3 May 2026 with a party.", [("date", "2026-05-03")]),
        ("Our warehouse opens on May 3, 2026 with a party.", [("date", "2026-05-03")]),
        ("Our warehouse opens on 2026-05-03 with a party.", [("date", "2026-05-03")]),
        ("Offices open at 9:00 am on workdays.", [("clock", "9am")]),
        ("A workspace holds up to 50 members.", [("~member", "50")]),
        ("The maximum of open tickets is 20.", [("number", "20")]),
        ("The budget grew by 3 million dollars.", [("$", "3e+06")]),
    ],
)
def test_values_are_read_with_their_units(text: str, values: list[tuple[str, str]]) -> None:
    assert list(claim(text).values) == values


@pytest.mark.parametrize(
    "text",
    [
        "Send form 1040 to the office.",
        "See section 12 of the manual.",
        "Read chapter 3 and page 17.",
        "Updated on May 3, 2026",
        "Mission category 2024:",
        "No figures stand here at all.",
        "",
    ],
)
def test_a_number_that_only_names_something_is_no_value(text: str) -> None:
    assert list(claims(text)) == []


def contradict(one: str, other: str, title: str = "Refunds", other_title: str = "Refunds") -> bool:
    left, right = claim(one), claim(other)
    same = is_same_subject(left, right, stems(title), stems(other_title))
    return same and disagree(left, right)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Refunds take 14 days.", "Refunds take 30 days."),
        ("Refunds take 14 days.", "Refunds take 14 hours."),
        ("The limit of uploads is 5 GB.", "The limit of uploads is 500 MB."),
        ("Install version 2.3.1 of the agent.", "Install version 2.4.0 of the agent."),
        ("The office opens at 9 am on workdays.", "The office opens at 10 am on workdays."),
        ("Our new warehouse opens on 3 May 2026.", "Our new warehouse opens on 3 June 2026."),
        ("* **Refunds** take 14 days", "| Refunds take | 30 days |"),
    ],
)
def test_another_value_of_the_same_thing_is_a_contradiction(one: str, other: str) -> None:
    assert contradict(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Refunds take 14 days.", "Refunds take two weeks."),
        ("Refunds take 24 hours.", "Refunds take 1 day."),
        ("Refunds take 14 days.", "Deliveries take 30 days."),
        ("Refunds take 14 days.", "Refunds take 14 days."),
        ("Parcels to Norway take 14 days.", "Parcels to Japan take 30 days."),
        ("File form 1040 within 30 days.", "File form 2350 within 60 days."),
        ("In 2024 the rate for members was 5 %.", "In 2025 the rate for members was 5 %."),
        ("The office opens at 9 on workdays.", "The office opens at 9 am on workdays."),
    ],
)
def test_the_same_value_or_another_thing_is_none(one: str, other: str) -> None:
    pairs = [(a, b) for a in claims(one) for b in claims(other)]
    assert not any(
        is_same_subject(a, b, stems("Refunds"), stems("Refunds")) and disagree(a, b)
        for a, b in pairs
    )


def test_a_short_sentence_needs_the_same_title() -> None:
    assert contradict("The price is 5 EUR a month.", "The price is 9 EUR a month.")
    assert not contradict(
        "The price is 5 EUR a month.", "The price is 9 EUR a month.", "Basic plan", "Pro plan"
    )
