"""Files that run code when they are loaded, made without ever loading one, by the pickler and by hand.

Each would call something harmless; the detector sees no difference to what would not be.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import save

CALLS: Mapping[str, tuple[str, str, tuple[Any, ...]]] = {
    "os.system": ("os", "system", ("id",)),
    "posix.system": ("posix", "system", ("id",)),
    "nt.system": ("nt", "system", ("id",)),
    "os.popen": ("os", "popen", ("id",)),
    "os.spawnvpe": ("os", "spawnvpe", (0, "id", ["id"], {})),
    "spawnv_passfds": ("multiprocessing.util", "spawnv_passfds", ("/bin/id", ["id"], ())),
    "subprocess.Popen": ("subprocess", "Popen", (["id"],)),
    "subprocess.check_output": ("subprocess", "check_output", (["id"],)),
    "_posixsubprocess": ("_posixsubprocess", "fork_exec", ()),
    "eval": ("builtins", "eval", ("1+1",)),
    "exec": ("builtins", "exec", ("x=1",)),
    "compile": ("builtins", "compile", ("1", "x", "eval")),
    "__import__": ("builtins", "__import__", ("os",)),
    "getattr": ("builtins", "getattr", ("", "upper")),
    "open": ("builtins", "open", ("/tmp/x", "w")),
    "__builtin__": ("__builtin__", "eval", ("1+1",)),
    "importlib": ("importlib", "import_module", ("os",)),
    "code": ("code", "interact", ()),
    "code.interpreter": ("code", "InteractiveInterpreter", ()),
    "codeop": ("codeop", "compile_command", ("1",)),
    "trace": ("trace", "Trace", ()),
    "bdb": ("bdb", "Bdb", ()),
    "pdb": ("pdb", "run", ("1",)),
    "logging.config": ("logging.config", "fileConfig", ("x",)),
    "logging.handler": ("logging", "FileHandler", ("x",)),
    "pty": ("pty", "spawn", ("id",)),
    "runpy": ("runpy", "run_path", ("x.py",)),
    "webbrowser": ("webbrowser", "open", ("https://example.com",)),
    "timeit": ("timeit", "timeit", ("1",)),
    "cProfile": ("cProfile", "run", ("1",)),
    "profile": ("profile", "run", ("1",)),
    "doctest": ("doctest", "debug_script", ("1",)),
    "ctypes": ("ctypes", "CDLL", ("x.so",)),
    "imp": ("imp", "load_source", ("x", "x.py")),
    "zipimport": ("zipimport", "zipimporter", ("x.zip",)),
    "shutil": ("shutil", "rmtree", ("/tmp/none",)),
    "socket": ("socket", "create_connection", (("127.0.0.1", 9),)),
    "urllib": ("urllib.request", "urlopen", ("https://example.com",)),
    "asyncio": ("asyncio.unix_events", "_UnixSubprocessTransport", ()),
    "types": ("types", "CodeType", ()),
    "marshal": ("marshal", "loads", (b"N",)),
    "pickle": ("pickle", "loads", (b"N.",)),
    "operator": ("operator", "attrgetter", ("x",)),
    "functools": ("functools", "partial", ()),
    "ensurepip": ("ensurepip", "_run_pip", ()),
    "pip": ("pip._internal", "main", (["install", "x"],)),
    "numpy": ("numpy.testing._private.utils", "runstring", ("1", {})),
    "torch": ("torch.serialization", "load", ("x",)),
    "torch.hub": ("torch.hub", "load", ("a/b", "c")),
    "pandas": ("pandas", "read_pickle", ("x",)),
    "mlflow": ("mlflow.pyfunc", "load_model", ("x",)),
    "dill": ("dill._dill", "_create_function", ()),
    "cloudpickle": ("cloudpickle.cloudpickle", "_make_function", ()),
    "joblib": ("joblib", "load", ("x",)),
    "unknown": ("some_module_of_yours", "anything", ()),
}
"""By whom each is called; several are those that scanners miss."""


class _Call:
    """Pickled, a call of `module.name(*arguments)`."""

    def __init__(self, module: str, name: str, arguments: tuple[Any, ...]) -> None:
        self.module, self.name, self.arguments = module, name, arguments


_PICKLER: Any = pickle.__dict__["_Pickler"]
"""The one in Python, which can be told what to write."""


class _Pickler(_PICKLER):  # type: ignore[misc]
    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if not isinstance(obj, _Call):
            super().save(obj, save_persistent_id)
            return
        if self.proto >= 4:
            super().save(obj.module)
            super().save(obj.name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        super().save(obj.arguments)
        self.write(pickle.REDUCE)


def call(key: str = "os.system") -> Any:
    """For `dumps`, also deep in other things."""
    return _Call(*CALLS[key])


def dumps(value: Any, protocol: int = 4) -> bytes:
    """As the pickler writes it; nothing that it names is imported."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol).dump(value)
    return buffer.getvalue()


EVIL = dumps(call())


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP archive, always the same."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


TORCH = zipped({"archive/data.pkl": EVIL, "archive/data/0": b"\0" * 16, "archive/version": b"3\n"})


