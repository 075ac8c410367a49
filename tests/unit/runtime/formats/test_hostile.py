"""Files that only begin like an allowed format, are of two kinds, or are made to cost memory and time."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from safetensors.numpy import save

from aegis.core.errors import Refused
from aegis.core.policy import Load
from aegis_multimodal_ai_system.formats import check_formats, gguf_file, safetensors_header, side_files, wire
from aegis_multimodal_ai_system.formats.reader import Malformed, size_of
from aegis_multimodal_ai_system.formats.safetensors_header import MAX_HEADER
from tests.support.runtime.pickled import EVIL, HAND_MADE, TORCH, tarred
from tests.support.runtime.weights import (
    GGUFS,
    ONNXES,
    external,
    field,
    files,
    model,
    safetensors,
    sentencepiece,
    tensor,
    varint,
    with_entries,
)


def refusal(content: Mapping[str, bytes]) -> Refused:
    with pytest.raises(Refused) as caught:
        check_formats(files(content), Load(), "model")
    return caught.value


def refused(data: bytes) -> str:
    return refusal({"x": data}).code


ONE = tensor("U8", [4], 0, 4)
SAFETENSORS: Mapping[str, bytes] = {
    "trailing": safetensors({"a": ONE}, b"abcd!"),
    "cut_short": safetensors({"a": ONE}, b"abc"),
    "gap": safetensors({"a": ONE, "b": tensor("U8", [4], 5, 9)}, bytes(9)),
    "gap_before": safetensors({"a": tensor("U8", [4], 1, 5)}, bytes(5)),
    "overlap": safetensors({"a": ONE, "b": tensor("U8", [4], 2, 6)}, bytes(6)),
    "same_bytes": safetensors({"a": ONE, "b": ONE}, bytes(4)),
    "backwards": safetensors({"a": tensor("U8", [], 4, 0)}, bytes(4)),
    "too_many_bytes": safetensors({"a": tensor("U8", [3], 0, 4)}, bytes(4)),
    "too_few_bytes": safetensors({"a": tensor("F32", [2], 0, 4)}, bytes(4)),
    "half_a_byte": safetensors({"a": tensor("F4", [3], 0, 1)}, bytes(1)),
    "overflow": safetensors({"a": tensor("F32", [2**62, 4], 0, 0)}),
    "overflow_far": safetensors({"a": tensor("F32", [2**62] * 60, 0, 0)}),
    "too_many_dimensions": safetensors({"a": tensor("U8", [1] * 65, 0, 1)}, bytes(1)),
    "unknown_dtype": safetensors({"a": tensor("OBJ", [4], 0, 4)}, bytes(4)),
    "lower_case_dtype": safetensors({"a": tensor("u8", [4], 0, 4)}, bytes(4)),
    "name_twice": safetensors(b'{"a":%b,"a":%b}' % ((json.dumps(ONE).encode(),) * 2), bytes(4)),
    "name_twice_escaped": safetensors(b'{"a":%b,"\\u0061":%b}' % ((json.dumps(ONE).encode(),) * 2), bytes(4)),
    "key_twice": safetensors(b'{"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}}', bytes(4)),
    "metadata_twice": safetensors(b'{"__metadata__":{},"__metadata__":{}}'),
    "metadata_name_twice": safetensors(b'{"__metadata__":{"a":"1","a":"2"}}'),
    "metadata_of_numbers": safetensors({"__metadata__": {"a": 1}}),
    "metadata_deep": safetensors({"__metadata__": {"a": {"b": "c"}}}),
    "metadata_list": safetensors({"__metadata__": []}),
    "metadata_null": safetensors({"__metadata__": None}),
    "further_key": safetensors({"a": {**ONE, "x": 1}}, bytes(4)),
    "no_dtype": safetensors({"a": {"shape": [4], "data_offsets": [0, 4]}}, bytes(4)),
    "no_shape": safetensors({"a": {"dtype": "U8", "data_offsets": [0, 4]}}, bytes(4)),
    "no_offsets": safetensors({"a": {"dtype": "U8", "shape": [4]}}, bytes(4)),
    "three_offsets": safetensors({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4, 4]}}, bytes(4)),
    "one_offset": safetensors({"a": {"dtype": "U8", "shape": [4], "data_offsets": [4]}}, bytes(4)),
    "negative": safetensors({"a": {"dtype": "U8", "shape": [-4], "data_offsets": [0, 4]}}, bytes(4)),
    "float": safetensors({"a": {"dtype": "U8", "shape": [4.0], "data_offsets": [0, 4]}}, bytes(4)),
    "exponent": safetensors(b'{"a":{"dtype":"U8","shape":[4e0],"data_offsets":[0,4]}}', bytes(4)),
    "leading_zero": safetensors(b'{"a":{"dtype":"U8","shape":[04],"data_offsets":[0,4]}}', bytes(4)),
    "true": safetensors({"a": {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}}, bytes(1)),
    "long_number": safetensors(b'{"a":{"dtype":"U8","shape":[%b],"data_offsets":[0,4]}}' % (b"9" * 5000), bytes(4)),
    "trailing_comma": safetensors(b'{"a":{"dtype":"U8","shape":[4,],"data_offsets":[0,4]}}', bytes(4)),
    "comma_at_the_end": safetensors(b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},}', bytes(4)),
    "list": safetensors({"a": []}),
    "null": safetensors({"a": None}),
    "array": safetensors(b'["a"]'),
    "blank_first": safetensors(b" {}"),
    "two_values": safetensors(b"{}{}"),
    "nul_behind": safetensors(b"{}\0\0\0\0\0\0"),
    "comment": safetensors(b"{}//x"),
    "control_in_name": safetensors(b'{"a\n":%b}' % json.dumps(ONE).encode(), bytes(4)),
    "lone_surrogate": safetensors(b'{"\\ud800":%b}' % json.dumps(ONE).encode(), bytes(4)),
    "bad_escape": safetensors(b'{"\\x":%b}' % json.dumps(ONE).encode(), bytes(4)),
    "not_utf8": safetensors(b'{"\xff":%b}' % json.dumps(ONE).encode(), bytes(4)),
    "open_string": safetensors(b'{"a'),
    "open_object": safetensors(b"{"),
    "deep_in_shape": safetensors(b'{"a":{"shape":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"),
    "deep_object": safetensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "length_8_eib": safetensors(b"{}", length=2**63),
    "length_of_all": safetensors(b"{}", length=2**64 - 1),
    "length_beyond": safetensors(b"{}", length=3),
    "length_long": safetensors(b"{" + b" " * (MAX_HEADER + 1)),
    "length_short": safetensors(b"{}", length=1),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_safetensors(name: str) -> None:
    # without the brace there it does not even begin like one
    code = "runtime.format_unknown" if name in {"blank_first", "array"} else "runtime.format_malformed"
    assert refused(SAFETENSORS[name]) == code


def gguf(
    keys: bytes = b"", tensors: bytes = b"", data: bytes = b"", *, counts: tuple[int, int] = (0, 0), version: int = 3
) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + keys + tensors
    return head + bytes(-len(head) % 32) + data if tensors else head + data


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def info(name: bytes, *shape: int, kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


U32 = struct.pack("<I", 4)
ALIGNMENT = text(b"general.alignment")
GGUF: Mapping[str, bytes] = {
    "magic_alone": b"GGUF",
    "version_1": gguf(version=1),
    "version_4": gguf(version=4),
    "version_huge": gguf(version=2**32 - 1),
    "no_counts": b"GGUF\3\0\0\0",
    "tensors_1e9": gguf(counts=(10**9, 0)),
    "tensors_all": gguf(counts=(2**64 - 1, 0)),
    "keys_1e9": gguf(counts=(0, 10**9)),
    "key_missing": gguf(counts=(0, 1)),
    "key_8_eib": gguf(struct.pack("<Q", 2**63) + b"a", counts=(0, 1)),
    "key_not_utf8": gguf(text(b"\xff") + U32 + bytes(4), counts=(0, 1)),
    "key_twice": gguf((text(b"a") + U32 + bytes(4)) * 2, counts=(0, 2)),
    "value_unknown": gguf(text(b"a") + struct.pack("<I", 13), counts=(0, 1)),
    "value_cut": gguf(text(b"a") + U32 + b"\0", counts=(0, 1)),
    "string_8_eib": gguf(text(b"a") + struct.pack("<IQ", 8, 2**63), counts=(0, 1)),
    "array_1e9": gguf(text(b"a") + struct.pack("<IIQ", 9, 8, 10**9), counts=(0, 1)),
    "array_of_numbers_1e18": gguf(text(b"a") + struct.pack("<IIQ", 9, 12, 10**18), counts=(0, 1)),
    "array_overflow": gguf(text(b"a") + struct.pack("<IIQ", 9, 12, 2**64 - 1), counts=(0, 1)),
    "array_unknown": gguf(text(b"a") + struct.pack("<IIQ", 9, 99, 1), counts=(0, 1)),
    "array_deep": gguf(text(b"a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 10_000, counts=(0, 1)),
    "array_wide": gguf(text(b"a") + struct.pack("<IIQ", 9, 9, 4_000_001), counts=(0, 1)),
    "alignment_0": gguf(ALIGNMENT + U32 + struct.pack("<I", 0), counts=(0, 1)),
    "alignment_24": gguf(ALIGNMENT + U32 + struct.pack("<I", 24), counts=(0, 1)),
    "alignment_2_gib": gguf(ALIGNMENT + U32 + struct.pack("<I", 2**31), counts=(0, 1)),
    "alignment_of_text": gguf(ALIGNMENT + struct.pack("<I", 8) + text(b"32"), counts=(0, 1)),
    "tensor_missing": gguf(b"", info(b"t", 1)[:-1], counts=(1, 0)),
    "tensor_twice": gguf(b"", info(b"t", 1) + info(b"t", 1, offset=32), bytes(64), counts=(2, 0)),
    "tensor_cut": gguf(b"", info(b"t", 9), bytes(32), counts=(1, 0)),
    "tensor_8_eib": gguf(b"", info(b"t", 2**61), bytes(32), counts=(1, 0)),
    "tensor_overflow": gguf(b"", info(b"t", 2**63, 2**63, 2**63, 4), bytes(32), counts=(1, 0)),
    "dimensions_5": gguf(b"", info(b"t", 1, 1, 1, 1, 1), bytes(32), counts=(1, 0)),
    "dimensions_1e9": gguf(b"", text(b"t") + struct.pack("<I", 10**9), counts=(1, 0)),
    "type_unknown": gguf(b"", info(b"t", 32, kind=4), bytes(32), counts=(1, 0)),
    "type_huge": gguf(b"", info(b"t", 32, kind=2**32 - 1), bytes(32), counts=(1, 0)),
    "row_of_half_a_block": gguf(b"", info(b"t", 48, kind=2), bytes(32), counts=(1, 0)),
    "offset_unaligned": gguf(b"", info(b"t", 1, offset=4), bytes(64), counts=(1, 0)),
    "offset_gap": gguf(b"", info(b"t", 1) + info(b"u", 1, offset=64), bytes(96), counts=(2, 0)),
    "overlap": gguf(b"", info(b"t", 16) + info(b"u", 16, offset=32), bytes(96), counts=(2, 0)),
    "offset_huge": gguf(b"", info(b"t", 1, offset=2**64 - 32), bytes(32), counts=(1, 0)),
    "hidden_in_padding": gguf(b"", info(b"t", 1) + info(b"u", 1, offset=32), EVIL.ljust(64), counts=(2, 0)),
    "hidden_at_the_end": gguf(b"", info(b"t", 1), b"abcd" + b"x" * 28, counts=(1, 0)),
    "hidden_before": gguf(b"", info(b"t", 1))[:-1] + b"x" + bytes(32),
    "trailing": gguf(b"", info(b"t", 1), bytes(33), counts=(1, 0)),
    "trailing_zip": GGUFS["empty"]() + b"x" * 32,
    "big_and_little": b"GGUF\0\0\0\3" + struct.pack("<QQ", 1, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", GGUF)
def test_gguf(name: str) -> None:
    assert refused(GGUF[name]) == "runtime.format_malformed"


def nested(depth: int) -> bytes:
    """`If` in `If`, by hand: the library's own writer gives up."""
    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))
    return field(1, 8) + field(7, graph)


