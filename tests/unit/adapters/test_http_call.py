"""The bound of an answer, whatever the size of the pieces that it arrives in."""

from __future__ import annotations

from email.message import Message

import pytest

from aegis.adapters import http_call
from aegis.adapters.http_call import Clock


class Endless:
    """An answer without an end, in pieces of at most `piece` bytes; it never gives more than it is asked for."""

    headers = Message()

    def __init__(self, piece: int) -> None:
        self.piece = piece

    def read1(self, size: int) -> bytes:
        return b"x" * min(size, self.piece)


@pytest.mark.parametrize("piece", [65_536, 700_000, 10_000_000])
def test_an_answer_is_read_to_its_bound_and_no_further(piece: int) -> None:
    for limit in (http_call.MAX_ANSWER, 3_000_000):
        answer = http_call._answer(200, Endless(piece), (), 20.0, Clock(now=lambda: 0.0), limit)
        assert len(answer.body) == limit
