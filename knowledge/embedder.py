"""Text to vectors: the Embedder seam, and which form of it a setting names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.minilm import NAME, packaged_minilm
from knowledge.model_folder import ModelFolder, find_model
from knowledge.sentence_transformer import SentenceTransformerEmbedder


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine similarity."""

    @property
    def fingerprint(self) -> str:
        """Return what identifies weights and window; loads no model."""
        ...

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        ...

    @property
    def window(self) -> int:
        """Return the longest input in tokens, special tokens included."""
        ...

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of all tokens of a text, special tokens left out."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 a text: shape (texts, dimension).

        Raises:
            ValueError: the model gave a vector that is not finite, zero or of the wrong length.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of length 1 of a question: shape (dimension,). Thread-safe.

        Raises:
            ValueError: as `embed_documents`.
        """
        ...


def load_embedder(name: str | None) -> Embedder:
    """Return the embedder of a local folder or of a model name; None is the packaged MiniLM.

    Raises:
        EmbedderUnavailable: the model is not on this machine; the message says what to do.
    """
    if name is None or name.removeprefix("sentence-transformers/") == NAME:
        return packaged_minilm()
    return SentenceTransformerEmbedder(ModelFolder(find_model(name, "SUPPORTBOT_EMBEDDER")))