ADD = ONNXES["add"]().SerializeToString()
ONNX: Mapping[str, bytes] = {
    "no_graph": field(1, 8) + field(2, b"pytorch"),
    "graph_twice": ADD + field(7, b""),
    "version_twice": field(1, 8) + ADD,
    "version_0": field(1, 0) + field(7, b""),
    "version_huge": field(1, 2**63) + field(7, b""),
    "unknown_field": ADD + field(99, b"x"),
    "unknown_number": ADD + field(9, 1),
    "reserved_field": field(1, 8) + field(7, field(3, b"x")),
    "wrong_wire_type": field(1, 8) + varint(7 << 3) + b"\1",
    "group": field(1, 8) + varint(7 << 3 | 3) + varint(7 << 3 | 4),
    "end_of_group": ADD + varint(7 << 3 | 4),
    "trailing": ADD + b"trailing",
    "trailing_pickle": ADD + EVIL,
    "trailing_nul": ADD + b"\0",
    "cut_short": ADD[:-1],
    "length_beyond": field(1, 8) + varint(7 << 3 | 2) + varint(10**9),
    "length_8_eib": field(1, 8) + varint(7 << 3 | 2) + varint(2**63),
    "length_beyond_its_message": field(1, 8) + field(7, b"\x0a\x7f") + field(2, b"x" * 200),
    "number_beyond_its_message": field(1, 8) + field(7, b"") + field(8, b"\x10") + b"\x05",
    "text_beyond_its_message": field(1, 8) + field(7, b"") + field(8, b"\x0a\x03") + b"abc",
    "number_too_long": field(1, 8) + b"\x28" + b"\xff" * 11,
    "number_above_64_bits": field(1, 8) + b"\x28" + b"\xff" * 9 + b"\x7f",
    "nested_deep": nested(40),
    "nested_very_deep": nested(2000),
    "data_type_twice": field(1, 8) + field(7, field(5, field(2, 1) + field(2, 8))),
    "long_operator": field(1, 8) + field(7, field(1, field(4, b"x" * 70_000))),
}


