"""BERT's encoder as an ONNX graph, written byte by byte: its weights stay in their own file.

The operators beside ONNX's own are ONNX Runtime's fused ones
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md). The field numbers are
those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, in protobuf's wire format
(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

INPUT = "embedded"

_FUSED = "com.microsoft"
_IR_VERSION = 8
_OPSETS = {"": 18, _FUSED: 1}
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType
_A_FLOAT, _AN_INT = 1, 2  # AttributeProto.AttributeType
_EXTERNAL = 1  # TensorProto.DataLocation

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Architecture:
    """How large the encoder is."""

    layers: int
    heads: int
    width: int
    epsilon: float


def bert_graph(architecture: Architecture, weights: Mapping[str, Shape]) -> bytes:
    """Return the graph from the sum of a text's embeddings to its tokens' last hidden states.

    Input and output have the shape (tokens, width): one text at a time, so that nothing is padded.

    Args:
        architecture: that of the weights.
        weights: the shapes of the encoder's weights by their names in Hugging Face's BERT. They are
            the graph's initializers, whose values the session is given.
    """
    graph = _Graph(weights)
    graph.constant("rows", (-1, architecture.width))
    graph.constant("batch of one", (1, -1, architecture.width))
    state = graph.norm("embeddings.LayerNorm", architecture.epsilon, INPUT)
    for layer in range(architecture.layers):
        state = _layer(graph, architecture, f"encoder.layer.{layer}.", state)
    return graph.model(_value(INPUT, architecture.width), _value(state, architecture.width))


def _layer(graph: _Graph, architecture: Architecture, name: str, state: str) -> str:
    epsilon = architecture.epsilon
    projected = [
        graph.add("Reshape", graph.linear(f"{name}attention.self.{part}", state), "batch of one")
        for part in ("query", "key", "value")
    ]
    heads = architecture.heads
    mixed = graph.add("MultiHeadAttention", *projected, domain=_FUSED, num_heads=heads)
    attended = graph.linear(f"{name}attention.output.dense", graph.add("Reshape", mixed, "rows"))
    state = graph.norm(f"{name}attention.output.LayerNorm", epsilon, attended, state)
    wide = graph.add("Gelu", graph.linear(f"{name}intermediate.dense", state), domain=_FUSED)
    narrow = graph.linear(f"{name}output.dense", wide)
    return graph.norm(f"{name}output.LayerNorm", epsilon, narrow, state)


@dataclass(slots=True)
class _Graph:
    """Nodes, each with one output, and the weights that they use."""

    weights: Mapping[str, Shape]
    nodes: list[bytes] = field(default_factory=list)
    tensors: list[bytes] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: float) -> str:
        """Add a node and return the name of its output."""
        output = f"{operator} {len(self.nodes)}"
        names = [*(_field(1, name) for name in inputs), _field(2, output), _field(4, operator)]
        given = [_field(5, _attribute(*one)) for one in attributes.items()]
        self.nodes.append(_message(*names, *given, _field(7, domain)))
        return output

    def linear(self, name: str, state: str) -> str:
        """Add a linear layer."""
        return self.add("Gemm", state, *self._own(name), transB=1)

    def norm(self, name: str, epsilon: float, state: str, beside: str | None = None) -> str:
        """Add a layer normalisation, of the sum of two states where two are given."""
        if beside is not None:  # `SkipLayerNormalization` of both takes four times as long
            state = self.add("Add", state, beside)
        return self.add("LayerNormalization", state, *self._own(name), epsilon=epsilon)

    def constant(self, name: str, values: Sequence[int]) -> None:
        """Add a list of numbers."""
        data = struct.pack(f"<{len(values)}q", *values)
        self.tensors.append(
            _message(_field(1, len(values)), _field(2, _INT64), _field(8, name), _field(9, data))
        )

    def model(self, graph_input: bytes, graph_output: bytes) -> bytes:
        """Return the file of the model."""
        graph = _message(
            *(_field(1, node) for node in self.nodes),
            _field(2, "bert"),
            *(_field(5, tensor) for tensor in self.tensors),
            _field(11, graph_input),
            _field(12, graph_output),
        )
        opsets = (
            _field(8, _message(_field(1, domain), _field(2, version)))
            for domain, version in _OPSETS.items()
        )
        return _message(_field(1, _IR_VERSION), _field(7, graph), *opsets)

    def _own(self, name: str) -> tuple[str, str]:
        names = (f"{name}.weight", f"{name}.bias")
        self.tensors += [_external(one, self.weights[one]) for one in names]
        return names


def _external(name: str, shape: Shape) -> bytes:
    # A place has to be named, and is never looked at: the session is given the values.
    place = _message(_field(1, "location"), _field(2, "given"))
    return _message(
        *(_field(1, size) for size in shape),
        *(_field(2, _FLOAT), _field(8, name), _field(13, place), _field(14, _EXTERNAL)),
    )


def _value(name: str, width: int) -> bytes:
    sizes = (_field(2, "tokens"), _field(1, width))
    shape = _message(*(_field(1, size) for size in sizes))
    tensor = _message(_field(1, _FLOAT), _field(2, shape))
    return _message(_field(1, name), _field(2, _field(1, tensor)))


def _attribute(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _message(_field(1, name), _field(3, value), _field(20, _AN_INT))
    return _message(_field(1, name), _field(2, value), _field(20, _A_FLOAT))


def _message(*fields: bytes) -> bytes:
    return b"".join(fields)


def _field(number: int, value: float | str | bytes) -> bytes:
    """Return a field of a message: whole numbers as varints, text and messages with their size."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first, each but the last marked."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
