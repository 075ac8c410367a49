"""The bound of an answer, whatever the size of the pieces that it arrives in."""

from __future__ import annotations

from email.message import Message

import pytest

from aegis.adapters.http import call as http_call
from aegis.adapters.http.call import Clock


class Endless:
    """An answer without an end, in pieces of at most `piece` bytes; it never gives more than it is asked for."""

    headers = Message()

    def __init__(self, piece: int) -> None:
        self.piece = piece

    def read1(self, size: int) -> bytes:
        return b"x" * min(size, self.piece)


class Whole:
    """An answer in these pieces."""

    headers = Message()

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def read1(self, size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


@pytest.mark.parametrize("piece", [65_536, 700_000, 10_000_000])
def test_an_answer_is_read_to_its_bound_and_no_further(piece: int) -> None:
    for limit in (http_call.MAX_ANSWER, 3_000_000):
        answer = http_call._answer(200, Endless(piece), (), 20.0, Clock(now=lambda: 0.0), limit)
        assert len(answer.body) == limit


def test_what_has_arrived_while_this_machine_stood_still_is_an_answer() -> None:
    times = iter((0.0, 60.0, 120.0, 180.0))
    answer = http_call._answer(200, Whole([b"all of it"]), (), 20.0, Clock(now=lambda: next(times)), 100)
    assert answer.body == b"all of it"


def test_an_answer_that_comes_in_drops_is_left() -> None:
    times = iter((0.0, 10.0, 20.0, 30.0))
    answer = http_call._answer(200, Whole([b"a", b"b", b"c", b"d"]), (), 20.0, Clock(now=lambda: next(times)), 100)
    assert answer.body == b"ab"
