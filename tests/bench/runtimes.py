"""What runs the packaged model on a processor: how fast, how exact, and what the search loses.

`make bench-runtimes` runs it in the environment of `requirements.txt`. The vectors of the same
passages are compared with those of torch in fp32: by the least cosine, and by the nDCG@10 of the
vectors alone on questions about the pages. Times are processor seconds of all threads.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.chunker import cut
from ingest.describing import describe
from ingest.parsers import parse
from ingest.sources.base import RawDocument
from knowledge.bert_graph import INPUT, bert_graph
from knowledge.embedder import Embedder
from knowledge.minilm import packaged_folder, packaged_minilm
from knowledge.model_folder import ModelFolder
from knowledge.onnx import OnnxEmbedder, _architecture, _read_weights
from knowledge.sentence_transformer import SentenceTransformerEmbedder

DATASET = Path(__file__).parents[1] / "data" / "mtrag-govt"
BATCH = 32

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=462, metavar="N")
    pages = sorted((DATASET / "corpus").glob("*.md"))[: parser.parse_args().pages]
    embedder = packaged_minilm()
    passages = [(page.stem, text) for page in pages for text in passages_of(page, embedder)]
    owners, texts = zip(*passages, strict=True)
    labels = read_labels({*owners})
    print(f"\n{len(texts)} passages of {len(pages)} pages, {len(labels)} questions\n")
    print("| runtime | CPU seconds | to torch's | least cosine | nDCG@10 |")
    print("| --- | --- | --- | --- | --- |")
    first: tuple[float, Vectors] | None = None
    for name, load in RUNTIMES.items():
        encode = load()
        encode(["warm up"])
        began = time.process_time()
        vectors = encode(texts)
        seconds = time.process_time() - began
        first = first or (seconds, vectors)
        least = float(np.min(np.sum(first[1] * vectors, axis=1)))
        gain = ndcg(encode, vectors, owners, labels)
        cells = f"{seconds:.1f} | {seconds / first[0]:.2f} | {least:.6f} | {gain:.4f}"
        print(f"| {name} | {cells} |", flush=True)


def torch_fp32() -> Encode:
    """Return the reference: sentence-transformers."""
    return SentenceTransformerEmbedder(ModelFolder(packaged_folder())).embed_documents


def torch_bf16() -> Encode:
    """Return sentence-transformers with weights and arithmetic in bfloat16."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(packaged_folder()), device="cpu", model_kwargs={"dtype": torch.bfloat16}
    )
    return lambda texts: unit(
        model.encode(list(texts), batch_size=BATCH, convert_to_tensor=True).float().numpy()
    )


def onnx_fp32() -> Encode:
    """Return what the bot runs."""
    return OnnxEmbedder(ModelFolder(packaged_folder())).embed_documents


def onnx_int8() -> Encode:
    """Return the bot's graph with weights in int8, a scale a channel, quantised as it runs."""
    import onnx
    from onnxruntime import InferenceSession, SessionOptions
    from onnxruntime.quantization import quantize_dynamic

    folder = ModelFolder(packaged_folder())
    weights = _read_weights(folder.weights)
    shapes = {name: values.shape for name, values in weights.items() if "encoder." in name}
    norm = "embeddings.LayerNorm."
    shapes |= {name: values.shape for name, values in weights.items() if name.startswith(norm)}
    graph = onnx.load_from_string(bert_graph(_architecture(folder), shapes))
    for tensor in graph.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(
                onnx.numpy_helper.from_array(np.array(weights[tensor.name]), tensor.name)
            )
    options = SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as place:
        plain, small = Path(place, "fp32.onnx"), Path(place, "int8.onnx")
        onnx.save(graph, str(plain))
        kind = {"DefaultTensorType": onnx.TensorProto.FLOAT}
        quantize_dynamic(plain, small, per_channel=True, extra_options=kind)
        session = InferenceSession(str(small), options, providers=["CPUExecutionProvider"])
    words = weights["embeddings.word_embeddings.weight"]
    kind = weights["embeddings.token_type_embeddings.weight"][0]
    places = weights["embeddings.position_embeddings.weight"] + kind

    def encode(text: str) -> Vectors:
        tokens = folder.tokenizer.encode(text).ids[: folder.window]
        [states] = session.run(None, {INPUT: words[tokens] + places[: len(tokens)]})
        return np.asarray(states.mean(axis=0))

    return lambda texts: unit(np.stack([encode(text) for text in texts]))


