"""A BERT model with mean pooling, run by ONNX Runtime from its own safetensors. No torch.

The only importer of onnxruntime.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.bert_graph import INPUT, Architecture, bert_graph
from knowledge.errors import EmbedderUnavailable
from knowledge.model_folder import ModelFolder
from knowledge.sentence_transformer import normalised

Vector = NDArray[np.float32]

_IN_GRAPH = ("embeddings.LayerNorm.", "encoder.")  # of weights; words and places are looked up here


class OnnxEmbedder:
    """The model in a local folder; its weights are checked before the first use.

    Documents go one by one and unpadded through as many calls at once as there are processors, each
    with one thread, in the order in which they came. A question never queues behind them.
    """

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._loading = threading.Lock()
        self._encoder: _Encoder | None = None
        self._pool = ThreadPoolExecutor(_processors(), "embedding")

    @property
    def fingerprint(self) -> str:
        """Return what identifies weights and window."""
        return self._folder.fingerprint

    @property
    def window(self) -> int:
        """Return the longest input in tokens, special tokens included."""
        return self._folder.window

    @cached_property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return _architecture(self._folder).width

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of all tokens of a text, special tokens left out."""
        return self._folder.token_offsets(text)

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        """Return one vector of length 1 a text: shape (texts, dimension)."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        vectors = list(self._pool.map(self._loaded().encode, texts))
        return normalised(vectors, (len(texts), self.dimension))

    def embed_query(self, text: str) -> Vector:
        """Return the vector of length 1 of a question: shape (dimension,). Thread-safe."""
        return normalised(self._loaded().encode(text), (self.dimension,))

    def _loaded(self) -> _Encoder:
        with self._loading:
            if self._encoder is None:
                self._folder.check_weights()
                self._encoder = _Encoder(self._folder)
            return self._encoder


class _Encoder:
    """One text to the mean of its tokens' last hidden states. Thread-safe."""

    def __init__(self, folder: ModelFolder) -> None:
        weights = _read_weights(folder.weights)
        self._session = _session(_architecture(folder), weights)
        self._tokenizer = folder.tokenizer
        self._window = folder.window
        # It stays in its file: of 47 MB of words, a knowledge base uses a few.
        self._words = weights["embeddings.word_embeddings.weight"]
        first_kind = weights["embeddings.token_type_embeddings.weight"][0]
        self._places = weights["embeddings.position_embeddings.weight"] + first_kind

    def encode(self, text: str) -> Vector:
        """Return the vector of a text; what is longer than the window is cut off."""
        tokens = self._tokenizer.encode(text).ids
        if len(tokens) > self._window:
            tokens = [*tokens[: self._window - 1], tokens[-1]]
        embedded = self._words[tokens] + self._places[: len(tokens)]
        [states] = self._session.run(None, {INPUT: embedded})
        return np.asarray(states.mean(axis=0), dtype=np.float32)


def _processors() -> int:
    """Return how many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _architecture(folder: ModelFolder) -> Architecture:
    settings = folder.settings("config.json")
    try:
        return Architecture(
            layers=settings["num_hidden_layers"],
            heads=settings["num_attention_heads"],
            width=settings["hidden_size"],
            epsilon=settings["layer_norm_eps"],
        )
    except KeyError as error:
        raise EmbedderUnavailable(
            f"{folder.path}: config.json lacks {error}; fetch the model again"
        ) from error


def _read_weights(path: Path) -> dict[str, Vector]:
    """Return the weights by name, each as a map of its place in the file.

    The format is that of https://github.com/huggingface/safetensors.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header: Mapping[str, Any] = json.loads(file.read(size))
    return {
        name: np.memmap(path, "<f4", "r", 8 + size + about["data_offsets"][0], (*about["shape"],))
        for name, about in header.items()
        if about.get("dtype") == "F32"
    }


def _session(architecture: Architecture, weights: Mapping[str, Vector]) -> Any:
    """Return the session that runs the model.

    Raises:
        EmbedderUnavailable: this ONNX Runtime cannot run it.
    """
    try:
        from onnxruntime import GraphOptimizationLevel, InferenceSession, OrtValue, SessionOptions
        from onnxruntime.capi import onnxruntime_pybind11_state as errors
    except ImportError as error:
        raise EmbedderUnavailable(f"ONNX Runtime cannot be loaded ({error})") from error
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False  # it plans for one length, and every text has its own
    # The graph is made of the fastest operators already; to fuse more of them slows it down.
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    used = {name: values for name, values in weights.items() if name.startswith(_IN_GRAPH)}
    options.add_external_initializers(  # which copies them
        list(used), [OrtValue.ortvalue_from_numpy(values) for values in used.values()]
    )
    graph = bert_graph(architecture, {name: values.shape for name, values in used.items()})
    try:
        return InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except (errors.Fail, errors.InvalidGraph, errors.NotImplemented, errors.RuntimeException) as e:
        raise EmbedderUnavailable(f"ONNX Runtime cannot run the model ({e})") from e
