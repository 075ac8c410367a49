"""What the formats' own libraries write is let through, whatever it is called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import numpy_helper
from safetensors import deserialize
from safetensors.numpy import save

from aegis.core.errors import Refused
from aegis.core.policy import Load
from aegis_multimodal_ai_system.formats import check_formats
from aegis_multimodal_ai_system.formats.safetensors_header import BITS
from tests.support.runtime.weights import (
    GGUFS,
    ONNXES,
    external,
    files,
    model,
    safetensors,
    sentencepiece,
    tensor,
)

LOAD = Load()


def check(content: Mapping[str, bytes], load: Load = LOAD) -> Mapping[str, str]:
    opened = files(content)
    found = check_formats(opened, load, "model")
    assert {file.tell() for file in opened.values()} <= {0}
    return found


SAFETENSORS: Mapping[str, bytes] = {
    "empty": save({}),
    "one": save({"w": np.ones((3, 4), np.float32)}),
    "metadata": save({"w": np.ones(2)}, {"format": "pt", "ss_tags": json.dumps({"a": {"b\"\\": [1]}}), "": ""}),
    "scalar": save({"s": np.array(1.5)}),
    "zero_size": save({"a": np.zeros((0,)), "b": np.ones(3, np.int8), "c": np.zeros((2, 0, 3), np.int64)}),
    "only_zero_size": save({"a": np.zeros((0, 5), np.float16)}),
    "numpy_types": save({kind: np.ones(3, kind) for kind in (
        "float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8",
        "bool", "complex64",
    )}),
    "many": save({f"model.layers.{n}.self_attn.q_proj.weight": np.ones(4, np.float16) for n in range(2000)}),
    "odd_names": save({"": np.ones(1), "日本語": np.ones(2), 'q"\\\n\t': np.ones(3), "\u2028": np.ones(4)}),
    "large": save({"w": np.ones((1000, 1000), np.float32)}),
    "unaligned": safetensors({"a": tensor("U8", [1], 0, 1), "b": tensor("F32", [1], 1, 5)}, bytes(5)),
    "other_order": safetensors({"b": tensor("I8", [3], 5, 8), "a": tensor("I8", [5], 0, 5)}, bytes(8)),
    "keys_in_other_order": safetensors(b'{ "a" :\n{"shape":[ 1 , 2 ],\t"data_offsets":[0,2],"dtype":"I8"} } \n', b"ab"),
    "escaped": safetensors(b'{"\\u0061\\ud83d\\ude42":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}  ', b"a"),
    "length_of_lzma": safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(0x5D), b"a"),
    "text_in_bytes": save({"tokens": np.frombuffer(b"cat\ndog\nbird\n" * 10, np.uint8)}),
    "numbers_like_opcodes": save({"w": np.frombuffer(b"N.N.(((" * 10, np.uint8)}),
    **{
        f"type_{name}": safetensors({"w": tensor(name, [8, 3], 0, bits * 3)}, bytes(bits * 3))
        for name, bits in BITS.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SAFETENSORS)
@pytest.mark.parametrize("called", ["model.safetensors", "pytorch_model.bin", "weights.pkl", "README.md"])
def test_safetensors(name: str, called: str) -> None:
    assert check({called: SAFETENSORS[name]}) == {called: "safetensors"}


@pytest.mark.parametrize("name", [name for name in SAFETENSORS if name not in {"length_of_lzma"}])
def test_the_library_reads_these_too(name: str) -> None:
    deserialize(SAFETENSORS[name])  # type: ignore[no-untyped-call]


_ARRAYS = arrays.arrays(
    st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8, np.int8, np.uint16, np.bool_]),
    arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


# without tensors, version 0.8 writes metadata behind the end of its header, and cannot read that itself
@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(_TEXT.filter("__metadata__".__ne__), _ARRAYS, min_size=1, max_size=8),
    st.none() | st.dictionaries(_TEXT, _TEXT, max_size=4),
)
def test_whatever_the_library_saves(tensors: dict[str, Any], metadata: dict[str, str] | None) -> None:
    # a tensor of a few bytes may by chance be a program that calls an extension (EXT1, EXT2, EXT4): rightly refused
    assume(not any({0x82, 0x83, 0x84} & set(tensor.tobytes()[:64]) for tensor in tensors.values()))
    assert check({"a": save(tensors, metadata)}) == {"a": "safetensors"}


@pytest.mark.parametrize("name", GGUFS)
@pytest.mark.parametrize("called", ["model.gguf", "model.bin"])
def test_gguf(name: str, called: str) -> None:
    assert check({called: GGUFS[name]()}) == {called: "gguf"}


@pytest.mark.parametrize("name", ONNXES)
@pytest.mark.parametrize("called", ["model.onnx", "model"])
def test_onnx(name: str, called: str) -> None:
    assert check({called: ONNXES[name]().SerializeToString()}) == {called: "onnx"}


def weights(*shapes: tuple[int, ...]) -> onnx.ModelProto:
    made = [np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for shape in shapes]
    return model(initializers=[numpy_helper.from_array(each, f"w{number}") for number, each in enumerate(made)])


class TestExternalData:
    def test_in_one_file(self) -> None:
        content = external(weights((100, 100), (7,), (1, 1), (0, 3), ()))
        assert check(content) == {"model.onnx": "onnx", "model.onnx.data": "onnx"}

    def test_in_a_file_for_each_tensor(self) -> None:
        content = external(weights((10, 10), (7,)), all_tensors_to_one_file=False)
        assert len(content) == 3
        assert set(check(content).values()) == {"onnx"}

    def test_in_folders(self) -> None:
        content = {f"onnx/{name}": data for name, data in external(weights((5, 5))).items()}
        assert check({**content, "config.json": b"{}"}) == {"onnx/model.onnx": "onnx", "onnx/model.onnx.data": "onnx"}

    def test_beside_larger_alignment(self) -> None:
        content = external(weights((300_000,), (3,), (400_000,)))
        assert len(content["model.onnx.data"]) > 2_800_000
        assert set(check(content).values()) == {"onnx"}

    @pytest.mark.parametrize("values", [[5, 123], [1, 2], [0x4B, 0x2E]])
    def test_numbers_that_look_like_something_else(self, values: list[int]) -> None:
        """A safetensors header, a length, a pickle: raw numbers are what their model says."""
        made = model(initializers=[numpy_helper.from_array(np.array(values * 20, np.int64), "w")])
        assert set(check(external(made)).values()) == {"onnx"}

    @pytest.mark.parametrize("raw", [b"N." * 8, b"K\x01.", b"hello text", b"\x1f\x8b\x01\0", b"MZ\x90\0", b"\x80\x02."])
    def test_bytes_that_begin_like_something_else(self, raw: bytes) -> None:
        made = model(initializers=[numpy_helper.from_array(np.frombuffer(raw, np.uint8), "w")])
        assert check(external(made))["model.onnx"] == "onnx"


SIDE_FILES: Mapping[str, bytes] = {
    "config.json": json.dumps({"architectures": ["LlamaForCausalLM"], "rope_theta": 1e4, "eps": 1e-05}).encode(),
    "model.safetensors.index.json": json.dumps({"metadata": {"total_size": 10**12}, "weight_map": {"a": "b"}}).encode(),
    "tokenizer_config.json": b'{"model_max_length": 1000000000000000019884624838656, "chat_template": "{{ x }}"}',
    "mamba.json": b'{"time_step_limit": [0.0, Infinity], "x": NaN}',
    "tokenizer.json": json.dumps(
        {"vocab": {f"t{n}": n for n in range(30_000)}, "merges": [["a", "b"]] * 1000}
    ).encode(),
    "vocab.json": json.dumps({"Ġhello": 1, "\u0000": 2, "Lambda": 3, "__lambda__": 4}).encode(),
    "keras.json": b'{"class_name": "TFOpLambda", "config": {"function": "math.multiply"}}',
    "empty.json": b"{}",
    "list.json": b"[]\n",
    "deep.json": b"[" * 50 + b"]" * 50,
    "vocab.txt": "\n".join(["[PAD]", "[UNK]", "the", "##ing", "日"]).encode(),
    "merges.txt": "#version: 0.2\nĠ t\nh e\n".encode(),
    "tokenizer.tiktoken": b"IQ== 0\nIg== 1\n",
    "chat_template.jinja": b"{%- if tools %}{{ tools }}{% endif %}",
    "LICENSE": b"Apache License\n\f\nTERMS\r\n",
    "README.md": "---\nlicense: mit\n---\n# für alle\n".encode(),
    ".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "params.yaml": b"a: 1\n",
    "tokenizer.model": sentencepiece(),
    "empty": b"",
}


@pytest.mark.parametrize("name", SIDE_FILES)
def test_side_files_are_no_weights(name: str) -> None:
    assert check({name: SIDE_FILES[name], "m.safetensors": save({})}) == {"m.safetensors": "safetensors"}


def test_a_whole_sharded_model() -> None:
    shards = {f"model-0000{n}-of-00003.safetensors": save({f"w{n}": np.ones(n)}) for n in range(1, 4)}
    assert set(check({**SIDE_FILES, **shards})) == set(shards)


@pytest.mark.parametrize(
    ("formats", "data"),
    [
        (("onnx", "gguf"), save({})),
        (("safetensors", "gguf"), ONNXES["add"]().SerializeToString()),
        (("safetensors", "onnx"), GGUFS["empty"]()),
    ],
    ids=["safetensors", "onnx", "gguf"],
)
def test_a_policy_may_take_fewer(formats: tuple[Any, ...], data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        check({"weights": data}, Load(formats=formats))
    assert caught.value.code == "runtime.format_not_allowed"
    assert "'weights'" in caught.value.problem
    # letting pickles in lets in no format that was left out
    with pytest.raises(Refused, match="weights"):
        check({"weights": data}, Load(formats=formats, pickles=("model",)))
