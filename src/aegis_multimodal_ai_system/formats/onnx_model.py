"""An ONNX model: a ModelProto and nothing else, and where its tensors lie outside of it.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (fields up to ONNX 1.23) and docs/ExternalData.md. The paths of
external data were the way out of a model's folder in CVE-2022-25882, CVE-2024-5187 and CVE-2024-27318: they may only
name another file of the same model.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

from aegis_multimodal_ai_system.formats.reader import Malformed, Reader, RunsCode
from aegis_multimodal_ai_system.formats.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Kept,
    Rule,
    walk,
)

MAX_SIZE = (2 << 30) - 1
"""Bytes of a message that Google's parsers take; larger models keep their tensors outside."""
IR_VERSIONS = range(1, 1 << 16)
CODE = frozenset({"EPContext", "PythonOp", "PythonOpGrad", "PyOp"})
"""Operators that hold compiled code for an accelerator, or name Python to be called (ONNX Runtime)."""

_INT, _INTS = Rule((VARINT,)), Rule((VARINT, BYTES), many=True)
_KEPT_INT, _KEPT_INTS = Rule((VARINT,), keep=True), Rule((VARINT, BYTES), many=True, keep=True)
_TEXT, _TEXTS, _KEPT_TEXT = Rule((BYTES,)), Rule((BYTES,), many=True), Rule((BYTES,), keep=True)
_FLOAT, _FLOATS = Rule((FIXED32,)), Rule((FIXED32, BYTES), many=True)
_DOUBLES = Rule((FIXED64, BYTES), many=True)


def _one(message: str) -> Rule:
    return Rule((BYTES,), message=message)


def _all(message: str) -> Rule:
    return Rule((BYTES,), many=True, message=message)


_DIMS, _TYPE, _EXTERNAL, _LOCATION = 1, 2, 13, 14
"""Fields of TensorProto."""
_OPERATOR = 4
"""A field of NodeProto."""
SCHEMA = {
    "ModelProto": {
        1: _KEPT_INT, 2: _TEXT, 3: _TEXT, 4: _TEXT, 5: _INT, 6: _TEXT, 7: _one("GraphProto"),
        8: _all("OperatorSetIdProto"), 14: _all("StringStringEntryProto"), 20: _all("TrainingInfoProto"),
        25: _all("FunctionProto"), 26: _all("DeviceConfigurationProto"),
    },
    "GraphProto": {
        1: _all("NodeProto"), 2: _TEXT, 5: _all("TensorProto"), 10: _TEXT, 11: _all("ValueInfoProto"),
        12: _all("ValueInfoProto"), 13: _all("ValueInfoProto"), 14: _all("TensorAnnotation"),
        15: _all("SparseTensorProto"), 16: _all("StringStringEntryProto"),
    },
    "NodeProto": {
        1: _TEXTS, 2: _TEXTS, 3: _TEXT, _OPERATOR: _KEPT_TEXT, 5: _all("AttributeProto"), 6: _TEXT, 7: _TEXT, 8: _TEXT,
        9: _all("StringStringEntryProto"), 10: _all("NodeDeviceConfigurationProto"),
    },
    "AttributeProto": {
        1: _TEXT, 2: _FLOAT, 3: _INT, 4: _TEXT, 5: _one("TensorProto"), 6: _one("GraphProto"), 7: _FLOATS, 8: _INTS,
        9: _TEXTS, 10: _all("TensorProto"), 11: _all("GraphProto"), 13: _TEXT, 14: _one("TypeProto"),
        15: _all("TypeProto"), 20: _INT, 21: _TEXT, 22: _one("SparseTensorProto"), 23: _all("SparseTensorProto"),
    },
    "TensorProto": {
        _DIMS: _KEPT_INTS, _TYPE: _KEPT_INT, 3: _one("Segment"), 4: _FLOATS, 5: _INTS, 6: _TEXTS, 7: _INTS, 8: _TEXT,
        9: _TEXT, 10: _DOUBLES, 11: _INTS, 12: _TEXT, _EXTERNAL: _all("ExternalEntry"), _LOCATION: _KEPT_INT,
        16: _all("StringStringEntryProto"),
    },
    "FunctionProto": {
        1: _TEXT, 4: _TEXTS, 5: _TEXTS, 6: _TEXTS, 7: _all("NodeProto"), 8: _TEXT, 9: _all("OperatorSetIdProto"),
        10: _TEXT, 11: _all("AttributeProto"), 12: _all("ValueInfoProto"), 13: _TEXT,
        14: _all("StringStringEntryProto"),
    },
    "TypeProto": {
        1: _one("TensorTypeProto"), 4: _one("ElementTypeProto"), 5: _one("MapTypeProto"), 6: _TEXT,
        7: _one("OpaqueTypeProto"), 8: _one("TensorTypeProto"), 9: _one("ElementTypeProto"),
    },
    "TensorTypeProto": {1: _INT, 2: _one("TensorShapeProto")},
    "ElementTypeProto": {1: _one("TypeProto")},
    "MapTypeProto": {1: _INT, 2: _one("TypeProto")},
    "OpaqueTypeProto": {1: _TEXT, 2: _TEXT},
    "TensorShapeProto": {1: _all("Dimension")},
    "Dimension": {1: _INT, 2: _TEXT, 3: _TEXT},
    "ValueInfoProto": {1: _TEXT, 2: _one("TypeProto"), 3: _TEXT, 4: _all("StringStringEntryProto")},
    "SparseTensorProto": {1: _one("TensorProto"), 2: _one("TensorProto"), 3: _INTS},
    "TrainingInfoProto": {
        1: _one("GraphProto"), 2: _one("GraphProto"), 3: _all("StringStringEntryProto"),
        4: _all("StringStringEntryProto"),
    },
    "StringStringEntryProto": {1: _TEXT, 2: _TEXT},
    "ExternalEntry": {1: _KEPT_TEXT, 2: _KEPT_TEXT},
    "OperatorSetIdProto": {1: _TEXT, 2: _INT},
    "Segment": {1: _INT, 2: _INT},
    "TensorAnnotation": {1: _TEXT, 2: _all("StringStringEntryProto")},
    "DeviceConfigurationProto": {1: _TEXT, 2: _INT, 3: _TEXTS},
    "NodeDeviceConfigurationProto": {1: _TEXT, 2: _all("ShardingSpecProto"), 3: _INT},
    "ShardingSpecProto": {1: _TEXT, 2: _INTS, 3: _all("IntIntListEntryProto"), 4: _all("ShardedDimProto")},
    "IntIntListEntryProto": {1: _INT, 2: _INTS},
    "ShardedDimProto": {1: _INT, 2: _all("SimpleShardedDimProto")},
    "SimpleShardedDimProto": {1: _INT, 2: _TEXT, 3: _INT},
}  # fmt: skip
"""`ExternalEntry` is the StringStringEntryProto of a tensor's external data, `ElementTypeProto` that of sequences and
optionals."""

