"""Benign models as their own libraries write them, and the same formats by hand where those refuse to be hostile."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from gguf import GGMLQuantizationType, GGUFEndian, GGUFWriter, quants
from onnx import TensorProto, helper, numpy_helper


def safetensors(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    """By the format's description; a header of bytes stands as it is."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype: str, shape: Sequence[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def gguf(fill: Callable[[GGUFWriter], object], **options: Any) -> bytes:
    """What GGUFWriter writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.gguf"
        writer = GGUFWriter(path, "llama", **options)
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def _everything(writer: GGUFWriter) -> None:
    writer.add_uint8("a.u8", 1)
    writer.add_int8("a.i8", -1)
    writer.add_uint16("a.u16", 1)
    writer.add_int16("a.i16", -1)
    writer.add_uint32("a.u32", 1)
    writer.add_int32("a.i32", -1)
    writer.add_uint64("a.u64", 1)
    writer.add_int64("a.i64", -1)
    writer.add_float32("a.f32", 1.5)
    writer.add_float64("a.f64", 1.5)
    writer.add_bool("a.bool", True)
    writer.add_string("a.text", "Übersetzung")
    writer.add_array("a.numbers", [1, 2, 3])
    writer.add_array("a.floats", [1.5, 2.5])
    writer.add_array("a.flags", [True, False])
    writer.add_token_list(["<s>", "</s>", "a", "b"] * 100)
    writer.add_token_scores([0.5] * 400)
    writer.add_chat_template("{% for m in messages %}{{ m }}{% endfor %}")
    for kind in (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
        writer.add_tensor(f"t.{np.dtype(kind).name}", np.ones((3, 5), kind))


def _quantised(writer: GGUFWriter) -> None:
    values = np.linspace(-1, 1, 4 * 256, dtype=np.float32).reshape(4, 256)
    for kind in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "BF16", "TQ1_0", "TQ2_0"):
        number = GGMLQuantizationType[kind]
        writer.add_tensor(kind, quants.quantize(values, number), raw_dtype=number)


def _blocks(writer: GGUFWriter) -> None:
    """Each type of tensor that the library knows, two rows of one block each."""
    from gguf.constants import GGML_QUANT_SIZES

    for kind, (_, size) in GGML_QUANT_SIZES.items():
        if kind.name not in {"F32", "F16", "F64", "I8", "I16", "I32", "I64"}:
            writer.add_tensor(kind.name, np.zeros((2, size), np.uint8), raw_dtype=kind)


def _tensors(*shapes: Sequence[int]) -> Callable[[GGUFWriter], None]:
    def fill(writer: GGUFWriter) -> None:
        for number, shape in enumerate(shapes):
            writer.add_tensor(f"t{number}", np.ones(tuple(shape), np.float32))

    return fill


def _aligned(writer: GGUFWriter) -> None:
    writer.add_custom_alignment(64)
    _tensors([3], [7], [1])(writer)


GGUFS: Mapping[str, Callable[[], bytes]] = {
    "empty": lambda: gguf(lambda writer: None),
    "everything": lambda: gguf(_everything),
    "big_endian": lambda: gguf(_everything, endianess=GGUFEndian.BIG),
    "quantised": lambda: gguf(_quantised),
    "each_type": lambda: gguf(_blocks),
    "dimensions": lambda: gguf(_tensors([1], [2, 3], [2, 3, 4], [2, 3, 4, 5])),
    "alignment": lambda: gguf(_aligned),
    "no_last_padding": lambda: gguf(_tensors([3]))[:-20],
    "version_2": lambda: gguf(_tensors([3])).replace(b"GGUF\3", b"GGUF\2", 1),
    "vocabulary": lambda: gguf(lambda writer: writer.add_token_list([f"token{n}" for n in range(5000)])),
}


def model(nodes: Sequence[Any] = (), initializers: Sequence[Any] = (), **more: Any) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    return helper.make_model(helper.make_graph(list(nodes), "g", inputs, outputs, list(initializers)), **more)


def _nested(depth: int) -> Any:
    """`If` in `If`."""
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "leaf", [], [])
    for level in range(depth):
        node = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph if level < 3 else None)
        graph = helper.make_graph([node], f"level{level}", [], [])
    return model(graph.node)


def _typed() -> onnx.ModelProto:
    """A tensor of each type, raw and in fields."""
    made = []
    for kind, name in zip(TensorProto.DataType.values(), TensorProto.DataType.keys(), strict=True):
        if name not in {"UNDEFINED", "STRING"}:
            made.append(onnx.TensorProto(name=name, data_type=kind, dims=[8], raw_data=bytes(16)))
    made.append(helper.make_tensor("strings", TensorProto.STRING, [2], [b"a", b"\xff"]))  # type: ignore[list-item]
    made.append(helper.make_tensor("floats", TensorProto.FLOAT, [2], [1.0, 2.0]))
    made.append(helper.make_tensor("doubles", TensorProto.DOUBLE, [2], [1.0, 2.0]))
    made.append(helper.make_tensor("ints", TensorProto.INT64, [2], [1, -2]))
    made.append(helper.make_tensor("unsigned", TensorProto.UINT64, [2], [1, 2**64 - 1]))
    made.append(helper.make_tensor("complex", TensorProto.COMPLEX64, [1], [1 + 2j]))  # type: ignore[list-item]
    return model(initializers=made)


def _whole() -> onnx.ModelProto:
    """As many kinds of messages as one can have."""
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 18)], ["alpha"]
    )
    values = numpy_helper.from_array(np.ones(2, np.float32), "v")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([0, 3]), "i"), [5])
    nodes = [
        helper.make_node("F", ["x"], ["h"], domain="own", doc_string="text", alpha=1.5, beta=[1, 2], gamma=["a", "b"]),
        helper.make_node("Constant", [], ["c"], sparse_value=sparse),
        helper.make_node("Optional", [], ["o"], type=helper.make_optional_type_proto(
            helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [1, None, "n"])))),
        helper.make_node("Map", ["h"], ["y"], floats=[1.0, 2.0], tensors=[values]),
    ]  # fmt: skip
    made = model(nodes, [values], functions=[function], producer_name="t", producer_version="1", doc_string="d")
    made.metadata_props.add(key="k", value="v")
    made.model_version, made.domain = 7, "ai.example"
    made.graph.sparse_initializer.append(sparse)
    made.graph.quantization_annotation.add(tensor_name="v").quant_parameter_tensor_names.add(key="SCALE", value="s")
    made.graph.value_info.append(
        helper.make_value_info("m", helper.make_map_type_proto(7, helper.make_tensor_type_proto(1, [])))
    )
    made.training_info.add().algorithm.CopyFrom(made.graph)
    made.configuration.add(name="c", num_devices=2, device=["a", "b"])
    sharding = made.graph.node[0].device_configurations.add(configuration_id="c", pipeline_stage=1).sharding_spec.add()
    sharding.tensor_name = "h"
    sharding.device.extend([0, 1])
    sharding.sharded_dim.add(axis=0).simple_sharding.add(dim_value=2, num_shards=2)
    sharding.index_to_device_group_map.add(key=1, value=[0, 1])
    return made


def _initialised(*values: Any) -> onnx.ModelProto:
    made = [numpy_helper.from_array(np.asarray(value), f"w{number}") for number, value in enumerate(values)]
    return model([helper.make_node("Add", ["x", "w0"], ["y"])], made)


def _convolutions(count: int) -> onnx.ModelProto:
    nodes = [helper.make_node("Conv", [f"a{n}", f"w{n}"], [f"a{n + 1}"], kernel_shape=[3, 3]) for n in range(count)]
    return model(nodes)


def _forest() -> onnx.ModelProto:
    return model(
        [helper.make_node("TreeEnsembleClassifier", ["x"], ["y"], domain="ai.onnx.ml", nodes_values=[1.0] * 9)]
    )


ONNXES: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "empty": model,
    "add": lambda: _initialised(np.ones(2, np.float32)),
    "each_type": _typed,
    "whole": _whole,
    "nested": lambda: _nested(20),
    "many_nodes": lambda: _convolutions(3000),
    "large_tensor": lambda: _initialised(np.ones((1000, 500), np.float32)),
    "old_ir": lambda: model(ir_version=3, opset_imports=[helper.make_opsetid("", 7)]),
    "ml": _forest,
    "scalar_and_empty": lambda: _initialised(np.float32(1), np.zeros((0, 3))),
}


def external(made: onnx.ModelProto, location: str = "model.onnx.data", **options: Any) -> dict[str, bytes]:
    """A model whose tensors lie in another file, as onnx.save writes both."""
    with TemporaryDirectory() as folder:
        options = {"all_tensors_to_one_file": True, "size_threshold": 0, "location": location, **options}
        onnx.save(made, f"{folder}/model.onnx", save_as_external_data=True, **options)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def with_entries(entries: Sequence[tuple[str, str]], *, shape: Sequence[int] = (4,), kind: int = 1) -> bytes:
    """A model with one tensor elsewhere, as these entries say; the library's own writers would not write them."""
    made = onnx.TensorProto(name="w", data_type=kind, dims=list(shape), data_location=1)  # type: ignore[arg-type]
    for key, value in entries:
        made.external_data.add(key=key, value=value)
    return bytes(model(initializers=[made]).SerializeToString())


def varint(number: int) -> bytes:
    """As Protocol Buffers write it."""
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, content: bytes | int) -> bytes:
    """A field of a message: bytes, or a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def sentencepiece(pieces: int = 100) -> bytes:
    """A table as `spm_train` writes it."""
    made = b""
    for number in range(pieces):
        piece = field(1, f"▁piece{number}".encode()) + b"\x15" + struct.pack("<f", -number) + field(3, 1)
        made += field(1, piece)
    trainer = (
        field(1, b"corpus.txt") + field(2, b"m") + field(3, 2) + field(4, pieces) + b"\x55" + struct.pack("<f", 0.9995)
    )
    trainer += field(31, b"<mask>") + field(35, 1) + field(40, 0) + field(41, 1) + field(45, b"<unk>") + field(53, b"")
    normalizer = field(1, b"nmt_nfkc") + field(2, bytes(range(256))) + field(3, 1) + field(4, 1) + field(5, 1)
    return (
        made
        + field(2, trainer)
        + field(3, normalizer)
        + field(4, field(1, field(1, b"a") + field(2, b"b")))
        + field(5, b"")
    )


def files(content: Mapping[str, bytes]) -> dict[str, io.BytesIO]:
    return {name: io.BytesIO(data) for name, data in content.items()}
