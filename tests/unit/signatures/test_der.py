from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.signatures.keys import der


@pytest.mark.parametrize(
    ("data", "numbers"),
    [
        ("3000", ()),
        ("3003020101", (1,)),
        ("300302017f", (127,)),
        ("300402020080", (128,)),
        ("3006020101020102", (1, 2)),
        ("308183028180" + "01" + "00" * 127, (1 << 1016,)),
        ("30820104" + "02820100" + "01" + "00" * 255, (1 << 2040,)),
    ],
)
def test_positive_integers(data: str, numbers: tuple[int, ...]) -> None:
    assert der.positive_integers(bytes.fromhex(data)) == numbers


@pytest.mark.parametrize(
    "data",
    [
        "", "30", "3001", "3003020101" + "00", "300302010100", "3103020101", "3003030101", "30020200", "3003020100",
        "3003020180", "30040202ff7f", "300402020001", "30050203000080", "300402020101" + "00", "30030202" + "01",
        "3080020101" + "0000", "308103020101", "30820003020101", "3083000003020101", "30820080" + "00" * 128,
        "30840000000302010100", "3081", "308201", "30ff020101",
    ],
)  # fmt: skip
def test_everything_else(data: str) -> None:
    with pytest.raises(ValueError, match=r"after the end|positive|element|length|cut off"):
        der.positive_integers(bytes.fromhex(data))


@given(st.lists(st.integers(1, 1 << 600), max_size=4))
def test_there_is_one_encoding(numbers: list[int]) -> None:
    body = b"".join(der.element(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in numbers)
    data = der.element(0x30, body)
    assert der.positive_integers(data) == tuple(numbers)
    with pytest.raises(ValueError, match=r"."):
        der.positive_integers(data + b"\0")
