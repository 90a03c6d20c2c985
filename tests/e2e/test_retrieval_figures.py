"""The README's figures of search and checks, measured anew on the real pages and real model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from knowledge.config import load
from knowledge.retriever import Mode
from supportbot.config import BotSettings
from supportbot.evaluation import EvaluationOptions, evaluate
from tests.servers.bot import environment, ingest

ROOT = Path(__file__).parents[2]
DATASET = ROOT / "tests" / "data" / "mtrag-govt"
MODES: tuple[Mode, ...] = ("bm25", "dense", "hybrid")
ALONE = "--no-history"
MEASURES = ("recall@5", "recall@10", "nDCG@10", "MRR@10")
TOLERANCE = 0.006  # a processor's arithmetic moves near ties


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("govt")
    ingest("sync", str(DATASET / "corpus"), env=environment(home))
    return home


@pytest.fixture(scope="module")
def measured(home: Path) -> dict[str, Mapping[str, float]]:
    settings = load(BotSettings)
    options = {mode: EvaluationOptions(DATASET, mode, home=home) for mode in MODES}
    options[ALONE] = EvaluationOptions(DATASET, "hybrid", home=home, history=False)
    return {
        name: asyncio.run(evaluate(wanted, settings)).ranking for name, wanted in options.items()
    }


@pytest.mark.parametrize("measure", MEASURES)
def test_both_arms_together_find_more_than_either_alone(
    measured: dict[str, Mapping[str, float]], measure: str
) -> None:
    alone = max(measured["bm25"][measure], measured["dense"][measure])
    assert measured["hybrid"][measure] > alone


@pytest.mark.parametrize("measure", MEASURES)
def test_what_was_asked_before_helps(
    measured: dict[str, Mapping[str, float]], measure: str
) -> None:
    assert measured["hybrid"][measure] > measured[ALONE][measure]


@pytest.mark.parametrize("mode", [*MODES, ALONE])
def test_the_readme_gives_the_figures_that_are_measured(
    measured: dict[str, Mapping[str, float]], mode: str
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [row] = re.findall(rf"^\|.*\(?`{mode}`\)?.*\|$", readme, re.MULTILINE)
    told = [float(number) for number in re.findall(r"\d\.\d{3}", row)]
    assert told == pytest.approx([measured[mode][name] for name in MEASURES], abs=TOLERANCE)


def test_the_check_of_citations_does_what_the_readme_says(home: Path) -> None:
    options = EvaluationOptions(DATASET, "bm25", home=home, grounding=True)
    grounding = asyncio.run(evaluate(options, load(BotSettings))).grounding
    assert grounding is not None
    assert grounding.hard_facts is not None
    assert grounding.hard_facts >= 0.95
    assert grounding.false_alarms is not None
    assert grounding.false_alarms <= 0.05

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- grounding -->")[2].partition("<!-- /grounding -->")[0]
    told = dict(re.findall(r"^\| ([^|]+?) \|.*\| ([\d.]+) \|$", table, re.MULTILINE))
    shares = {one.kind: one.stopped / one.tried for one in grounding.counts if one.kind in told}
    assert {kind: float(share) for kind, share in told.items()} == pytest.approx(
        shares, abs=TOLERANCE
    )