@pytest.mark.parametrize("name", ONNX)
def test_onnx(name: str) -> None:
    assert refused(ONNX[name]) == "runtime.format_malformed"


@pytest.mark.parametrize("operator", ["EPContext", "PythonOp", "PythonOpGrad", "PyOp"])
@pytest.mark.parametrize("inside", [False, True])
def test_operators_that_are_code(operator: str, inside: bool) -> None:
    node = helper.make_node(operator, ["x"], ["y"], domain="com.microsoft", ep_cache_context="../x.bin")
    if inside:
        node = helper.make_node("If", ["c"], ["y"], then_branch=helper.make_graph([node], "g", [], []))
    assert refused(model([node]).SerializeToString()) == "runtime.format_code"


W = np.arange(4, dtype=np.float32)
RAW = W.tobytes()


class TestExternalData:
    @pytest.mark.parametrize(
        "location",
        [
            "", ".", "..", "../w", "a/../../w", "a/../w", "/etc/passwd", "//host/w", "\\\\host\\w", "..\\w", "C:\\w",
            "C:w", "~/w", "w\0", "file:w", "file:///etc/passwd", "other", "W", "w/", "model.onnx", "./model.onnx",
            "/proc/self/mem", "*/_ORT_MEM_ADDR_/*", "w ", "%2e%2e/w", "\u2024\u2024/w", "dev/../w", "w?", "w:stream",
        ],
    )  # fmt: skip
    def test_a_path_that_is_no_other_file_of_the_model(self, location: str) -> None:
        content = {"model.onnx": with_entries([("location", location)]), "w": RAW}
        assert refusal(content).code in {"runtime.format_external", "runtime.format_unknown"}
        assert refusal({"model.onnx": content["model.onnx"]}).code == "runtime.format_external"

    def test_it_is_looked_for_beside_the_model(self) -> None:
        content = {"a/model.onnx": with_entries([("location", "w")]), "w": RAW}
        assert refusal(content).code == "runtime.format_external"

    def test_another_onnx_model_with_external_data(self) -> None:
        content = {"a": with_entries([("location", "b")]), "b": with_entries([("location", "a")])}
        assert refusal(content).code == "runtime.format_external"

    @pytest.mark.parametrize(
        "entries",
        [
            [("location", "w"), ("offset", "1")],
            [("location", "w"), ("offset", "-1")],
            [("location", "w"), ("offset", "1e1")],
            [("location", "w"), ("offset", "\u0661")],
            [("location", "w"), ("offset", "99999999999999999999")],
            [("location", "w"), ("length", "15")],
            [("location", "w"), ("length", "17")],
            [("location", "w"), ("length", "0x10")],
            [("location", "w"), ("length", "")],
            [("location", "w"), ("basepath", "/etc")],
            [("location", "w"), ("unknown", "x")],
            [("location", "w"), ("location", "x")],
            [("location", "x"), ("location", "w")],
            [("offset", "0"), ("offset", "0"), ("location", "w")],
        ],
    )
    def test_entries(self, entries: list[tuple[str, str]]) -> None:
        content = {"model.onnx": with_entries(entries), "w": RAW}
        assert refusal(content).code == "runtime.format_malformed"

    @pytest.mark.parametrize(
        "changes",
        [{"shape": (2**62, 4)}, {"shape": (2**40,)}, {"shape": (-1,)}, {"kind": 8}, {"kind": 0}, {"kind": 99}],
    )
    def test_tensors_that_are_not_as_long(self, changes: dict[str, Any]) -> None:
        content = {"model.onnx": with_entries([("location", "w")], **changes), "w": RAW}
        assert refusal(content).code == "runtime.format_malformed"

    @pytest.mark.parametrize(
        "place", [field(14, 0), field(14, 2), field(14, 7), b""], ids=["inside", "2", "7", "unsaid"]
    )
    def test_entries_of_a_tensor_that_does_not_lie_outside(self, place: bytes) -> None:
        entry = field(13, field(1, b"location") + field(2, b"w"))
        made = field(1, 8) + field(7, field(5, field(1, 4) + field(2, 1) + entry + place))
        assert refusal({"model.onnx": made, "w": RAW}).code == "runtime.format_malformed"

    @pytest.mark.parametrize("hidden", [b"x", EVIL, TORCH])
    def test_what_no_tensor_names(self, hidden: bytes) -> None:
        content = {"model.onnx": with_entries([("location", "w")]), "w": RAW + hidden}
        assert refusal(content).code == "runtime.format_malformed"
        content = {"model.onnx": with_entries([("location", "w"), ("offset", str(len(hidden)))]), "w": hidden + RAW}
        assert refusal(content).code == "runtime.format_malformed"

    @pytest.mark.parametrize(
        "raw",
        [
            EVIL,
            TORCH,
            HAND_MADE["inst"],
            b"\x7fELF" + bytes(60),
            gzip.compress(EVIL, mtime=0),
            tarred(EVIL),
            b"\x93NUMPY",
        ],
        ids=len,
    )
    def test_a_tensor_that_is_a_program(self, raw: bytes) -> None:
        made = model(initializers=[numpy_helper.from_array(np.frombuffer(raw, np.uint8), "w")])
        assert refusal(external(made)).code == "runtime.format_malformed"

    def test_a_script_is_one_also_as_a_tensor(self) -> None:
        made = model(initializers=[numpy_helper.from_array(np.frombuffer(b"import os\n", np.uint8), "w")])
        assert refusal(external(made, "modeling.py")).code == "runtime.format_code"

    def test_a_file_that_nobody_names(self) -> None:
        content = {**external(model(initializers=[numpy_helper.from_array(W, "w")])), "other.data": bytes(range(256))}
        assert refusal(content).code == "runtime.format_unknown"

    def test_a_tensor_deep_in_the_model(self) -> None:
        hidden = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)  # type: ignore[arg-type]
        hidden.external_data.add(key="location", value="/etc/passwd")
        branch = helper.make_graph([helper.make_node("Constant", [], ["y"], value=hidden)], "g", [], [])
        made = model([helper.make_node("If", ["c"], ["y"], then_branch=branch)])
        assert refused(made.SerializeToString()) == "runtime.format_external"


