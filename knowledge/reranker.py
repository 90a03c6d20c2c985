"""A second, closer look at the best passages: the Reranker seam and its cross-encoder form."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from knowledge.errors import EmbedderUnavailable
from knowledge.model_folder import find_model

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class Reranker(Protocol):
    """Judges question and passage together."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return how well each text answers the query; higher is better. Thread-safe."""
        ...


def load_reranker(name: str | None) -> Reranker | None:
    """Return the cross-encoder of a local folder or of a model name; None gives none.

    Raises:
        EmbedderUnavailable: the model is not on this machine; the message says what to do.
    """
    return None if name is None else CrossEncoderReranker(find_model(name, "SUPPORTBOT_RERANKER"))


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder in a local folder, loaded when first used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loading = threading.Lock()
        self._model: CrossEncoder | None = None

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return the model's scores of the texts; higher is better."""
        if not texts:
            return []
        pairs = [(query, text) for text in texts]
        return [float(score) for score in self._loaded().predict(pairs, show_progress_bar=False)]

    def _loaded(self) -> CrossEncoder:
        with self._loading:
            if self._model is None:
                self._model = _load_model(self._folder)
            return self._model


def _load_model(folder: Path) -> CrossEncoder:
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model: CrossEncoder = CrossEncoder(str(folder), device="cpu", local_files_only=True)
        # The first call sets the tokenizer's padding; later ones only read it, from any thread.
        model.predict([("warm", "up")], show_progress_bar=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EmbedderUnavailable(
            f"the reranker in {folder} cannot be loaded ({type(error).__name__}: {error});"
            " give SUPPORTBOT_RERANKER the folder of a whole cross-encoder, or unset it"
        ) from error
    return model
