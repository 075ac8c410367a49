"""Tensors of safetensors files as NumPy arrays over the very bytes that were verified, without a copy."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aegis.core.errors import Refused
from aegis_multimodal_ai_system.formats.reader import Malformed
from aegis_multimodal_ai_system.formats.safetensors_header import BITS, Tensor, read_header
from aegis_multimodal_ai_system.verified_model import VerifiedModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMPY = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
}  # fmt: skip
_RAW = {8: "u1", 16: "<u2"}
"""Of types that NumPy does not have (BF16, F8_…), by their bits: unsigned, to be viewed as what they are."""


class Tensors(Mapping[str, "NDArray[Any]"]):
    """The tensors of all files of a model by name, each made when it is asked for; none can be written to.

    `dtypes` has the type of each as the file names it. A type without one in NumPy comes as unsigned integers of its
    width, and one of less than a byte (F4, F6_…) as its bytes in one dimension.
    """

    def __init__(self, places: Mapping[str, tuple[mmap.mmap, Tensor]]) -> None:
        self._places: Mapping[str, tuple[mmap.mmap, Tensor]] = places
        self.dtypes = MappingProxyType({name: tensor.dtype for name, (_, tensor) in places.items()})

    def __getitem__(self, name: str) -> NDArray[Any]:
        import numpy as np

        memory, tensor = self._places[name]
        shape: tuple[int, ...] = tensor.shape
        bits = BITS[tensor.dtype]
        kind = _NUMPY.get(tensor.dtype) or _RAW.get(bits)
        if kind is None:
            kind, shape = "u1", (tensor.end - tensor.start,)
        if tensor.start == tensor.end:
            nothing = np.empty(shape, kind)
            nothing.flags.writeable = False
            return nothing
        # the memory counts these arrays and cannot be closed under one; those of `ndarray(buffer=…)` it does not count
        return np.frombuffer(memory, kind, prod(shape), tensor.start).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        """Let go of the memory; what is still in use somewhere goes with the last array."""
        places, self._places = self._places, {}
        for memory in {id(memory): memory for memory, _ in places.values()}.values():
            with suppress(BufferError):
                memory.close()


def load_safetensors(model: VerifiedModel, names: Sequence[str]) -> Tensors:
    """All files together. Raises Refused where two of them hold a tensor of the same name."""
    places: dict[str, tuple[mmap.mmap, Tensor]] = {}
    opened: list[mmap.mmap] = []
    try:
        for name in names:
            with model.files[name].open() as file:
                header = read_header(file)
                # private: a sealed file lets nobody map it as shared memory before Linux 6.7, not even for reading
                memory = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
                opened.append(memory)
            for tensor in header:
                if tensor.name in places:
                    raise Malformed(f"the tensor {tensor.name[:100]!r} is in another file too")
                places[tensor.name] = memory, tensor
    except Malformed as error:
        for memory in opened:
            memory.close()
        raise Refused(
            "runtime.format_malformed",
            f"{name!r}: {error}",
            expected="each tensor once",
            remedy="write the shards anew, and sign them again",
        ) from error
    return Tensors(places)
