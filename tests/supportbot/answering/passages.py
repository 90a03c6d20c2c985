"""A small shop's help pages, for the tests of answering."""

from __future__ import annotations

from knowledge.documents import Chunk
from supportbot.answering.grounding import Passage

REFUNDS = Chunk(
    id="c1",
    document_id="refunds.md",
    title="Refund policy",
    uri="https://shop.example/refunds",
    heading_path=("Deadlines",),
    text=(
        "Refunds take 14 days after we receive the parcel. Shipping costs of $4.90 are not "
        "refunded. Refunds are not possible after 30 days.\n\nWrite to help@shop.example or see "
        "https://shop.example/returns for the form E-4012."
    ),
    ordinal=0,
)
ORDERS = Chunk(
    id="c2",
    document_id="orders.md",
    title="Orders",
    uri="orders.md",
    heading_path=(),
    text=(
        "You can cancel an order within 30 minutes. Open **My orders**, choose the order and "
        "press **Cancel**.\n\n```sh\nshop-cli cancel --order ID\n```\n\n"
        "| Plan | Price |\n|---|---|\n| Basic | $5 |\n| Plus | $12 |\n\n"
        "Version v2.3.1 came out on March 4, 2024 and was tested by Northwind Traders."
    ),
    ordinal=0,
)
CHUNKS = (REFUNDS, ORDERS)


def passages() -> list[Passage]:
    return [Passage.of(number, chunk) for number, chunk in enumerate(CHUNKS, start=1)]
