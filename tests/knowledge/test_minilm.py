from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge.embedder import Embedder, load_embedder
from knowledge.errors import EmbedderUnavailable
from knowledge.minilm import CheckedEmbedder, Reference, packaged_folder, read_reference
from knowledge.model_folder import ModelFolder
from knowledge.onnx import OnnxEmbedder
from knowledge.sentence_transformer import SentenceTransformerEmbedder
from tests.fakes import HashEmbedder

TEXTS = [
    "How do I reset my password?",
    "",
    "Refunds › After 14 days\n\n| plan | price |\n|---|---|\n| Pro | 12,50 € |",
    "日本語のテキスト, E-4012 and HTTP 503, naïve 🎉 e\u0301 \u200b\u00ad",
    "```sh\nsupportbot-ingest sync docs/ --base-url https://help.example.com\n```",
    "x" * 5_000,
    *(" ".join(f"word{n}" for n in range(length)) for length in (1, 63, 120, 126, 127, 128, 900)),
]


@pytest.fixture(scope="module")
def fast() -> OnnxEmbedder:
    return OnnxEmbedder(ModelFolder(packaged_folder()))


@pytest.fixture(scope="module")
def sure() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(ModelFolder(packaged_folder()))


def test_the_vectors_are_those_of_sentence_transformers(fast: Embedder, sure: Embedder) -> None:
    cosines = np.sum(fast.embed_documents(TEXTS) * sure.embed_documents(TEXTS), axis=1)
    assert cosines.min() >= 0.99999
    query = TEXTS[0]
    assert fast.embed_query(query) @ sure.embed_query(query) >= 0.99999


def test_the_reference_is_what_sentence_transformers_gives(sure: Embedder) -> None:
    reference = read_reference()
    cosines = np.sum(sure.embed_documents(reference.texts) * reference.vectors, axis=1)
    assert cosines.min() >= 0.999999


def test_what_stands_beyond_the_window_changes_nothing(fast: Embedder) -> None:
    long = "password " * fast.window
    assert np.array_equal(fast.embed_query(long), fast.embed_query(long + "refund " * 100))


def test_a_vector_does_not_depend_on_what_is_embedded_with_it(fast: Embedder) -> None:
    together = fast.embed_documents(TEXTS)
    assert np.array_equal(together, np.stack([fast.embed_query(text) for text in TEXTS]))


def test_a_question_does_not_wait_for_the_documents_before_it(fast: Embedder) -> None:
    fast.embed_query("warm up")
    documents = threading.Thread(target=fast.embed_documents, args=(["password " * 250] * 40,))
    documents.start()
    time.sleep(0.1)
    for _ in range(3):
        fast.embed_query("How do I reset my password?")
    assert documents.is_alive()
    documents.join()


def test_both_engines_have_one_fingerprint(fast: Embedder, sure: Embedder) -> None:
    packaged = load_embedder(None)
    assert packaged.window == fast.window == sure.window
    pinned = "sha256:53aa51172d142c89d9012cce15ae4d6c/256"  # of every release that was ever built
    assert packaged.fingerprint == pinned


def test_weights_other_than_the_pinned_ones_are_never_used(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(packaged_folder(), tmp_path / "model"))
    (folder / "model.safetensors").write_bytes(b"other weights")
    pinned = ModelFolder(folder, sha256="0" * 64)
    fast, sure = OnnxEmbedder(pinned), SentenceTransformerEmbedder(pinned)
    for embedder in (fast, CheckedEmbedder(fast, sure, read_reference())):
        for _ in range(2):
            with pytest.raises(EmbedderUnavailable, match="not the pinned file"):
                embedder.embed_query("reset")


class Broken(HashEmbedder):
    """Gives other vectors than it should, or none at all."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self._error = error

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._error:
            raise self._error
        return super().embed_documents([text[::-1] for text in texts])


REFERENCE = Reference(["reset a password"], HashEmbedder().embed_documents(["reset a password"]))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "not those of the model"),
        (EmbedderUnavailable("no such operator"), "no such operator"),
        (ValueError("a vector is zero"), "a vector is zero"),
    ],
)
def test_an_engine_that_fails_its_check_is_replaced_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture, error: Exception | None, reason: str
) -> None:
    embedder = CheckedEmbedder(Broken(error), HashEmbedder(), REFERENCE)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert np.array_equal(embedder.embed_documents(REFERENCE.texts), REFERENCE.vectors)
            assert np.array_equal(embedder.embed_query(REFERENCE.texts[0]), REFERENCE.vectors[0])
    [line] = [record.getMessage() for record in caplog.records]
    assert reason in line
    assert "sentence-transformers" in line


def test_an_engine_that_passes_its_check_is_used(caplog: pytest.LogCaptureFixture) -> None:
    fast, sure = HashEmbedder(), HashEmbedder()
    embedder = CheckedEmbedder(fast, sure, REFERENCE)
    embedder.embed_query("refund")
    assert not caplog.records
    assert fast.embedded
    assert not sure.embedded
