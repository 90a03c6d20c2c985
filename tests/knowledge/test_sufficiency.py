from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.documents import Chunk, Evidence, Hit
from knowledge.sufficiency import is_sufficient, sufficiency

PASSAGE = Chunk("1", "a.md", "A", "a.md", (), "Refunds take five days.", 0)


def evidence(similarity: float, coverage: float) -> Evidence:
    return Evidence("q", "r", (Hit(PASSAGE, 1.0),), similarity, coverage)


def test_no_passage_is_no_evidence() -> None:
    assert not is_sufficient(Evidence("q", "r", (), 0.9, 0.9))


@pytest.mark.parametrize(
    ("similarity", "coverage", "enough"), [(0.7, 0.8, True), (0.6, 0.0, True), (0.1, 0.1, False)]
)
def test_evidence_is_weighed(similarity: float, coverage: float, enough: bool) -> None:
    assert is_sufficient(evidence(similarity, coverage)) is enough


@given(st.floats(-1, 1), st.floats(0, 1))
def test_sufficiency_is_a_share(similarity: float, coverage: float) -> None:
    assert 0 <= sufficiency(evidence(similarity, coverage)) <= 1
