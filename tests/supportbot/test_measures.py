from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.dataset import LabelledQuestion
from supportbot.measures import (
    Searched,
    auroc,
    percentile,
    rank_measures,
    risk_coverage,
    trec_run,
)


def searched(
    ranking: str, relevant: dict[str, int], is_answerable: bool = True, id_: str = "q"
) -> Searched:
    documents = tuple((name, 1.0 / place) for place, name in enumerate(ranking, 1))
    return Searched(LabelledQuestion(id_, "?", is_answerable, relevant), documents, 0.5, 1.0)


def test_the_right_document_first_gives_one_everywhere() -> None:
    assert set(rank_measures([searched("abc", {"a": 1})]).values()) == {1.0}


def test_figures_are_those_worked_out_by_hand() -> None:
    figures = rank_measures([searched("xaxxxxbxxxc", {"a": 2, "b": 1, "c": 1})])
    # DCG 2/log2(3) + 1/log2(8); ideal 2/log2(2) + 1/log2(3) + 1/log2(4).
    assert figures == {
        "recall@5": pytest.approx(1 / 3, abs=1e-4),
        "recall@10": pytest.approx(2 / 3, abs=1e-4),
        "nDCG@10": pytest.approx((1.26186 + 1 / 3) / (2 + 0.63093 + 0.5), abs=1e-4),
        "MRR@10": 0.5,
    }


def test_figures_are_means_over_answerable_judged_questions_only() -> None:
    figures = rank_measures(
        [
            searched("a", {"a": 1}),
            searched("", {"a": 1}),
            searched("a", {}),
            searched("a", {"a": 1}, is_answerable=False),
        ]
    )
    assert set(figures.values()) == {0.5}


def test_no_questions_give_zero_and_no_error() -> None:
    assert set(rank_measures([]).values()) == {0.0}
    assert percentile([], 0.95) == 0.0


SCORES = st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), max_size=30)


@given(SCORES, SCORES)
def test_auroc_turns_around_with_the_classes(
    positives: list[float], negatives: list[float]
) -> None:
    forth, back = auroc(positives, negatives), auroc(negatives, positives)
    if not positives or not negatives:
        assert (forth, back) == (None, None)
    else:
        assert forth is not None
        assert back is not None
        assert forth + back == pytest.approx(1, abs=2e-4)


def test_auroc_is_one_for_a_clean_cut_and_half_for_none() -> None:
    assert auroc([0.8, 0.9], [0.1, 0.2]) == 1.0
    assert auroc([0.5, 0.5], [0.5]) == 0.5
    assert auroc([0.9, 0.4], [0.5]) == 0.5


@given(SCORES.filter(bool), SCORES.filter(bool))
def test_the_curve_runs_from_few_answers_to_all(
    answerable: list[float], unanswerable: list[float]
) -> None:
    curve = risk_coverage(answerable, unanswerable)
    assert [p.threshold for p in curve] == sorted({p.threshold for p in curve}, reverse=True)
    assert [p.coverage for p in curve] == sorted(p.coverage for p in curve)
    last = curve[-1]
    assert (last.coverage, last.answerable, last.unanswerable) == (1, 1, 1)
    total = len(answerable) + len(unanswerable)
    assert last.risk == pytest.approx(len(unanswerable) / total, abs=1e-4)


def test_a_curve_needs_both_classes() -> None:
    assert risk_coverage([0.5], []) == risk_coverage([], [0.5]) == ()


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (0.25, 1.0), (1.0, 4.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


def test_a_run_has_six_columns_a_line() -> None:
    run = trec_run([searched("ab", {}, id_="q1"), searched("c", {}, id_="q2")])
    assert run.splitlines() == [
        "q1 Q0 a 1 1.000000 supportbot",
        "q1 Q0 b 2 0.500000 supportbot",
        "q2 Q0 c 1 1.000000 supportbot",
    ]
