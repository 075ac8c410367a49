"""SentencePiece's `tokenizer.model`: a table of pieces with scores, without anything that is run.

https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto. Most models of the Llama, T5 and
Gemma families have one; whoever wants it refused signs a model without it.
"""

from __future__ import annotations

from typing import BinaryIO

from aegis_multimodal_ai_system.formats.reader import Malformed, Reader
from aegis_multimodal_ai_system.formats.wire import BYTES, FIXED32, VARINT, Kept, Rule, walk

MAX_SIZE = 64 << 20
"""Bytes; that of Gemma, with 262,144 pieces, has 4.7 million."""
BEGINS = 0x0A
"""The tag of the first piece, which every writer writes first."""

_INT, _TEXT, _FLOAT = Rule((VARINT,)), Rule((BYTES,)), Rule((FIXED32,))
_TEXTS = Rule((BYTES,), many=True)


def _parts(message: str, *, many: bool = False) -> Rule:
    return Rule((BYTES,), many=many, message=message)


SCHEMA = {
    "ModelProto": {
        1: _parts("SentencePiece", many=True), 2: _parts("TrainerSpec"), 3: _parts("NormalizerSpec"),
        4: _parts("SelfTestData"), 5: _parts("NormalizerSpec"),
    },
    "SentencePiece": {1: _TEXT, 2: _FLOAT, 3: _INT},
    "TrainerSpec": {
        **dict.fromkeys((1, 5, 30, 31), _TEXTS),
        **dict.fromkeys((2, 7, 36, 44, 45, 46, 47, 48, 53, 54), _TEXT),
        **dict.fromkeys((10, 15, 51), _FLOAT),
        **dict.fromkeys((3, 4, 6, *range(11, 15), *range(16, 27), *range(32, 36), *range(40, 44), 49, 50, 52), _INT),
    },
    "NormalizerSpec": {1: _TEXT, 2: _TEXT, 3: _INT, 4: _INT, 5: _INT, 6: _TEXT},
    "SelfTestData": {1: _parts("Sample", many=True)},
    "Sample": {1: _TEXT, 2: _TEXT},
}  # fmt: skip


def check_sentencepiece(file: BinaryIO) -> None:
    """Raises Malformed."""
    reader = Reader(file)
    if reader.end > MAX_SIZE:
        raise Malformed(f"it has {reader.end} bytes, more than {MAX_SIZE}")
    if not {1, 2} <= walk(reader, SCHEMA, "ModelProto", _ignore):
        raise Malformed("it has no pieces or no trainer_spec")


def _ignore(message: str, kept: Kept, around: Kept) -> None:
    """A table of text keeps nothing."""