def polyglot_end(data: bytes) -> bytes:
    """A tensor's bytes: weights, and an archive."""
    return np.arange(50, dtype=np.uint8).tobytes() + data


def in_safetensors(data: bytes) -> bytes:
    return save({"w": np.frombuffer(data, np.uint8)})


def header_of(length: int, data: bytes = b"") -> bytes:
    """A well-formed file whose header has just this length."""
    body = json.dumps({"w": tensor("U8", [len(data)], 0, len(data))}).encode()
    return safetensors(body + b" " * (length - len(body)), data)


def as_pickle() -> bytes:
    """A well-formed safetensors file that is a pickle too.

    Its length begins with the opcode of a string, which ends in the metadata; a letter of two bytes has the opcode of
    an import as its second one, and names are long because their lengths have to be letters.
    """
    start = b'{"__metadata__":{"a":"'
    code = b"U!multiprocessing.popen_spawn_posixU!_multiprocessing.SemLock._rebuildq\xc3\x93)R."
    length = 0x55 | (6 + len(start)) << 8
    return safetensors((start + code + b'"}}').ljust(length))


class TestTwoKindsAtOnce:
    @pytest.mark.parametrize("data", [TORCH, TORCH[:-2] + b"\x10\0" + b"c" * 16], ids=["zip", "zip_with_comment"])
    def test_an_archive_at_the_end_of_a_tensor(self, data: bytes) -> None:
        assert refused(in_safetensors(polyglot_end(data))) == "runtime.format_polyglot"
        made = model(initializers=[numpy_helper.from_array(np.frombuffer(polyglot_end(data), np.uint8), "w")])
        made.ClearField("opset_import")
        assert refused(made.SerializeToString()) == "runtime.format_polyglot"

    def test_in_metadata(self) -> None:
        data = ADD + field(14, field(1, b"k") + field(2, TORCH))
        assert refused(data) == "runtime.format_polyglot"

    @pytest.mark.parametrize("offsets", ["own", "shifted"])
    def test_offsets_of_the_archive_may_count_from_either_end(self, offsets: str) -> None:
        data = polyglot_end(TORCH)
        made = bytearray(in_safetensors(data))
        if offsets == "shifted":
            place = bytes(made).rindex(b"PK\x05\x06")
            directory = bytes(made).index(b"PK\x01\x02")
            made[place + 16 : place + 20] = struct.pack("<I", directory)
            made[place + 12 : place + 16] = struct.pack("<I", 1)
        assert refused(bytes(made)) == "runtime.format_polyglot"

    def test_zip64(self) -> None:
        end = b"PK\x06\x07" + struct.pack("<IQI", 0, 100, 1) + b"PK\x05\x06" + b"\xff" * 16 + b"\0\0"
        assert refused(in_safetensors(polyglot_end(end))) == "runtime.format_polyglot"

    def test_a_record_in_numbers_is_none(self) -> None:
        data = in_safetensors(polyglot_end(b"PK\x05\x06" + bytes(range(40))))
        assert check_formats(files({"x": data}), Load(), "m") == {"x": "safetensors"}

    def test_after_a_whole_file(self) -> None:
        assert refused(save({"w": W}) + TORCH) == "runtime.format_archive"
        assert refused(GGUFS["empty"]() + TORCH) == "runtime.format_archive"
        assert refused(ADD + TORCH) == "runtime.format_archive"
        assert refused(save({"w": W}) + EVIL) == "runtime.format_malformed"
        assert refused(b"# a readme\n" + TORCH) == "runtime.format_archive"

    @pytest.mark.parametrize("place", [512, 1024, 4096, 1 << 20])
    def test_hdf5_behind_a_user_block(self, place: int) -> None:
        data = bytearray(in_safetensors(bytes(2 << 20)))
        data[place : place + 8] = b"\x89HDF\r\n\x1a\n"
        assert refused(bytes(data)) == "runtime.format_polyglot"

    def test_gzip_by_the_header_length(self) -> None:
        assert refused(header_of(0x088B1F)) == "runtime.format_polyglot"

    def test_zlib_by_the_header_length(self) -> None:
        # 0x78 0x01 begins zlib; what follows is none, so it is no archive
        assert check_formats(files({"x": header_of(0x0178)}), Load(), "m") == {"x": "safetensors"}

    def test_tar_by_the_sum_of_its_first_block(self) -> None:
        block = bytearray(safetensors({"__metadata__": {"a": "x" * 600}}))
        block[148:156] = b" " * 8
        block[148:156] = b"%07o " % sum(block[:512])
        assert refused(bytes(block)) == "runtime.format_polyglot"

    def test_a_pickle_by_the_header_length(self) -> None:
        data = as_pickle()
        assert data.startswith(b"U\x1c\0")
        assert refused(data) == "runtime.format_pickle"
        # without the call it is a file like any other
        assert check_formats(files({"x": data.replace(b")R.", b")))")}), Load(), "m") == {"x": "safetensors"}