def openvino_bf16() -> Encode:
    """Return OpenVINO, which computes in bfloat16 where the processor can."""
    return _openvino("bf16")


def openvino_fp32() -> Encode:
    """Return OpenVINO, exact."""
    return _openvino("f32")


def _openvino(precision: str) -> Encode:
    import openvino
    import torch
    from transformers import AutoModel

    folder = ModelFolder(packaged_folder())
    bert = AutoModel.from_pretrained(str(folder.path), attn_implementation="eager").eval()
    example = {name: torch.ones((1, 8), dtype=torch.int64) for name in ("input_ids",)}
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1}
    model = openvino.convert_model(bert, example_input=example)
    model.reshape([1, -1])
    compiled = openvino.compile_model(model, "CPU", settings)

    def encode(text: str) -> Vectors:
        tokens = folder.tokenizer.encode(text).ids[: folder.window]
        return np.asarray(compiled([np.array([tokens])])[0][0].mean(axis=0))

    return lambda texts: unit(np.stack([encode(text) for text in texts]))


RUNTIMES: Mapping[str, Callable[[], Encode]] = {
    "torch fp32": torch_fp32,
    "torch bf16": torch_bf16,
    "ONNX Runtime fp32": onnx_fp32,
    "ONNX Runtime int8": onnx_int8,
    "OpenVINO fp32": openvino_fp32,
    "OpenVINO bf16": openvino_bf16,
}


def unit(vectors: Vectors) -> Vectors:
    """Return the vectors with length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def passages_of(page: Path, embedder: Embedder) -> Iterator[str]:
    """Yield what the bot embeds of a page."""
    raw = RawDocument(page.stem, "pages", page.suffix, page.read_bytes())
    parsed = parse(raw)
    for chunk in cut(describe(raw, parsed, ""), parsed.text, embedder, parsed.anchors):
        yield chunk.indexed_text


def read_labels(pages: set[str]) -> dict[str, dict[str, int]]:
    """Return the labels of the questions that stand alone and whose pages are all there."""
    rows = map(json.loads, (DATASET / "queries.jsonl").read_text("utf-8").splitlines())
    alone = {row["id"]: row["question"] for row in rows if row["standalone"]}
    labels: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (DATASET / "qrels.tsv").read_text("utf-8").splitlines():
        query, page, relevance = line.split("\t")
        if query in alone:
            labels[alone[query]][page] = int(relevance)
    return {question: held for question, held in labels.items() if pages.issuperset(held)}


def ndcg(
    encode: Encode, vectors: Vectors, owners: Sequence[str], labels: Mapping[str, dict[str, int]]
) -> float:
    """Return the mean nDCG@10 of the pages, each by its best passage (Järvelin 2002)."""
    gains = []
    for question, held in labels.items():
        order = np.argsort(-(vectors @ encode([question])[0]), kind="stable")
        pages = list(dict.fromkeys(owners[at] for at in order))[:10]
        ideal = sorted(held.values(), reverse=True)[:10]
        gains.append(dcg([held.get(page, 0) for page in pages]) / dcg(ideal))
    return sum(gains) / len(gains) if gains else math.nan


def dcg(relevances: Sequence[int]) -> float:
    """Return the discounted cumulated gain."""
    return sum(relevance / math.log2(at) for at, relevance in enumerate(relevances, 2))


if __name__ == "__main__":
    main()
