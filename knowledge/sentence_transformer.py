"""Any sentence-transformers model as an Embedder. torch is imported when the first text comes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmbedderUnavailable
from knowledge.model_folder import ModelFolder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 32
_MAX_THREADS = 8  # small encoders gain nothing beyond, and lose where a container has fewer cores


class SentenceTransformerEmbedder:
    """The model in a local folder, run by torch; its weights are checked before the first use."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._loading = threading.Lock()
        self._model: SentenceTransformer | None = None

    @property
    def fingerprint(self) -> str:
        """Return what identifies weights and window."""
        return self._folder.fingerprint

    @property
    def window(self) -> int:
        """Return the longest input in tokens, special tokens included."""
        return self._folder.window

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return int(self._loaded().get_embedding_dimension() or 0)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of all tokens of a text, special tokens left out."""
        return self._folder.token_offsets(text)

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 a text: shape (texts, dimension)."""
        model = self._loaded()
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        vectors = model.encode_document(list(texts), batch_size=_BATCH, show_progress_bar=False)
        return normalised(vectors, (len(texts), self.dimension))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of length 1 of a question: shape (dimension,). Thread-safe."""
        vector = self._loaded().encode_query(text, show_progress_bar=False)
        return normalised(vector, (self.dimension,))

    def _loaded(self) -> SentenceTransformer:
        with self._loading:
            if self._model is None:
                self._folder.check_weights()
                self._model = _load_model(self._folder.path)
            return self._model


def normalised(vectors: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the vectors scaled to length 1.

    Raises:
        ValueError: their shape is another one, or one of them is zero or not finite.
    """
    array = np.asarray(vectors, dtype=np.float32)
    if array.shape != shape:
        raise ValueError(f"the embedding model gave vectors of shape {array.shape}, not {shape}")
    lengths = np.linalg.norm(array, axis=-1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
        raise ValueError("the embedding model gave a vector that is zero or not finite")
    return np.asarray(array / lengths, dtype=np.float32)


def _load_model(folder: Path) -> SentenceTransformer:
    try:
        import torch
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError as error:
        raise EmbedderUnavailable(
            f"the embedding model needs {error.name}: reinstall supportbot"
        ) from error
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(min(torch.get_num_threads(), _MAX_THREADS))
    try:
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        # The first call sets the tokenizer's padding; later ones only read it, from any thread.
        model.encode_query("warm up", show_progress_bar=False)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise EmbedderUnavailable(
            f"the embedding model in {folder} cannot be loaded ({type(error).__name__}: {error});"
            " give SUPPORTBOT_EMBEDDER the folder of a whole sentence-transformers model"
        ) from error
    return model
