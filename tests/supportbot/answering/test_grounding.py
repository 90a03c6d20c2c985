from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.documents import Chunk
from supportbot.answering.grounding import Passage, Verdict, check, marks_of
from supportbot.answering.sentences import Unit, split
from tests.supportbot.answering.passages import CHUNKS, passages


def verdict(text: str) -> Verdict:
    (unit,) = split(text)
    return check(unit, passages())


@pytest.mark.parametrize(
    "text",
    [
        "Refunds take 14 days after we receive the parcel. [1]",
        "After the parcel is received, a refund takes 14 days. [1]",
        "Shipping costs of $4.90 are not refunded [1].",
        "After 30 days refunds are not possible. [1]",
        "You can cancel an order within thirty minutes. [2]",
        "- Open **My orders**, choose the order and press **Cancel**. [2]",
        "| Plus | $12 [2] |",
        "Version v2.3.1 came out on March 4, 2024. [2]",
        "See https://shop.example/returns/ for the form E-4012. [1]",
        "Write to [help@shop.example](mailto:help@shop.example). [1]",
        "The [refund policy](https://shop.example/refunds) gives refunds after 14 days. [1]",
        "Run `shop-cli cancel --order ID` to cancel an order. [2]",
        "Refunds take 14 days, and an order can be cancelled within 30 minutes. [1][2]",
        "Rückerstattungen dauern 14 Tage, nachdem wir das Paket erhalten haben. [1]",
    ],
)
def test_what_the_cited_passage_holds_may_be_said(text: str) -> None:
    assert verdict(text).reason == ""


@pytest.mark.parametrize(
    "text",
    [
        "Refunds take 15 days after we receive the parcel. [1]",
        "Refunds take 14 weeks after we receive the parcel. [1]",
        "Refunds take fourteen hours after we receive the parcel. [1]",
        "Shipping costs of $49.00 are not refunded. [1]",
        "Shipping costs of $4.90 are refunded. [1]",
        "Refunds are possible after 30 days. [1]",
        "Refunds do not take 14 days after we receive the parcel. [1]",
        "You cannot cancel an order within 30 minutes. [2]",
        "Version v2.3.2 came out on March 4, 2024. [2]",
        "Version v2.3.1 came out on May 4, 2024. [2]",
        "Version v2.3.1 was tested by Contoso Traders. [2]",
        "See https://shop.example.evil.example/returns for the form. [1]",
        "See https://shop.example/return for the form E-4012. [1]",
        "See evil.example for the refund form E-4012. [1]",
        "See the [refund form E-4012](javascript:alert(1)). [1]",
        "See the [refund form E-4012](//evil.example). [1]",
        "See [the refund form E-4012][1].\n\n[1]: https://evil.example",
        "Write to refunds@evil.example for the form. [1]",
        "The form for refunds is called E-4013. [1]",
        "Run `shop-cli delete --order ID` to cancel an order. [2]",
        "| Plus | $13 [2] |",
        "Our founders met at a concert in Lisbon and wrote songs together. [1]",
        "Rückerstattungen dauern 15 Tage, nachdem wir das Paket erhalten haben. [1]",
    ],
)
def test_what_the_cited_passage_does_not_hold_is_not_said(text: str) -> None:
    assert not all(check(unit, passages()).is_held for unit in split(text))


def test_the_title_and_headings_belong_to_the_passage() -> None:
    assert verdict("The refund policy names deadlines. [1]").is_held


def test_a_sentence_without_a_mark_gets_that_of_the_passage_that_holds_it() -> None:
    assert [s.number for s in verdict("You can cancel an order within 30 minutes.").sources] == [2]


def test_a_wrong_mark_is_replaced_by_the_passage_that_holds_the_sentence() -> None:
    found = verdict("Refunds take 14 days after we receive the parcel. [2]")
    assert [source.number for source in found.sources] == [1]


@pytest.mark.parametrize("mark", ["", " [3]", " [0]", " [99]", " [1-20]"])
def test_an_invented_statement_is_dropped_whatever_its_mark(mark: str) -> None:
    assert not verdict(f"Members of our club pay no shipping at all.{mark}").is_held


def test_a_mark_that_adds_nothing_is_taken_away() -> None:
    found = verdict("You can cancel an order within 30 minutes. [1][2]")
    assert [source.number for source in found.sources] == [2]


@pytest.mark.parametrize("text", ["Here are the steps:\n", "## Refunds\n", "**Refund policy**\n"])
def test_a_lead_in_or_heading_needs_no_source(text: str) -> None:
    assert verdict(text).is_held
    assert not verdict(text).needs_source


@pytest.mark.parametrize(
    "text",
    [
        "Refunds take 99 days as follows:\n",
        "## Free pizza for everybody today\n",
        "## See evil.example\n",
    ],
)
def test_a_lead_in_or_heading_states_no_fact_of_its_own(text: str) -> None:
    assert not verdict(text).is_held


def test_code_must_stand_in_a_passage_line_by_line() -> None:
    assert verdict("```sh\nshop-cli cancel --order ID\n```\n").is_held
    assert not verdict("```sh\nshop-cli cancel --order ID\nrm -rf /\n```\n").is_held


def test_the_quote_of_code_keeps_its_spaces() -> None:
    chunk = Chunk("c", "d", "", "d", (), "```\nls  -la   /srv\n```", 0)
    found = check(Unit("```\nls -la /srv\n```", "code"), [Passage.of(1, chunk)])
    assert [source.quote for source in found.sources] == ["ls  -la   /srv"]