def tarred(content: bytes, kind: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        info = tarfile.TarInfo("data.pkl")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def npy(pickled: bytes) -> bytes:
    """A NumPy array of objects (numpy.lib.format)."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + pickled


def changed(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


def legacy_torch() -> bytes:
    """What `torch.save(…, _use_new_zipfile_serialization=False)` writes: several pickles, one after the other."""
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, call(), ["0"]]
    return b"".join(dumps(part, 2) for part in parts) + struct.pack("<q", 4) + bytes(16)


def _directory_at(data: bytes) -> int:
    return data.index(b"PK\x01\x02")


HAND_MADE: Mapping[str, bytes] = {
    "global_reduce": b"cos\nsystem\n(S'id'\ntR.",
    "global_reduce_without_stop": b"cos\nsystem\n(S'id'\ntR",
    "global_reduce_then_garbage": b"cos\nsystem\n(S'id'\ntR\xff\xff\xff",
    "global_reduce_then_text": b"cos\nsystem\n(S'id'\ntRand then a readme follows\n",
    "inst": b"(S'id'\nios\nsystem\n.",
    "inst_without_a_last_line_feed": b"(S'id'\nios\nsystem.",
    "obj": b"(cos\nsystem\nS'id'\no.",
    "newobj": b"\x80\x02csubprocess\nPopen\n(]X\x02\0\0\0idat\x81.",
    "newobj_ex": b"\x80\x04csubprocess\nPopen\n(]\x8c\x02idat}\x92.",
    "build": b"\x80\x02cx\nX\n)\x81}X\x01\0\0\0aK\x01sb.",
    "import_alone": b"cantigravity\nx\n.",
    "stack_global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
    "stack_global_by_memo": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x9400h\0h\1\x93\x8c\x02id\x85R.",
    "memo_text": b"S'os'\np0\n0cos\nsystem\np1\n0g1\n(S'id'\ntR.",
    "memo_twice": b"cos\nsystem\np0\np0\n(S'id'\ntR.",
    "long_memo": b"cos\nsystem\nr\xff\0\0\0(U\x02idtR.",
    "marks": b"((((cos\nsystem\n(S'id'\ntR.",
    "pop_mark": b"(I1\nI2\n1cos\nsystem\n(S'id'\ntR.",
    "pop_of_a_mark": b"(0cos\nsystem\n(S'id'\ntR.",
    "dup": b"cos\nsystem\n2(S'id'\ntR.",
    "extension": b"\x80\x02\x82\x01)R.",
    "extension_wide": b"\x80\x02\x84\x01\0\0\0)R.",
    "persistent": b"\x80\x02X\x01\0\0\0aQcos\nsystem\n(X\x02\0\0\0idtR.",
    "frames": b"\x80\x04\x95\x08\0\0\0\0\0\0\0\x8c\x02os\x95\xff\xff\xff\xff\xff\xff\xff\x7f\x8c\x06system\x93)R.",
    "proto_late": b"cos\nsystem\n\x80\x02(U\x02idtR.",
    "proto_unknown": b"\x80\x09cos\nsystem\n(U\x02idtR.",
    "string_not_ascii": "S'\u00e9'\n0cos\nsystem\n(S'id'\ntR.".encode(),
    "unicode_line": "V\u00e9 and a long line\n0cos\nsystem\n(Vid\ntR.".encode(),
    "bytearray": b"\x80\x05\x96\x02\0\0\0\0\0\0\0ab0cos\nsystem\n(\x8c\x02idtR.",
    "huge_string_before": b"\x80\x02T" + struct.pack("<I", 70_000) + b"\n" * 70_000 + b"0cos\nsystem\n(U\x02idtR.",
    "second_of_two": b"N.cos\nsystem\n(S'id'\ntR.",
    "second_of_two_text": b"I1\n.\n(S'id'\nios\nsystem\n.",
    "appends": b"\x80\x02cx\nX\n(K\x01K\x02e.",
    "setitems": b"\x80\x02cx\nX\n(K\x01K\x02u.",
    "below_the_mark": b"cos\nsystem\n(S'id'\ntp0\n(0g0\nR.",
    "quoted_blank": b"S'x' \n0cos\nsystem\n(S'id'\ntR.",
    "utf8_name": "c\u00f6s\nsystem\n(S'id'\ntR.".encode(),
}  # fmt: skip
"""Opcodes that the pickler does not write, and what makes scanners give up before the unpickler does."""


def _old_tar() -> bytes:
    """A header of 1979: no `ustar`, only the sum."""
    header = bytearray(b"data.pkl".ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"00000000100\0" * 2)
    header += b" " * 8 + b"\0" * (512 - len(header) - 8)
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + EVIL.ljust(512, b"\0")


_ZIP = zipped({"data.pkl": EVIL})
ARCHIVES: Mapping[str, bytes] = {
    "torch_zip": TORCH,
    "torch_zip_compressed": zipped({"archive/data.pkl": EVIL}, zipfile.ZIP_DEFLATED),
    "torch_legacy_tar": tarred(EVIL),
    "tar_gnu": tarred(EVIL, tarfile.GNU_FORMAT),
    "tar_ustar": tarred(EVIL, tarfile.USTAR_FORMAT),
    "torchscript": zipped({"m/code/__torch__.py": b"x", "m/data.pkl": EVIL, "m/constants.pkl": EVIL}),
    "torch_pt2": zipped({"m/archive_format": b"pt2", "m/data/weights/model.pt": TORCH}),
    "keras_zip": zipped({"config.json": b"{}", "model.weights.h5": b"\x89HDF\r\n\x1a\n"}),
    "npz": zipped({"a.npy": npy(EVIL)}),
    "nested_zip": zipped({"a.zip": zipped({"b.zip": _ZIP})}),
    "zip_bad_crc": changed(_ZIP, 14, b"\0\0\0\0"),
    "zip_bad_crc_in_directory": changed(_ZIP, _directory_at(_ZIP) + 16, b"\0\0\0\0"),
    "zip_encrypted_flag": changed(_ZIP, 6, b"\x01\0"),
    "zip_all_flags": changed(_ZIP, 6, b"\xff\xff"),
    "zip_unknown_method": changed(_ZIP, 8, b"\x63\0"),
    "zip_cut_short": _ZIP[:-30],
    "zip_with_prefix": b"hello\n" * 10 + _ZIP,
    "zip_with_prefix_of_nul": bytes(1000) + _ZIP,
    "zip_with_comment": _ZIP[:-2] + b"\x05\0" + b"PK\x05\x06!",
    "zip_longest_comment": _ZIP[:-2] + b"\xff\xff" + b"c" * 65_535,
    "gzip": gzip.compress(EVIL, mtime=0),
    "gzip_reserved_flags": changed(gzip.compress(EVIL, mtime=0), 3, b"\xe0"),
    "bz2": bz2.compress(EVIL),
    "xz": lzma.compress(EVIL),
    "lzma": lzma.compress(EVIL, lzma.FORMAT_ALONE),
    "zlib": zlib.compress(EVIL),
    "zlib_fast": zlib.compress(EVIL, 1),
    "zlib_best": zlib.compress(EVIL, 9),
    "zstd": b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello",
    "lz4": b"\x04\x22\x4d\x18\x64\x40\xa7",
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24),
    "rar": b"Rar!\x1a\x07\x01\0" + bytes(24),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "hdf5_user_block": b"#" * 512 + b"\x89HDF\r\n\x1a\n" + bytes(100),
    "hdf5_user_block_far": bytes(4096) + b"\x89HDF\r\n\x1a\n" + bytes(100),
    "tar_without_magic": _old_tar(),
    "tar_gz": gzip.compress(tarred(EVIL), mtime=0),
}

PROGRAMS: Mapping[str, bytes] = {
    "elf": b"\x7fELF\x02\x01\x01" + bytes(57),
    "pe": b"MZ\x90\0" + bytes(60),
    "macho": b"\xcf\xfa\xed\xfe\x07\0\0\x01" + bytes(24),
    "macho_big": b"\xfe\xed\xfa\xcf" + bytes(24),
    "java": b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(24),
    "wasm": b"\0asm\x01\0\0\0",
    "dex": b"dex\n035\0" + bytes(24),
    "static_library": b"!<arch>\n" + b"x".ljust(60) + bytes(8),
    "pyc": b"\xa7\x0d\r\n" + bytes(12) + b"\xe3" + bytes(40),
    "shebang": b"#!/bin/sh\nid\n",
    "keras_lambda": b'{"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}}',
    "keras_lambda_of_package": b'{"layers": [{"class_name": "keras.layers>Lambda", "config": {}}]}',
    "keras_function": b'{"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}}',
    "keras_escaped": b'{"class_name": "\\u005f_lambda__"}',
    "bytes_in_safetensors": save({"layer._extra_state": np.frombuffer(EVIL, np.uint8)}),
    "signed_bytes_in_safetensors": save({"a": np.zeros(3), "b": np.frombuffer(EVIL, np.int8)}),
}

FOREIGN: Mapping[str, bytes] = {
    "random": bytes(range(128, 256)) * 8,
    "nul": bytes(100),
    "saved_model": b"\x08\x01\x12\x1a\x0a\x0b\x0a\x05serve\x12\x02\x08\x01\x12\x0b\x0a\x04node\x12\x03Add",
    "frozen_graph": b"\x0a\x0a\x0a\x04node\x12\x02Op",
    "tflite": b"\x1c\0\0\0TFL3" + bytes(40),
    "coreml": b"\x08\x08\x12\x06\x0a\x04\x0a\x02ab\xa2\x06\x02\x08\x01",
    "flax_msgpack": b"\x81\xa6params\x80",
    "png": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "utf16_json": '{"a": 1}'.encode("utf-16"),
    "text_with_nul": b"hello\0world\n",
    "text_with_escape": b"hello \x1b[2J\n",
    "latin1": "caf\u00e9".encode("latin-1"),
    "ggml": b"lmgg" + bytes(40),
    "onnx_without_graph": b"\x08\x07\x12\x02ab",
}