class TestSideFiles:
    @pytest.mark.parametrize(
        "data",
        [
            b'{"a":1,"a":2}',
            b'{"x":[{"b":{"c":1,"\\u0063":2}}]}',
            b"[" * 200_000 + b"]" * 200_000,
            b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
            b'{"a":' + b"9" * 5000 + b"}",
            b"[" + b"[]," * 4_000_001 + b"[]]",
        ],
        ids=["twice", "twice_inside", "deep_lists", "deep_objects", "long_number", "many"],
    )
    def test_json(self, data: bytes) -> None:
        assert refused(data) == "runtime.format_malformed"

    def test_text_that_is_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(side_files, "MAX_SIZE", 1000)
        assert refused(b"a" * 1001) == "runtime.format_malformed"

    @pytest.mark.parametrize(
        "data",
        [
            sentencepiece()[:-1],
            sentencepiece() + b"\0",
            sentencepiece() + field(6, b"x"),
            sentencepiece() + field(200, b"x"),
            field(1, field(1, b"a")),
            b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        ],
        ids=["cut", "nul", "field_6", "extension", "no_trainer", "huge"],
    )
    def test_sentencepiece(self, data: bytes) -> None:
        assert refused(data) == "runtime.format_unknown"


# --- whatever the bytes: an answer, in bounded memory -----------------------------------------------------------------