_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""Of an element of each type whose tensors may lie outside. Those of six bits have no settled packing yet."""
_KEYS = frozenset({b"location", b"offset", b"length", b"checksum"})
"""`basepath` is not among them: it is another folder."""


@dataclass(frozen=True, slots=True)
class External:
    """A tensor outside of the model's own file."""

    location: str
    """As it stands there."""
    offset: int
    size: int
    """Bytes, from its type and shape."""


def read_onnx(file: BinaryIO) -> tuple[External, ...]:
    """What it keeps elsewhere. Raises Malformed, or RunsCode."""
    reader = Reader(file)
    if reader.end > MAX_SIZE:
        raise Malformed(f"it has {reader.end} bytes, more than {MAX_SIZE}")
    found: list[External] = []

    def closed(message: str, kept: Kept, around: Kept) -> None:
        if message == "ExternalEntry":
            around.setdefault(_EXTERNAL, []).append(_entry(kept))
        elif message == "TensorProto" and (_EXTERNAL in kept or kept.get(_LOCATION, [0]) != [0]):
            found.append(_external(kept))
        elif message == "NodeProto":
            for operator in _texts(kept.get(_OPERATOR, ())):
                if operator in CODE:
                    raise RunsCode(f"an ONNX model with the operator {operator}, which is code")
        elif message == "ModelProto" and kept.get(1, [0])[0] not in IR_VERSIONS:
            raise Malformed("it has no ir_version")

    if 7 not in walk(reader, SCHEMA, "ModelProto", closed):
        raise Malformed("it has no graph")
    return tuple(found)


def _entry(kept: Kept) -> bytes:
    key, value = (b"".join(part for part in kept.get(number, ()) if isinstance(part, bytes)) for number in (1, 2))
    if key not in _KEYS:
        raise Malformed(f"a tensor's external data has the key {key[:100]!r}")
    return key + b"=" + value


def _external(kept: Kept) -> External:
    if kept.get(_LOCATION, [0]) != [1]:
        raise Malformed("a tensor has external data and says that it lies inside")
    pairs = [entry.partition("=")[::2] for entry in _texts(kept.get(_EXTERNAL, ()))]
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise Malformed("a tensor's external data names something twice")
    kinds = kept.get(_TYPE, [0])
    dims = [dim for dims in kept.get(_DIMS, ()) for dim in _numbers(dims)]
    bits = _BITS.get(kinds[0] if isinstance(kinds[0], int) else 0)
    if bits is None or any(dim >> 63 for dim in dims):
        raise Malformed(f"a tensor of type {kinds[0]!r} lies outside, whose bytes cannot be counted")
    size = -(-prod(dims) * bits // 8)
    length = _decimal(entries.get("length", str(size)))
    if length != size:
        raise Malformed(f"a tensor of {size} bytes lies outside in {length}")
    return External(entries.get("location", ""), _decimal(entries.get("offset", "0")), size)


def _numbers(value: int | bytes) -> Iterable[int]:
    """A number, or packed ones."""
    if isinstance(value, int):
        return [value]
    numbers = []
    reader = Reader(io.BytesIO(value))
    while reader.place < reader.end:
        numbers.append(reader.varint())
    return numbers


def _texts(values: Iterable[int | bytes]) -> list[str]:
    return [value.decode("utf-8", "surrogateescape") for value in values if isinstance(value, bytes)]


def _decimal(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise Malformed(f"a tensor's external data has the number {text[:50]!r}")
    return int(text)
