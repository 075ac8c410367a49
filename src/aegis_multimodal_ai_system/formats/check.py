"""Each file of a model, judged by its content; what none of the formats knows is refused."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from aegis.core.errors import Refused
from aegis.core.policy import Format, Load
from aegis_multimodal_ai_system.formats import kinds
from aegis_multimodal_ai_system.formats.gguf_file import MAGIC, check_gguf
from aegis_multimodal_ai_system.formats.onnx_model import External, read_onnx
from aegis_multimodal_ai_system.formats.pickles import find_pickle
from aegis_multimodal_ai_system.formats.reader import Malformed, RunsCode, is_zero, read_all, size_of
from aegis_multimodal_ai_system.formats.safetensors_header import claimed_length, read_header
from aegis_multimodal_ai_system.formats.sentencepiece_table import BEGINS, check_sentencepiece
from aegis_multimodal_ai_system.formats.side_files import read_side_file

_IR_VERSION = 0x08
"""The tag of ONNX's first field, with which its writers begin."""
_OF_BYTES = frozenset({"U8", "I8"})


@dataclass(frozen=True, slots=True)
class _Judged:
    format: Format | None = None
    """None of a side file."""
    external: tuple[External, ...] = ()
    refused: Refused | None = None


def check_formats(files: Mapping[str, BinaryIO], load: Load, name: str) -> Mapping[str, Format]:
    """The format of each file that holds weights, external data of ONNX included.

    `files`: all of the model `name`, by their names in it, seekable; they are left at their beginning. Raises Refused
    with a `runtime.format_…` code for the first file, by name, that may not be loaded. The file must not change
    meanwhile and later: whoever calls this holds descriptors of what was verified.
    """
    pickles = "pickle" in load.formats or name in load.pickles
    judged = {each: _judge(each, files[each], pickles) for each in sorted(files)}
    judged |= _outside(files, judged)
    for each, said in judged.items():
        if said.refused is not None:
            raise said.refused
        if said.format not in (None, "pickle", *load.formats):
            raise _refused(
                "runtime.format_not_allowed",
                each,
                f"is {said.format}",
                f"one of the formats of verify.load.formats: {', '.join(load.formats)}",
            )
    for file in files.values():
        file.seek(0)
    return {each: said.format for each, said in judged.items() if said.format is not None}


def _judge(name: str, file: BinaryIO, pickles: bool) -> _Judged:
    try:
        size = size_of(file)
        file.seek(0)
        head = read_all(file, min(kinds.HEAD, size))
        is_pickle = find_pickle(file) is not None
        archive = kinds.disguised(file, size, head)
        said = _known(name, file, size, head, pickles)
    except Malformed as error:
        return _Judged(refused=_malformed(name, str(error)))
    if kinds.runs_by_name(name):
        return _Judged(refused=_code(name, "is called like something that is run"))
    if said.refused is None and not is_pickle:
        return said if archive is None else _Judged(refused=_polyglot(name, archive))
    kind = kinds.PICKLE if is_pickle else archive or kinds.by_beginning(head)
    if kind is None:
        return said
    if kind.sort == "code":
        return _Judged(refused=_code(name, f"is {kind.name}"))
    return _Judged("pickle") if pickles else _Judged(refused=_pickle(name, kind))


def _known(name: str, file: BinaryIO, size: int, head: bytes, pickles: bool) -> _Judged:
    """By the formats that there are."""
    try:
        if head.startswith(MAGIC):
            check_gguf(file)
            return _Judged("gguf")
        if head[8:9] == b"{" and claimed_length(head) <= size - 8:
            _check_safetensors(file, pickles)
            return _Judged("safetensors")
        if read_side_file(file) is not None or (head[:1] == bytes([BEGINS]) and _is_sentencepiece(file)):
            return _Judged()
        if head[:1] == bytes([_IR_VERSION]):
            return _Judged("onnx", read_onnx(file))
    except Malformed as error:
        return _Judged(refused=_malformed(name, str(error)))
    except RunsCode as error:
        return _Judged(refused=_code(name, f"is {error}"))
    if head[8:9] == b"{":
        problem = f"its header would have {claimed_length(head)} bytes, and the file has {size}"
        return _Judged(refused=_malformed(name, problem))
    return _Judged(refused=_unknown(name, head))


