"""What else a file may be: archives, programs, and files of two kinds at once.

A file that two readers take for different things passes the check as one and is loaded as the other. So a file of an
allowed format must not also be an archive, which readers of archives find by its end or by a checksum in its middle.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Literal

from aegis_multimodal_ai_system.formats.reader import read_all

HEAD = 4096
"""Bytes of a file's beginning that are looked at."""
_ZIP_TAIL = 22 + 65_535 + 20
"""A ZIP's last record, its longest comment, and the locator of ZIP64 before it (APPNOTE 4.3.15, 4.3.16)."""
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is, for people."""

    name: str
    sort: Literal["pickle", "archive", "code"]
    """`pickle` and `archive` are let in where the policy lets pickles in."""


PICKLE = Kind("a pickle", "pickle")
_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", Kind("a ZIP archive, as of torch.save, TorchScript, .npz or .keras", "archive")),
    (b"PK\x05\x06", Kind("an empty ZIP archive", "archive")),
    (b"PK\x07\x08", Kind("a part of a ZIP archive", "archive")),
    (b"\x93NUMPY", Kind("a NumPy array, which may hold objects as pickles", "pickle")),
    *((b"BZh%d1AY&SY" % level, Kind("a bzip2 file", "archive")) for level in range(1, 10)),
    (b"\xfd7zXZ\0", Kind("an xz file", "archive")),
    (b"\x5d\0\0", Kind("an LZMA file", "archive")),
    (b"\x28\xb5\x2f\xfd", Kind("a Zstandard file", "archive")),
    (b"\x04\x22\x4d\x18", Kind("an LZ4 file", "archive")),
    (b"\x1f\x9d", Kind("a compress file", "archive")),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", "archive")),
    (b"Rar!\x1a\x07", Kind("a RAR archive", "archive")),
    (b"\x7fELF", Kind("an ELF program or library", "code")),
    (b"MZ", Kind("a Windows program or library", "code")),
    (b"\xca\xfe\xba\xbe", Kind("a Java class or Mach-O library", "code")),
    (b"\xcf\xfa\xed\xfe", Kind("a Mach-O program or library", "code")),
    (b"\xce\xfa\xed\xfe", Kind("a Mach-O program or library", "code")),
    (b"\xfe\xed\xfa\xcf", Kind("a Mach-O program or library", "code")),
    (b"\0asm", Kind("a WebAssembly module", "code")),
    (b"dex\n", Kind("an Android program", "code")),
    (b"!<arch>\n", Kind("a static library", "code")),
)
_STRONG = 4
"""Bytes of a beginning that numbers do not have by chance."""

_SCRIPT = re.compile(
    r".\.(py[wcodxz]?|ipy|so(\.[0-9.]+)?|dll|dylib|exe|com|sh|bash|zsh|fish|bat|cmd|ps1|vbs|[mc]?js|ts|lua|rb|pl|php|jar"
    r"|class|wasm|cuh?|ptx|c|cc|cpp|cxx)\Z",
    re.IGNORECASE,
)


def runs_by_name(name: str) -> bool:
    """Whether something runs or compiles a file because it is called like that, whatever it holds.

    `trust_remote_code` and imports take `*.py` beside a model, extensions of PyTorch are compiled from `*.cu`.
    """
    return _SCRIPT.search(name) is not None


def by_beginning(head: bytes, *, strong: bool = False) -> Kind | None:
    """What a file's first bytes say. `strong`: only what raw numbers do not begin with by chance."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning) and (len(beginning) >= _STRONG or not strong):
            return kind
    if head[:1] == b"\x80" and head[1:2] <= b"\x05" and not strong:
        return PICKLE
    if head[2:4] == b"\r\n" and 0x0C00 <= int.from_bytes(head[:2], "little") <= 0x0FFF and not strong:
        return Kind("compiled Python", "code")
    return None


def disguised(file: BinaryIO, size: int, head: bytes) -> Kind | None:
    """The archive that a file is too, for those who read archives."""
    if _is_compressed(head):
        return Kind("a gzip or zlib file", "archive")
    if _is_tar(head):
        return Kind("a tar archive, as of very old PyTorch", "archive")
    if _is_hdf5(file, size):
        return Kind("an HDF5 file, as of Keras", "archive")
    if _ends_as_zip(file, size):
        return Kind("a ZIP archive by its end", "archive")
    return None


def _is_compressed(head: bytes) -> bool:
    """As joblib tells it: by the first byte, then by unpacking, which here stops after a few bytes (RFC 1950, 1952)."""
    if head[:3] == b"\x1f\x8b\x08":
        return True
    if head[:1] != b"\x78":
        return False
    try:
        return bool(zlib.decompressobj().decompress(head, 64))
    except zlib.error:
        return False


def _is_tar(head: bytes) -> bool:
    """A tar has no magic in its oldest form: readers go by the sum of the first header (POSIX.1-2017, pax, ustar)."""
    block = head[:512]
    if len(block) < 512:
        return False
    try:
        said = int(block[148:156].rstrip(b"\0 ").lstrip(b" ") or b"-", 8)
    except ValueError:
        return False
    rest = block[:148] + b" " * 8 + block[156:]
    return said in (sum(rest), sum(byte - 256 if byte > 127 else byte for byte in rest))


def _is_hdf5(file: BinaryIO, size: int) -> bool:
    """Its superblock may lie at 0, 512, 1024 and so on (HDF5 File Format Specification 3.0, II.A)."""
    place = 0
    while place + len(_HDF5) <= size:
        file.seek(place)
        if read_all(file, len(_HDF5)) == _HDF5:
            return True
        place = place * 2 or 512
    return False


def _ends_as_zip(file: BinaryIO, size: int) -> bool:
    """Readers look for the last record from the end of the file, and let anything stand before the archive."""
    start = max(0, size - _ZIP_TAIL)
    file.seek(start)
    tail = read_all(file, size - start)
    found = tail.rfind(b"PK\x05\x06")
    while found >= 0:
        if _has_directory(file, start + found, tail[found : found + 22]):
            return True
        found = tail.rfind(b"PK\x05\x06", 0, found)
    return False


def _has_directory(file: BinaryIO, place: int, record: bytes) -> bool:
    """Whether a central directory lies where the last record says, counted from either end; or one of ZIP64 may."""
    length, offset = int.from_bytes(record[12:16], "little"), int.from_bytes(record[16:20], "little")
    candidates = [(place - length, b"PK\x01\x02"), (offset, b"PK\x01\x02"), (place - 20, b"PK\x06\x07")]
    for at, signature in candidates:
        if 0 <= at <= place:
            file.seek(at)
            if file.read(4) == signature:
                return True
    return False