BENIGN: Mapping[str, bytes] = {
    "safetensors": save({"a": W, "b": np.ones((2, 3), np.int8)}, {"format": "pt"}),
    "gguf": GGUFS["everything"](),
    "big_endian": GGUFS["big_endian"](),
    "onnx": ADD,
    "whole_onnx": ONNXES["whole"]().SerializeToString(),
    "sentencepiece": sentencepiece(20),
    "json": b'{"a": [1, 2.5, null, {"b": "c"}]}',
    "pickle": EVIL,
    "zip": TORCH,
}


def decided(content: Mapping[str, bytes]) -> None:
    """Refused with a reason, or let through: anything else ends the test."""
    with suppress(Refused):
        check_formats(files(content), Load(), "model")


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(sorted(BENIGN)),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=9), st.integers(0, 9)), min_size=1, max_size=4),
)
def test_mutants_get_an_answer(name: str, edits: list[tuple[int, bytes, int]]) -> None:
    data = BENIGN[name]
    for place, new, cut in edits:
        place %= len(data) + 1
        data = data[:place] + new + data[place + cut :]
    decided({"x": data})


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"GGUF", b"GGUF\3\0\0\0", b"\x08\x08", b"\x0a", b"{", b"PK\5\6"]))
def test_any_bytes_get_an_answer(data: bytes, start: bytes) -> None:
    decided({"x": start + data, "y": struct.pack("<Q", len(data)) + b"{" + data})


