"""Three texts decide over each file, and a person's edit is never lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.scaffold import codeowners, record
from aegis.scaffold.changes import REFUSED, Change, Merge, State, changes
from aegis.scaffold.choices import Artifact, Choices
from aegis.scaffold.record import Record
from tests.unit.scaffold.test_choices import WHOLE


def never(mine: str, base: str, new: str) -> str | None:
    """A merge that finds a conflict."""
    return None


def both(mine: str, base: str, new: str) -> str | None:
    """A merge that finds none."""
    return f"{mine}{new}"


def one(
    new: str | None,
    base: str | None,
    mine: str | None,
    *,
    merge: Merge = never,
    overwrite: bool = False,
    keep: bool = False,
) -> Change:
    """What becomes of one file."""
    (found,) = changes(
        {"f": new} if new is not None else {},
        {"f": base} if base is not None else {},
        {"f": mine} if mine is not None else {},
        merge,
        overwrite={"f"} if overwrite else (),
        keep={"f"} if keep else (),
    )
    return found


@pytest.mark.parametrize(
    ("new", "base", "mine", "state", "after"),
    [
        ("n", None, None, State.CREATED, "n"),
        ("n", None, "n", State.UNCHANGED, "n"),
        ("n", None, "x", State.EXISTS, "n"),
        ("n", "b", "b", State.UPDATED, "n"),
        ("n", "n", "n", State.UNCHANGED, "n"),
        ("n", "n", "x", State.EDITED, "x"),
        ("n", "b", "n", State.UNCHANGED, "n"),
        ("n", "b", "x", State.CONFLICT, "n"),
        ("n", "b", None, State.DELETED, None),
        (None, "b", "b", State.REMOVED, None),
        (None, "b", "x", State.LEFT, "x"),
        (None, "b", None, State.UNCHANGED, None),
    ],
)
def test_each_case(new: str | None, base: str | None, mine: str | None, state: State, after: str | None) -> None:
    found = one(new, base, mine)
    assert (found.state, found.after) == (state, after)


def test_a_merge_keeps_both() -> None:
    found = one("n", "b", "x", merge=both)
    assert (found.state, found.after, found.written) == (State.MERGED, "xn", "n")


def test_a_named_file_is_overwritten_or_kept() -> None:
    assert one("n", None, "x", overwrite=True).after == "n"
    assert one("n", "b", None, overwrite=True).state is State.CREATED
    kept = one("n", "b", "x", keep=True)
    assert (kept.state, kept.after, kept.written) == (State.KEPT, "x", None)


texts = st.none() | st.sampled_from(["", "a\n", "b\n", "c\n"])


@settings(max_examples=300, deadline=None)
@given(texts, texts, texts)
def test_what_a_person_wrote_stays_or_nothing_is_written(new: str | None, base: str | None, mine: str | None) -> None:
    if new is None and base is None:
        return
    found = one(new, base, mine)
    edited = mine is not None and mine != base
    if edited and found.state not in REFUSED:
        assert found.after == mine
    if mine is None and base is not None:
        assert found.after is None  # what a person deleted stays away


def test_a_difference_is_shown_as_git_shows_it() -> None:
    shown = Change("f", State.UPDATED, "a\nb", "a\nc\n", "a\nc\n").diff()
    assert shown == "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    assert Change("f", State.CREATED, None, "a\n", "a\n").diff().startswith("--- /dev/null\n+++ b/f\n")


def test_a_record_is_read_back_as_it_was_written() -> None:
    written = Record(WHOLE, {"aegis.yml": "x\ny", "CODEOWNERS": ""}, frozenset({".github/workflows/canary.yml"}))
    assert record.load(record.dump(written).encode()) == written
    assert record.dump(record.load(record.dump(written).encode())) == record.dump(written)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"version": 2, "aegis": "1", "choices": {"gates": ["scan"]}, "files": {}}',
        b'{"version": 1, "aegis": "1", "choices": {"gates": ["scan"], "shell": "x"}, "files": {}}',
        b'{"version": 1, "aegis": "1", "choices": {}, "files": {}}',
        b'{"version": 1, "aegis": "1", "choices": {"gates": ["scan"]}, "files": {"a": "text"}}',
        b'{"version": 1, "aegis": "1", "choices": {"gates": ["scan"]}, "files": {}, "more": 1}',
        b"[" * 100_000,
        b" " * (5 << 20),
    ],
    ids=["empty", "list", "object", "bytes", "version", "choice", "lacking", "lines", "more", "deep", "large"],
)
def test_a_broken_record_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        record.load(data)
    assert caught.value.code == "init.record_invalid"


def test_a_record_of_forbidden_values_is_refused() -> None:
    evil = Record(Choices(gates=("verify",), repository="octo/w", artifacts=(Artifact("x", "s3://a\nb"),)), {})
    with pytest.raises(UsageError) as caught:
        record.load(record.dump(evil).encode())
    assert caught.value.code == "init.value_invalid"


OWN = "/.github/ @octo/platform\n"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab/* @#\n", max_size=40), st.text(alphabet="ab/ @\n", max_size=20).map(lambda t: t + "\n"))
def test_own_lines_go_in_and_out_and_leave_the_rest(others: str, own: str) -> None:
    whole = codeowners.with_own_lines(others, own)
    assert whole is not None
    assert codeowners.own_lines(whole) == own
    assert whole.startswith(others)
    assert codeowners.with_own_lines(whole, own) == whole
    without = codeowners.with_own_lines(whole, None) or ""
    assert without.strip("\n") == others.strip("\n") or not others.strip()


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*", "a/b/c.py", True),
        ("/aegis.yml", "aegis.yml", True),
        ("/aegis.yml", "sub/aegis.yml", False),
        ("aegis.yml", "sub/aegis.yml", True),
        ("/.github/", ".github/workflows/a.yml", True),
        (".github/", "sub/.github/a", True),
        ("/.github", ".github/workflows/a.yml", True),
        ("/.github/*", ".github/workflows/a.yml", False),
        ("/.github/*", ".github/CODEOWNERS", True),
        ("docs/*", "docs/a.md", True),
        ("docs/*", "docs/deep/a.md", False),
        ("docs/*", "x/docs/a.md", False),
        ("**/logs", "build/logs/x", True),
        ("/a/**/z", "a/z", True),
        ("/a/**/z", "a/b/c/z", True),
        ("/a/**", "a/b/c", True),
        ("*.js", "a/b.js", True),
        ("*.js", "a/b.jsx", False),
        ("/aegis*.yml", "aegis.oci.yml", True),
        ("[ab].py", "a.py", False),
        ("!a.py", "a.py", False),
    ],
)
def test_who_owns_a_path(pattern: str, path: str, fits: bool) -> None:
    assert codeowners.owners(f"{pattern} @x\n", path) == (("@x",) if fits else ())


def test_the_last_line_that_fits_decides_and_may_take_the_owner_away() -> None:
    text = "* @all # everybody\n/aegis.yml @octo/platform\n/aegis.yml\n/with\\ space @x\n"
    assert codeowners.owners(text, "a") == ("@all",)
    assert codeowners.owners(text, "aegis.yml") == ()
    assert codeowners.owners(text, "with space") == ("@x",)
    assert codeowners.unowned(text, ["a", "aegis.yml"]) == ["aegis.yml"]
