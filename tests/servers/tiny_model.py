"""A real sentence-transformers model, small enough to be made in a test and loaded in no time.

A text's vector is the mean of fixed random vectors of its two-letter pieces: alike texts are near.
"""

from __future__ import annotations

import json
import string
from itertools import product
from pathlib import Path

import numpy as np

DIMENSION = 32


def save_tiny_model(folder: Path) -> Path:
    """Write the model into a new folder and return it; give it as SUPPORTBOT_EMBEDDER."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    signs = [sign for sign in string.printable if not sign.isspace() and not sign.isupper()]
    pairs = ["".join(pair) for pair in product(string.ascii_lowercase + string.digits, repeat=2)]
    pieces = ["[UNK]", *signs, *pairs, *(f"##{piece}" for piece in signs + pairs)]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    weights = np.random.default_rng(0).normal(size=(len(pieces), DIMENSION)).astype(np.float32)
    save_file({"embedding.weight": weights}, folder / "model.safetensors")
    kind = "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": "", "type": kind}]
    (folder / "modules.json").write_text(json.dumps(modules))
    settings = {"model_type": "SentenceTransformer", "similarity_fn_name": "cosine"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return folder
