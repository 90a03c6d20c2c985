"""What every Embedder keeps, on the in-memory one and on real models."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from knowledge.embedder import Embedder, load_embedder
from tests.fakes import HashEmbedder
from tests.servers.tiny_model import save_tiny_model

TEXTS = ["Reset your password.", "日本語 text, E-4012", "a " * 3_000, "x" * 5_000, "🎉", "e\u0301"]


@pytest.fixture(scope="module")
def packaged() -> Embedder:
    return load_embedder(None)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return load_embedder(str(save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")))


@pytest.fixture(params=["hash", "tiny", "packaged"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return HashEmbedder() if request.param == "hash" else request.getfixturevalue(request.param)


def test_documents_become_one_vector_of_length_one_each(embedder: Embedder) -> None:
    vectors = embedder.embed_documents(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_no_documents_become_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_documents([]).shape == (0, embedder.dimension)


def test_a_query_becomes_one_vector_of_length_one(embedder: Embedder) -> None:
    vector = embedder.embed_query("How do I reset it?")
    assert vector.shape == (embedder.dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_a_query_is_nearest_to_the_text_that_speaks_of_it(embedder: Embedder) -> None:
    texts = ["Refunds take five days.", "How to reset a password.", "Our office is in Oslo."]
    scores = embedder.embed_documents(texts) @ embedder.embed_query("reset a password")
    assert int(np.argmax(scores)) == 1


def test_order_and_neighbours_do_not_change_a_vector(embedder: Embedder) -> None:
    alone = embedder.embed_documents([TEXTS[0]])[0]
    among = embedder.embed_documents([*reversed(TEXTS)])[-1]
    assert among == pytest.approx(alone, abs=1e-4)


def test_many_threads_may_embed_queries(embedder: Embedder) -> None:
    queries = [f"question number {n} " * (1 + n % 40) for n in range(60)]
    alone = [embedder.embed_query(query) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(embedder.embed_query, queries))
    assert np.array(together) == pytest.approx(np.array(alone), abs=1e-4)


def test_token_spans_cover_the_text_in_order_and_are_never_cut(embedder: Embedder) -> None:
    text = "Reset  your password:\n\n- E-4012 " * 500
    spans = embedder.token_offsets(text)
    assert len(spans) > embedder.window
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    covered = {place for start, end in spans for place in range(start, end)}
    assert all(text[n].isspace() for n in range(len(text)) if n not in covered)


def test_an_empty_text_has_no_tokens(embedder: Embedder) -> None:
    assert embedder.token_offsets("") == []


def test_the_fingerprint_is_the_same_every_time(embedder: Embedder) -> None:
    assert embedder.fingerprint
    assert embedder.fingerprint == embedder.fingerprint
