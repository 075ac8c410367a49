"""Pickles, archives and code are refused by what they are, under any name; text is none of them by accident."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.core.policy import Load
from aegis_multimodal_ai_system.formats import check_formats
from aegis_multimodal_ai_system.formats.pickles import MAX_STEPS, find_pickle
from tests.support.runtime.pickled import (
    ARCHIVES,
    CALLS,
    EVIL,
    FOREIGN,
    HAND_MADE,
    PROGRAMS,
    TORCH,
    call,
    dumps,
    legacy_torch,
    npy,
)

NAMES = ["model.safetensors", "model.onnx", "model.gguf", "config.json", "README.txt", "tokenizer.model", "x", "y.pkl"]


def check(data: bytes, name: str = "x", load: Load | None = None) -> Mapping[str, str]:
    return check_formats({name: io.BytesIO(data)}, load or Load(), "model")


def refused(data: bytes, name: str = "x", load: Load | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check(data, name, load)
    assert repr(name) in caught.value.problem
    return caught.value.code


@pytest.mark.parametrize("key", CALLS)
@pytest.mark.parametrize("protocol", range(6))
def test_each_call_in_each_protocol(key: str, protocol: int) -> None:
    assert refused(dumps(call(key), protocol)) == "runtime.format_pickle"
    nested = {"weights": [1.0, 2.0], "extra": [(("deep", call(key)),)]}
    assert refused(dumps(nested, protocol), "weights.json") == "runtime.format_pickle"
    # without its last bytes it has run already
    assert refused(dumps([1, call(key)], protocol)[:-1]) in {"runtime.format_pickle", "runtime.format_unknown"}


@pytest.mark.parametrize("key", HAND_MADE)
def test_each_way_to_write_it(key: str) -> None:
    assert find_pickle(io.BytesIO(HAND_MADE[key])) == "code"
    assert refused(HAND_MADE[key]) == "runtime.format_pickle"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_a_name_changes_nothing(name: str, protocol: int) -> None:
    assert refused(dumps(call(), protocol), name) == "runtime.format_pickle"
    assert refused(TORCH, name) == "runtime.format_archive"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [None, 1, "text", [1.5, {"a": (1, 2)}], {"w": list(range(300))}], ids=repr)
def test_pickles_of_plain_values_are_pickles(value: object, protocol: int) -> None:
    assert refused(pickle.dumps(value, protocol)) == "runtime.format_pickle"


def test_those_of_old_pytorch_and_numpy() -> None:
    assert refused(legacy_torch()) == "runtime.format_pickle"
    assert refused(npy(EVIL)) == "runtime.format_pickle"
    assert refused(npy(dumps([1]))) == "runtime.format_pickle"


@pytest.mark.parametrize("key", ARCHIVES)
def test_archives(key: str) -> None:
    assert refused(ARCHIVES[key]) in {"runtime.format_archive", "runtime.format_pickle"}


@pytest.mark.parametrize("key", PROGRAMS)
def test_programs(key: str) -> None:
    assert refused(PROGRAMS[key]) == "runtime.format_code"


@pytest.mark.parametrize(
    "name", ["modeling.py", "a/b.PY", "x.so", "x.so.1.2", "run.sh", "k.cu", "e.dll", "m.pyc", "x.js", "a.jar", "b.ps1"]
)
def test_what_is_run_by_its_name(name: str) -> None:
    assert refused(b"weights = 1\n", name) == "runtime.format_code"


@pytest.mark.parametrize("name", ["happy", "a.python", "so", ".gitattributes", "notes.py.txt", "README.md", "sh"])
def test_and_what_is_not(name: str) -> None:
    assert check(b"weights = 1\n", name) == {}


@pytest.mark.parametrize("key", FOREIGN)
def test_what_nobody_knows(key: str) -> None:
    assert refused(FOREIGN[key]) in {"runtime.format_unknown", "runtime.format_malformed"}


class TestAllowed:
    """A policy may let pickles in: for one model, or for all."""

    ONE = Load(pickles=("model",))
    ALL = Load(formats=("safetensors", "pickle"))

    @pytest.mark.parametrize("load", [ONE, ALL])
    @pytest.mark.parametrize(
        "data", [EVIL, TORCH, legacy_torch(), npy(EVIL), HAND_MADE["inst"], ARCHIVES["gzip"]], ids=len
    )
    def test_it_is_called_a_pickle(self, load: Load, data: bytes) -> None:
        assert check(data, "pytorch_model.bin", load) == {"pytorch_model.bin": "pickle"}

    def test_another_model_is_not(self) -> None:
        assert refused(EVIL, load=Load(pickles=("other", "mode", "models"))) == "runtime.format_pickle"

    @pytest.mark.parametrize("key", [key for key in PROGRAMS if "safetensors" not in key])
    def test_programs_are_refused_all_the_same(self, key: str) -> None:
        assert refused(PROGRAMS[key], load=self.ONE) == "runtime.format_code"

    @pytest.mark.parametrize("key", FOREIGN)
    def test_and_what_nobody_knows(self, key: str) -> None:
        assert refused(FOREIGN[key], load=self.ALL) in {"runtime.format_unknown", "runtime.format_malformed"}

    def test_state_in_a_tensor(self) -> None:
        assert check(PROGRAMS["bytes_in_safetensors"], load=self.ONE) == {"x": "safetensors"}


TEXTS = [
    b"",
    b"\n",
    b"N. Bourbaki wrote this.\n",
    b"0.1.0\n",
    b"1.0\n",
    b"In the beginning\nwas the word\n",
    b"(c) 2026 Example\nAll rights reserved.\n",
    b"copyright\nall rights reserved.\n",
    b"contents\n========\n.. toctree::\n",
    b"cat\ndog\nbird\n",
    b"cat\ndog\nR\n",
    b"(in the\nlist\n",
    b"class Model:\n    pass\n",
    b"String 'a'\n. and more\n",
    b"S'quoted'\nand more\n",
    b"I am text\n.\n",
    b"Ltd.\n",
    b"Value\nother\n",
    b"]. [ )\n",
    b"import os\nos.system('id')\n",
    b"[PAD]\n[unused0]\n[CLS]\n",
    b"[1] A. Author, a reference\n",
    b"{{ bos_token }}{% for message in messages %}{{ message }}{% endfor %}",
    b'{"a": 1}\n{"a": 2}\n',
    b"\xef\xbb\xbf# with a mark\n",
    "# Modell für Übersetzung: 日本語 🙂\n".encode(),
    b"x^2 + y^2 = z^2\n" * 10,
    b"BZh is no archive\n",
    b"MZ is the letters of somebody\n",
    b"version https://git-lfs.github.com/spec/v1\n",
    b"a" * 100_000,
    b"V" + b"x" * 100_000,
    b"(" * 1000,
    b"\xc2\x80 no\n",
]


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_text_is_no_pickle_by_accident(number: int) -> None:
    assert check(TEXTS[number]) == {}


def test_text_of_nothing_but_opcodes_is_taken_for_one() -> None:
    assert refused(b"N" * (MAX_STEPS + 1)) == "runtime.format_pickle"


# --- the walk goes as far as an unpickler ----------------------------------------------------------------------------


class _Inert:
    """What the oracle gives for every name; says when it is called."""

    called = False

    def __new__(cls, *arguments: object, **named: object) -> Any:
        cls.called = True
        return object.__new__(cls)

    def __init__(self, *arguments: object, **named: object) -> None: ...


_UNPICKLER: Any = pickle.__dict__["_Unpickler"]


class _Oracle(_UNPICKLER):  # type: ignore[misc]
    """Python's own unpickler, which imports nothing: every name is an inert class."""

    # it makes room for as many bytes as it is told
    dispatch = {**_UNPICKLER.dispatch}  # noqa: RUF012 - as in the one that it is of
    del dispatch[pickle.BYTEARRAY8[0]]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self.inert: type[_Inert] = type("Inert", (_Inert,), {"called": False})

    def find_class(self, module: str, name: str) -> Any:
        if not all(part.isidentifier() for part in [*module.split("."), *name.split(".")]):
            raise ImportError("nothing is called like that")
        return self.inert

    def get_extension(self, code: int) -> None:
        self.append(self.inert)

    def persistent_load(self, pid: object) -> object:
        return None