def _check_safetensors(file: BinaryIO, pickles: bool) -> None:
    for tensor in read_header(file):
        # Some libraries keep state as a pickle in a tensor of bytes, and load it as such (`_extra_state` of
        # TransformerEngine).
        if tensor.dtype in _OF_BYTES and not pickles and find_pickle(file, tensor.start, tensor.end) == "code":
            raise RunsCode(f"a safetensors file whose tensor {tensor.name[:100]!r} is a pickle")


def _is_sentencepiece(file: BinaryIO) -> bool:
    try:
        check_sentencepiece(file)
    except Malformed:
        return False
    return True


def _outside(files: Mapping[str, BinaryIO], judged: Mapping[str, _Judged]) -> dict[str, _Judged]:
    """What ONNX models keep outside: raw numbers, of which every byte belongs to a tensor."""
    found: dict[str, _Judged] = {}
    parts: dict[str, list[tuple[int, int]]] = {}
    for name, said in judged.items():
        for external in said.external:
            target = _target(name, external.location)
            if target is None or target not in files or judged[target].external or target == name:
                problem = f"keeps a tensor in {external.location[:200]!r}"
                refused = _refused("runtime.format_external", name, problem, "another file of the same model")
                found[name] = _Judged(refused=refused)
                break
            parts.setdefault(target, []).append((external.offset, external.offset + external.size))
    for target, spans in parts.items():
        try:
            _check_raw(files[target], spans, known=judged[target].refused is None)
            if judged[target].refused is not None and not kinds.runs_by_name(target):
                found[target] = _Judged("onnx")
        except Malformed as error:
            found[target] = _Judged(refused=_malformed(target, str(error)))
    return found


def _target(name: str, location: str) -> str | None:
    """Another file by its path beside the model's own; None for a path that leads out of it, or may on some system."""
    parts = location.split("/")
    if "" in parts or ".." in parts or any(char in location for char in "\\:*?~\0"):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), location))


def _check_raw(file: BinaryIO, spans: list[tuple[int, int]], *, known: bool) -> None:
    """Raises Malformed. `known`: the file was judged by itself, and only has to be long enough."""
    size = size_of(file)
    place = 0
    for start, end in sorted(spans):
        if end > size:
            raise Malformed(f"it has {size} bytes, and a tensor of an ONNX model ends at {end}")
        if not known and start > place and not is_zero(file, place, start):
            raise Malformed(f"something is hidden between bytes {place} and {start}")
        place = max(place, end)
    if known:
        return
    if not is_zero(file, place, size):
        raise Malformed(f"something is hidden after byte {place}")
    file.seek(0)
    head = read_all(file, min(kinds.HEAD, size))
    kind = kinds.by_beginning(head, strong=True) or kinds.disguised(file, size, head)
    if kind is not None or find_pickle(file) == "code":
        raise Malformed(f"as external data of an ONNX model it is also {kind.name if kind is not None else 'a pickle'}")


def _pickle(name: str, kind: kinds.Kind) -> Refused:
    code = "runtime.format_pickle" if kind.sort == "pickle" else "runtime.format_archive"
    return _refused(code, name, f"is {kind.name}", "safetensors, ONNX or GGUF, and text beside them")


def _polyglot(name: str, kind: kinds.Kind) -> Refused:
    return _refused("runtime.format_polyglot", name, f"is also {kind.name}", "a file of one kind")


def _code(name: str, problem: str) -> Refused:
    return _refused("runtime.format_code", name, problem, "weights and text, and nothing that runs")


def _malformed(name: str, problem: str) -> Refused:
    return _refused("runtime.format_malformed", name, f"is not well-formed: {problem}", "a file as its format says")


def _unknown(name: str, head: bytes) -> Refused:
    return _refused(
        "runtime.format_unknown",
        name,
        f"begins with {head[:16].hex(' ')}",
        "safetensors, ONNX or GGUF, JSON or text",
    )


def _refused(code: str, name: str, problem: str, expected: str) -> Refused:
    return Refused(
        code,
        f"{name[:200]!r} {problem}",
        expected=expected,
        remedy="convert the model (safetensors has converters) or leave the file out, and sign it again",
    )