@pytest.mark.parametrize("name", ["safetensors", "gguf", "onnx", "sentencepiece"])
def test_each_length_of_a_file_gets_an_answer(name: str) -> None:
    data = BENIGN[name]
    for length in range(0, len(data), 1 + len(data) // 400):
        decided({"x": data[:length]})


class Huge(io.RawIOBase):
    """A file of so many bytes, of which only the first are not zero."""

    def __init__(self, head: bytes, size: int) -> None:
        self._head, self._size, self._at = head, size, 0
        self.given = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = min(self._at + size, self._size)
        data = self._head[self._at : end].ljust(max(0, end - self._at), b"\0")
        self._at, self.given = end, self.given + len(data)
        assert self.given < 1 << 30, "it reads everything"
        return data


TIB = 1 << 40


@pytest.mark.parametrize(
    "head",
    [
        b"",
        struct.pack("<Q", TIB - 8) + b"{",
        struct.pack("<Q", 2) + b"{}",
        gguf(b"", info(b"t", TIB // 8), counts=(1, 0)),
        gguf(text(b"a") + struct.pack("<IIQ", 9, 8, 4_000_001), counts=(0, 1)),
        field(1, 8) + varint(7 << 3 | 2) + varint(TIB - 100),
        b"\x0a\xff\xff\x03" + b"text",
        b"a" * 4096,
    ],
    ids=["zeros", "header", "empty_header", "tensor", "strings", "graph", "piece", "text"],
)
def test_a_huge_file_costs_little(head: bytes) -> None:
    file = Huge(head, TIB)
    assert size_of(file) == TIB  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            check_formats({"x": file}, Load(), "model")  # type: ignore[dict-item]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.given < 8 << 20
    assert peak < 16 << 20


COSTLY: Mapping[str, Callable[[], bytes]] = {
    "safetensors_lists": lambda: safetensors(b'{"a":{"shape":' + b"[]," * 2_000_000),
    "safetensors_objects": lambda: safetensors(b'{"a":{"dtype":{' + b'"":{},' * 1_000_000),
    "safetensors_metadata": lambda: safetensors(b'{"__metadata__":{"' + b"\\u0061" * 500_000 + b'":1}}'),
    "json_lists": lambda: b"[" + b"[]," * 5_000_000,
    "gguf_strings": lambda: gguf(text(b"a") + struct.pack("<IIQ", 9, 8, 50_000) + bytes(399_999), counts=(0, 1)),
    "onnx_fields": lambda: field(1, 8) + field(7, b"\x0a\0" * 50_000 + b"\x1a\0"),
}


@pytest.mark.parametrize("name", COSTLY)
def test_hostile_content_costs_little_memory(name: str) -> None:
    data = COSTLY[name]()
    tracemalloc.start()
    try:
        assert refused(data) == "runtime.format_malformed"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(data) + (4 << 20)


def test_fields_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FIELDS", 20)
    assert refused(ADD) == "runtime.format_malformed"


def test_strings_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_file, "MAX_STRINGS", 399)
    assert refused(GGUFS["everything"]()) == "runtime.format_malformed"


def test_zlib_is_unpacked_by_a_few_bytes_only() -> None:
    bomb = zlib.compress(bytes(50 << 20), 9)
    tracemalloc.start()
    try:
        assert refused(bomb) == "runtime.format_archive"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


HEADERS = (
    b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[],"data_offsets":[2,6]}}',
    b'{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[2,0,%d],"data_offsets":[0,0]}}  ' % (10**19 - 1),
    b'{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[2,0,%d],"data_offsets":[0,0]}}  ' % 10**19,
    b'{"__metadata__":{},"__metadata__":{},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
    b'{"__metadata__":{}}',
    b'{"__metadata__":{},}',
    b'{"__metadata__":{},"__metadata__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
    b'{"a":{"dtype":"U8","shape":[-2,-1],"data_offsets":[0,2]}}',
    b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
    b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"__metadata__":{"k":"v"}}',
    b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"\\u0061":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
    b'{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
    b'{"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}',
    b'{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}',
    b'{"a":{"dtype":"U8","shape":[%b1],"data_offsets":[0,1]}}' % (b"1," * 64),
    b'{"a":{"dtype":"U9","shape":[2],"data_offsets":[0,2]}}',
    '{"\u00e9\\n":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'.encode(),
)
"""As the library spells them, and nearly so."""


