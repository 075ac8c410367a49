"""git's answers, cut anywhere. What git really says is tested in tests/integration/git."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.adapters.git import repository as git
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.repository import Line

same_patch = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

paths = st.binary(min_size=1, max_size=6).filter(lambda name: b"\0" not in name)
texts = st.binary(max_size=24).filter(lambda text: b"\n" not in text)
records = st.lists(st.tuples(paths, st.integers(1, 99), texts), max_size=8)


@same_patch
@given(found=records, chunk=st.integers(1, 40), longest=st.integers(1, 12))
def test_grep_s_answer_is_read_wherever_it_is_cut(
    monkeypatch: pytest.MonkeyPatch, found: list[tuple[bytes, int, bytes]], chunk: int, longest: int
) -> None:
    monkeypatch.setattr(git, "_CHUNK", chunk)
    monkeypatch.setattr(git, "MAX_LINE", longest)
    answer = b"".join(b"%b\0%d\0%b\n" % record for record in found)
    assert list(git._grep_lines(io.BytesIO(answer))) == [
        Line(os.fsdecode(path), number, text[:longest], len(text) > longest) for path, number, text in found
    ]


@same_patch
@given(found=records.filter(bool), cut=st.integers(1, 20), longest=st.integers(1, 12))
def test_a_grep_answer_without_its_end_is_none(
    monkeypatch: pytest.MonkeyPatch, found: list[tuple[bytes, int, bytes]], cut: int, longest: int
) -> None:
    monkeypatch.setattr(git, "MAX_LINE", longest)
    last = b"%b\0%d\0%b\n" % found[-1]
    answer = b"".join(b"%b\0%d\0%b\n" % record for record in found[:-1]) + last[: -min(cut, len(last) - 1)]
    with pytest.raises(CouldNotDecide, match="in the middle of a line"):
        list(git._grep_lines(io.BytesIO(answer)))


@given(st.lists(st.text(min_size=1, max_size=20), max_size=40), st.integers(1, 100))
def test_portions_of_paths_are_all_paths_in_order_and_fit(names: list[str], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git, "_ARGUMENT_BYTES", most)
        portions = list(git._batches([name.replace("\0", "") or "x" for name in names]))
    assert [name for portion in portions for name in portion] == [name.replace("\0", "") or "x" for name in names]
    assert all(len(portion) == 1 or sum(len(os.fsencode(name)) + 1 for name in portion) <= most for portion in portions)
    assert all(portions)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\n",
        b"a b c d\n",
        b"aaaa blob x\n",
        b"aaaa blob 10\nshort\n",
        b"aaaa blob 2\nabX",
        b"aaaa blob 2\nab",
    ],
)
def test_an_object_that_is_cut_off_or_something_else_is_none(answer: bytes) -> None:
    with pytest.raises(CouldNotDecide) as raised:
        git._batch_object(io.BytesIO(answer), "c:a.py", "a.py")
    assert raised.value.code == "core.git_failed"


@pytest.mark.parametrize("fields", ["X\0a\0", "M\0", "R100\0a", "\0a\0"])
def test_a_change_that_is_cut_off_or_unknown_is_none(fields: str) -> None:
    status, *rest = fields.split("\0")
    with pytest.raises(CouldNotDecide) as raised:
        git._change(f":100644 100755 aaaa bbbb {status}", iter([part for part in rest if part]))
    assert raised.value.code == "core.git_failed"


def test_the_environment_keeps_credentials_and_certificates_for_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    environment = git._environment()
    assert environment["GIT_SSH_COMMAND"] == "ssh -i key"
    assert environment["HTTPS_PROXY"] == "http://proxy"
    assert "GIT_DIR" not in environment
    assert environment["GIT_TERMINAL_PROMPT"] == "0", "nobody is there to answer"