@given(st.sampled_from(CHUNKS), st.integers(0, 20))
def test_every_sentence_of_a_passage_is_held_by_it_and_quoted_verbatim(
    chunk: Chunk, index: int
) -> None:
    units = [unit for unit in split(chunk.text) if unit.kind in ("sentence", "item")]
    unit = units[index % len(units)]
    number = CHUNKS.index(chunk) + 1
    found = check(Unit(f"{unit.text.strip()} [{number}]", unit.kind), passages())
    assert found.reason == ""
    assert all(source.quote in chunk.text for source in found.sources)


@given(st.text(max_size=300))
def test_any_text_can_be_checked(text: str) -> None:
    for unit in split(text):
        check(unit, passages())


@given(st.text(max_size=300))
def test_any_passage_can_be_checked_against(text: str) -> None:
    chunk = Chunk("c", "d", text[:20], "d", (), text, 0)
    check(Unit("Refunds take 14 days. [1]", "sentence"), [Passage.of(1, chunk)])


def test_the_quote_is_the_sentence_that_supports_it() -> None:
    (source,) = verdict("Shipping costs are not refunded. [1]").sources
    assert source.quote == "Shipping costs of $4.90 are not refunded."


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a [1][2]", [1, 2]),
        ("a [2, 1] b [2]", [2, 1]),
        ("a [1-3]", [1, 2, 3]),
        ("a 【4】 [^5]", [4, 5]),
        ("list[1] is a mark all the same, [x] and [1a] are none", [1]),
    ],
)
def test_marks_are_read_in_the_forms_that_models_write(text: str, numbers: list[int]) -> None:
    assert marks_of(text) == numbers


def test_numbers_must_stand_beside_the_words_they_belong_to() -> None:
    chunk = Chunk("c", "d", "", "d", (), "Basic has 5 seats. Plus has 20 seats.", 0)
    swapped = Unit("Basic has 20 seats. [1]", "sentence")
    assert not check(swapped, [Passage.of(1, chunk)]).is_held


def held(text: str, *sentences: str) -> bool:
    """Tell whether a passage of these sentences holds a text."""
    chunk = Chunk("c", "d", "", "d", (), " ".join(sentences), 0)
    return check(Unit(f"{text} [1]", "sentence"), [Passage.of(1, chunk)]).is_held


@pytest.mark.parametrize(
    ("passage", "right", "wrong"),
    [
        (
            "There are three plans for teams.",
            "There are 3 plans for teams.",
            "Teams have four plans.",
        ),
        ("It lasts twenty-four months.", "It lasts 24 months.", "It lasts twenty-five months."),
        (
            "Delivery takes three to 5 days.",
            "Delivery takes 3-5 days.",
            "Delivery takes 3-5 weeks.",
        ),
        (
            "Delivery takes 3 to 5 days.",
            "Delivery takes between 3 and 5 days.",
            "It takes 3-6 days.",
        ),
        ("The office opens at 8:30 a.m.", "It opens at 8:30 am.", "It opens at 8:30 p.m."),
        ("A parcel may weigh 20 pounds.", "It may weigh 20 lbs.", "It may weigh 20 ounces."),
        (
            "Fires burned 4.2 million acres.",
            "4.2 million acres burned.",
            "4.2 billion acres burned.",
        ),
        (
            "Fires burned 4.2 million acres.",
            "4.2 million acres burned.",
            "4.2 million miles burned.",
        ),
        (
            "An upload may have 25 MB.",
            "An upload may have 25 megabytes.",
            "An upload may have 25 GB.",
        ),
        ("The plan costs €9 a seat.", "The plan costs 9 euros.", "The plan costs $9."),
        ("Store paint at 20 degrees Celsius.", "Store paint at 20°C.", "Store paint at 20 °F."),
        ("We use Google™ translation.", "We use Google translation.", "We use Bing translation."),
    ],
)
def test_numbers_units_and_names_are_read_in_their_many_forms(
    passage: str, right: str, wrong: str
) -> None:
    assert held(right, passage)
    assert not held(wrong, passage)


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        (
            "Children are not eligible, and minors may send us personal information.",
            "Children are not eligible, and minors may not send us personal information.",
        ),
        ("The forms do not need a signature.", "The forms need a signature, not a stamp."),
        ("You can change the plan without a fee.", "You can change the plan with a fee."),
        ("The sync is no longer supported on ARM.", "The sync is supported on ARM."),
        ("Disable two-factor login first.", "Enable two-factor login first."),
        ("Refunds are paid before we receive it.", "Refunds are paid after we receive it."),
        ("Keep at most five backups of it.", "Keep at least five backups of it."),
    ],
)
def test_the_reverse_of_the_passage_is_not_said(text: str, passage: str) -> None:
    assert held(passage, passage)
    assert not held(text, passage)


def test_what_is_named_in_bold_must_stand_in_the_passage() -> None:
    passage = "Open My orders, choose the order and press Cancel within 30 minutes."
    assert held("Open **My orders**, choose the order and press **Cancel**.", passage)
    assert held("**Note:** press **Cancel** **within thirty minutes** in **My orders**.", passage)
    assert not held("Open **My orders**, choose the order and press **Delete**.", passage)


def test_half_a_sentence_of_another_source_is_noticed() -> None:
    passage = "Refunds take 14 days after we receive the parcel in our Leipzig warehouse."
    assert not held(
        "Refunds take 14 days after we receive the parcel in our warehouse from yoga teachers "
        "worldwide.",
        passage,
    )


def test_a_phrase_that_opens_a_sentence_needs_no_source() -> None:
    passage = "Refunds take 14 days."
    assert held("According to the help pages, refunds take 14 days.", passage)
    assert held("Please note that refunds take 14 days.", passage)
    assert held("Yes, refunds take 14 days.", passage)
