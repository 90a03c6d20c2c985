"""The README's figures of the search, measured anew on the real pages and the real model."""

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
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mapping[str, float]]:
    home = tmp_path_factory.mktemp("govt")
    ingest("sync", str(DATASET / "corpus"), env=environment(home))
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