def runs(data: bytes) -> bool:
    oracle = _Oracle(data)
    with suppress(Exception):
        oracle.load()
    return oracle.inert.called


SEEDS = [*HAND_MADE.values(), *(dumps([call(), {"a": call("eval")}], protocol) for protocol in range(6))]
OPCODES = [bytes([code]) for code in _UNPICKLER.dispatch]
PIECES = [
    *OPCODES, b"cos\nsystem\n", b"ios\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"S'a'\n", b"X\x01\0\0\0a", b"K\x01",
    b"p0\n", b"g0\n", b"q\0", b"h\0", b"I1\n", b"\x80\x04", b"N", b"(", b")", b"tR", b"]", b"}",
]  # fmt: skip


def test_the_oracle_runs_what_it_should() -> None:
    assert runs(EVIL)
    assert not runs(pickle.dumps([1, "a"]))
    assert sum(map(runs, SEEDS)) > len(SEEDS) * 0.7


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=25).map(b"".join))
def test_whatever_runs_in_an_unpickler_is_found(data: bytes) -> None:
    if runs(data):
        assert find_pickle(io.BytesIO(data)) == "code"


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 100), st.sampled_from(PIECES), st.integers(0, 3))
def test_also_where_something_was_put_in_or_left_out(data: bytes, place: int, piece: bytes, cut: int) -> None:
    mutant = data[:place] + piece + data[place + cut :]
    if runs(mutant):
        assert find_pickle(io.BytesIO(mutant)) == "code"
