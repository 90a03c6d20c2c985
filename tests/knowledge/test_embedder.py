from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from knowledge.embedder import load_embedder
from knowledge.errors import EmbedderUnavailable
from knowledge.model_folder import ModelFolder
from knowledge.reranker import load_reranker
from knowledge.sentence_transformer import SentenceTransformerEmbedder, normalised
from tests.servers.tiny_model import DIMENSION, save_tiny_model

WORDS = ["[UNK]", "[PAD]", "reset", "password", "refund", "days", "the"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def test_the_packaged_model_is_found_by_its_names_too() -> None:
    names = (None, "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
    assert len({load_embedder(name).fingerprint for name in names}) == 1
    assert load_embedder(None).window == 256


def test_cutting_text_into_tokens_loads_no_engine() -> None:
    code = """
import sys
from knowledge.embedder import load_embedder
e = load_embedder(None)
print(e.fingerprint, e.window, e.dimension, len(e.token_offsets("one two three")))
assert not {"onnxruntime", "torch", "transformers", "sentence_transformers"} & set(sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[1:] == ["256", "384", "3"]


def test_a_local_folder_is_loaded(tiny: Path) -> None:
    embedder = load_embedder(str(tiny))
    vectors = embedder.embed_documents(["reset the password", "refund days"])
    assert vectors.shape == (2, DIMENSION)
    assert embedder.embed_query("reset password") @ vectors[0] > 0.5
    assert embedder.token_offsets("be at") == [(0, 2), (3, 5)]
    assert embedder.window == 512


def test_other_weights_or_another_window_give_another_fingerprint(
    tiny: Path, tmp_path: Path
) -> None:
    same, weights, window = (
        Path(shutil.copytree(tiny, tmp_path / name)) for name in ("same", "weights", "window")
    )
    (same / "notes.md").write_text("not part of the model")
    data = bytearray((weights / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (weights / "model.safetensors").write_bytes(data)
    (window / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 128}))
    prints = [load_embedder(str(path)).fingerprint for path in (tiny, same, weights, window)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


@pytest.mark.parametrize("name", ["no-such/model", "nonsense", "/no/such folder", "a/b/c", "…"])
def test_a_model_that_is_not_here_is_named_with_what_to_do(name: str) -> None:
    with pytest.raises(EmbedderUnavailable) as caught:
        load_embedder(name)
    assert "SUPPORTBOT_EMBEDDER" in str(caught.value)
    assert repr(name) in str(caught.value)
    assert "hf download" in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailable, match="holds no model"):
        load_embedder(str(tmp_path))


@pytest.mark.parametrize("file", ["model.safetensors", "modules.json"])
def test_a_damaged_model_is_a_clear_error(tiny: Path, tmp_path: Path, file: str) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    (folder / file).write_bytes((folder / file).read_bytes()[:40])
    with pytest.raises(EmbedderUnavailable):
        load_embedder(str(folder)).embed_query("reset")


def test_a_model_without_a_fast_tokenizer_is_a_clear_error(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(EmbedderUnavailable, match=r"tokenizer\.json"):
        load_embedder(str(folder)).token_offsets("reset")


def test_weights_other_than_the_pinned_ones_are_never_used(tiny: Path) -> None:
    embedder = SentenceTransformerEmbedder(ModelFolder(tiny, sha256="0" * 64))
    for _ in range(2):
        with pytest.raises(EmbedderUnavailable, match="not the pinned file"):
            embedder.embed_query("reset")


@pytest.mark.parametrize("weight", [math.nan, 0.0])
def test_a_model_that_gives_no_usable_vector_is_caught(
    tiny: Path, tmp_path: Path, weight: float
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    weights["embedding.weight"][:] = weight
    save_file(weights, folder / "model.safetensors")
    embedder = load_embedder(str(folder))
    with pytest.raises(ValueError, match="zero or not finite"):
        embedder.embed_documents(["refund", "reset"])
    with pytest.raises(ValueError, match="zero or not finite"):
        embedder.embed_query("reset")


@pytest.mark.parametrize(
    "vectors",
    [[[1.0, math.nan]], [[math.inf, 1.0]], [[0.0, 0.0]], [[1.0]], [1.0, 0.0], [[1.0, 0.0]] * 2],
)
def test_bad_vectors_are_refused(vectors: list[object]) -> None:
    with pytest.raises(ValueError):
        normalised(vectors, (1, 2))


def test_no_reranker_is_used_unless_one_is_named() -> None:
    assert load_reranker(None) is None
    with pytest.raises(EmbedderUnavailable, match="SUPPORTBOT_RERANKER"):
        load_reranker("no-such/reranker")


def test_a_cross_encoder_scores_each_text(tmp_path: Path) -> None:
    folder = tiny_cross_encoder(tmp_path / "cross")
    reranker = load_reranker(str(folder))
    assert reranker is not None
    scores = reranker.score("reset", ["reset the password", "refund days"])
    assert len(scores) == 2
    assert all(isinstance(score, float) for score in scores)
    assert reranker.score("reset", []) == []


def tiny_cross_encoder(folder: Path) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(WORDS), intermediate_size=8, num_labels=1, **shape)
    BertForSequenceClassification(config).save_pretrained(folder)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", model_max_length=64
    )
    fast.save_pretrained(folder)
    return folder