def spelled(header: bytes, *, usual: bool) -> object:
    """What is read of it, or why nothing is: with the quick way for what is spelled as usual, and without it."""
    size = 6 if b'"b"' in header else 1 if b"1" in header.partition(b"shape")[2][:8] else 2
    file = io.BytesIO(len(header).to_bytes(8, "little") + header + bytes(0 if b"[2,0," in header else size))
    with pytest.MonkeyPatch.context() as patch:
        if not usual:
            patch.setattr(safetensors_header, "_usual", lambda _text, _data: None)
        try:
            return safetensors_header.read_header(file)
        except Malformed as error:
            return str(error)


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_the_quick_way_through_a_header_is_as_strict(number: int) -> None:
    assert spelled(HEADERS[number], usual=True) == spelled(HEADERS[number], usual=False)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(HEADERS),
    st.integers(0, 200),
    st.integers(0, 9),
    st.sampled_from([b"", b" ", *HEADERS, b"0,", b'"']),
)
def test_the_quick_way_through_a_changed_header_is_as_strict(header: bytes, at: int, cut: int, put: bytes) -> None:
    changed = header[:at] + put[: at + 1] + header[at + cut :]
    assert spelled(changed, usual=True) == spelled(changed, usual=False)


def test_a_header_as_the_library_spells_it_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_header._Header, "tensors", lambda _self: pytest.fail("the slow way"))
    saved = save({"a": np.ones(3), "b": np.ones((2, 2))}, {"format": "np"})
    assert [tensor.name for tensor in safetensors_header.read_header(io.BytesIO(saved))] == ["a", "b"]
