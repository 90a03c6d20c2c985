from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from knowledge.documents import Chunk, Evidence, Hit
from knowledge.sufficiency import FILE, is_sufficient, load_calibration
from supportbot.calibration import Sample, calibrate, dataset_hash, fit, fit_sample
from supportbot.config import BotSettings
from supportbot.errors import EvaluationFailed
from supportbot.evaluation import EvaluationOptions
from tests.servers.tiny_model import save_tiny_model

PASSAGE = Chunk("1", "a.md", "A", "a.md", (), "Refunds take five days.", 0)


def evidence(similarity: float, coverage: float) -> Evidence:
    return Evidence("q", "r", (Hit(PASSAGE, 1.0),), similarity, coverage)


def spread(low: float, high: float, count: int = 40) -> list[float]:
    return [float(value) for value in np.linspace(low, high, count)]


def test_the_curve_gives_the_shares_that_were_seen() -> None:
    # Where the feature is 1, three of four have their answer; where it is 0, one of four.
    positive = np.array([[1.0]] * 75 + [[0.0]] * 25)
    negative = np.array([[1.0]] * 25 + [[0.0]] * 75)
    intercept, weight = fit(positive, negative)
    assert 1 / (1 + np.exp(-intercept)) == pytest.approx(0.25, abs=1e-3)
    assert 1 / (1 + np.exp(-intercept - weight)) == pytest.approx(0.75, abs=1e-3)


def test_every_kind_of_negative_counts_alike_however_many_there_are() -> None:
    positive = np.array([[0.9, 0.9]] * 50 + [[0.8, 0.8]] * 50)
    near, far = np.array([[0.9, 0.1]] * 300), np.array([[0.1, 0.9]] * 10)
    _, first, second = fit(positive, near, far)
    assert first == pytest.approx(second, rel=0.2)


def test_a_feature_that_counts_against_the_evidence_is_left_out() -> None:
    random = np.random.default_rng(0)
    positive = random.normal([0.6, 0.4], 0.2, (100, 2))
    negative = random.normal([0.4, 0.6], 0.2, (100, 2))
    _, first, second = fit(positive, negative)
    assert first > 0
    assert second == 0


def test_the_threshold_tries_as_many_answerable_questions_as_is_asked() -> None:
    known = tuple(evidence(value, value) for value in spread(0.3, 0.9, 100))
    without = tuple(evidence(value, value / 2) for value in spread(0.1, 0.6, 100))
    unknown = tuple(evidence(value, 0.2) for value in spread(0.1, 0.5, 30))
    for kept in (1.0, 0.95, 0.9):
        held = fit_sample(Sample(known, without, unknown), "model", kept, {})
        tried = [held.probability(one) >= held.threshold for one in known]
        assert sum(tried) == round(kept * 100)
        assert held.provenance["tried"]["answerable"] == kept
        refused = [held.probability(one) < held.threshold for one in unknown]
        assert held.provenance["tried"]["unanswerable"] == round(1 - np.mean(refused), 4)
    for at in held.provenance["AUROC"].values():
        assert at["low"] <= at["value"] <= at["high"]


def test_too_few_questions_are_not_learnt_from() -> None:
    few = tuple(evidence(value, value) for value in spread(0.3, 0.9, 10))
    with pytest.raises(EvaluationFailed, match="too little to learn from"):
        fit_sample(Sample(few, few, few), "model", 0.99, {})
    enough = few * 2
    with pytest.raises(EvaluationFailed, match="too little to learn from"):
        fit_sample(Sample(enough, (None,) * 20, few), "model", 0.99, {})


def test_the_hash_of_a_dataset_changes_with_any_file_of_it(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    before = dataset_hash(tmp_path)
    (tmp_path / "SOURCE.md").write_text("It is ours.")
    assert dataset_hash(tmp_path) == before
    (tmp_path / "corpus" / "page-1.md").write_text("other")
    assert dataset_hash(tmp_path) != before


async def test_a_dataset_is_fitted_and_kept_in_the_home(tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    write_dataset(dataset)
    model = save_tiny_model(tmp_path / "tiny")
    settings = BotSettings(home=tmp_path / "home", embedder=str(model))
    fitted = await calibrate(EvaluationOptions(dataset), settings)
    kept = json.loads((settings.home / FILE).read_text())
    assert fitted.to_json() == {"file": str(settings.home / FILE), **kept}
    assert kept["questions"] == {"answerable": 24, "deleted": 24, "unanswerable": 2}
    assert kept["tried"]["answerable"] == 1.0
    assert "24 with their documents taken out" in fitted.render()
    own = load_calibration(settings.home, kept["embedder"])
    assert own.provenance["dataset"] == "dataset"
    assert is_sufficient(evidence(1.0, 1.0))


def write_dataset(folder: Path) -> None:
    (folder / "corpus").mkdir(parents=True)
    rows, judged = [], []
    for at in range(24):
        (folder / "corpus" / f"page-{at}.md").write_text(f"# Part X{at}\n\nPart X{at} is blue.")
        rows.append({"id": f"q{at}", "question": f"Is part X{at} blue?", "answerable": True})
        judged.append(f"q{at}\tpage-{at}\t1\n")
    for at in range(2):
        row = {"id": f"u{at}", "question": f"Quo vadis zeppelin {at}?", "answerable": False}
        rows.append(row)
    (folder / "queries.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "qrels.tsv").write_text("".join(judged))
