from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.documents import Chunk, Evidence, Hit
from knowledge.minilm import packaged_minilm
from knowledge.sufficiency import (
    FILE,
    Calibration,
    is_far_off,
    is_sufficient,
    load_calibration,
    packaged,
    sufficiency,
)
from supportbot.calibration import dataset_hash

DATASET = Path(__file__).parents[1] / "data" / "mtrag-govt"
PASSAGE = Chunk("1", "a.md", "A", "a.md", (), "Refunds take five days.", 0)


def evidence(similarity: float, coverage: float) -> Evidence:
    return Evidence("q", "r", (Hit(PASSAGE, 1.0),), similarity, coverage)


def test_no_passage_is_no_evidence() -> None:
    nothing = Evidence("q", "r", (), 0.9, 0.9)
    assert not is_sufficient(nothing)
    assert is_far_off(nothing)


@pytest.mark.parametrize(
    ("similarity", "coverage", "enough", "far"),
    [
        (0.7, 0.8, True, False),
        (0.6, 0.0, True, False),
        (0.25, 1.0, True, False),  # a code that means nothing to the vectors
        (0.35, 0.2, False, False),
        (0.1, 0.1, False, True),
    ],
)
def test_evidence_is_weighed(similarity: float, coverage: float, enough: bool, far: bool) -> None:
    assert is_sufficient(evidence(similarity, coverage)) is enough
    assert is_far_off(evidence(similarity, coverage)) is far


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1))
def test_sufficiency_is_a_probability_that_more_evidence_never_lowers(
    similarity: float, coverage: float, more: float
) -> None:
    score = sufficiency(evidence(similarity, coverage))
    assert 0 <= score <= 1
    assert sufficiency(evidence(min(1, similarity + more), coverage)) >= score
    assert sufficiency(evidence(similarity, min(1, coverage + more))) >= score


def test_the_packaged_calibration_tells_on_what_it_was_fitted() -> None:
    held = packaged()
    assert held.embedder == packaged_minilm().fingerprint
    assert held.provenance["dataset"] == "mtrag-govt"
    assert held.provenance["dataset_sha256"] == dataset_hash(DATASET)
    assert held.provenance["questions"] == {
        "answerable": 306,
        "deleted": 306,
        "unanswerable": 20,
    }


def test_a_home_may_hold_its_own(tmp_path: Path) -> None:
    own = Calibration(0.0, {"keyword_coverage": 1.0}, 0.9, "model", {"dataset": "mine"})
    (tmp_path / FILE).write_text(json.dumps(own.to_json()))
    assert load_calibration(tmp_path, "model") == own
    judged = replace(evidence(0.9, 1.0), calibration=own)
    assert not is_sufficient(judged)
    assert is_sufficient(evidence(0.9, 1.0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not used"),
        pytest.param("[" * 100_000, "is not used", id="nested"),
        ("[]", "no calibration"),
        pytest.param(
            f'{{"weights": {{}}, "intercept": {10**400}, "threshold": 1, "embedder": "model"}}',
            "no calibration",
            id="huge",
        ),
        ('{"weights": {}}', "no calibration"),
        (
            '{"weights": {"luck": 1}, "intercept": 0, "threshold": 0.5, "embedder": "model"}',
            "does not measure",
        ),
        (
            '{"weights": {}, "intercept": NaN, "threshold": 0.5, "embedder": "model"}',
            "not finite",
        ),
        (
            '{"weights": {}, "intercept": 0, "threshold": 0.5, "embedder": "other"}',
            "another embedding model",
        ),
    ],
)
def test_one_that_cannot_be_used_is_told_and_left(
    text: str, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(text)
    assert load_calibration(tmp_path, "model") == packaged()
    assert told in caplog.text


def test_without_a_file_the_packaged_is_used_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_calibration(tmp_path, "any model") == packaged()
    assert not caplog.records
