from __future__ import annotations

import pytest

from aegis.adapters.http.header import is_visible


@pytest.mark.parametrize("text", ["", "ghp_0aZ", "a:b/c+d=", "~!"])
def test_what_may_stand_in_a_header(text: str) -> None:
    assert is_visible(text)


@pytest.mark.parametrize("text", ["a b", " a", "a\n", "a\r\nX: y", "a\0", "a\t", "\x7f", "é", "\udc80", "\u00a0"])
def test_what_may_not(text: str) -> None:
    assert not is_visible(text)
