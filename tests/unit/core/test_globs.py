from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core import globs


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a.py", "a.py", True),
        ("a.py", "b/a.py", False),
        ("a.py", "a.pyc", False),
        ("A.py", "a.py", False),
        ("src/adapters", "src/adapters/aws.py", False),
        ("src/adapters/", "src/adapters/aws.py", True),
        ("src/adapters/", "src/adapters/deep/aws.py", True),
        ("src/adapters/", "src/adapters", False),
        ("src/adapters/", "src/adapters_evil/aws.py", False),
        ("src/adapters/**", "src/adapters/x/y/z.py", True),
        ("src/adapters/**", "src/adapters", False),
        ("src/*/aws.py", "src/a/aws.py", True),
        ("src/*/aws.py", "src/a/b/aws.py", False),
        ("src/*/aws.py", "src/aws.py", False),
        ("*", "a", True),
        ("*", "a/b", False),
        ("**", "a/b/c", True),
        ("**/x.py", "x.py", True),
        ("**/x.py", "a/b/x.py", True),
        ("**/x.py", "a/bx.py", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/xb", False),
        ("a/**/**/b", "a/b", True),
        ("**/**", "a", True),
        ("**/test_*.py", "a/test_x.py", True),
        ("**/test_*.py", "test_x.py/a.py", False),
        ("?.py", "a.py", True),
        ("?.py", "é.py", True),
        ("?.py", "ab.py", False),
        ("a?b", "a/b", False),
        ("app/[id]/page.ts", "app/[id]/page.ts", True),
        ("app/[id]/page.ts", "app/i/page.ts", False),
        ("{a,b}.py", "a.py", False),
        ("a.b", "axb", False),
        ("*.py", "new\nline.py", True),
        ("*.py", "\udcff.py", True),
        ("a*b*c", "abbc", True),
        ("a*b*c", "abcb", False),
        ("a*bc*bc", "abcbc", True),
        ("a*bc*bc", "abc", False),
        ("**/a/**/a/x", "a/x", False),
        ("**/a/**/a/x", "a/a/x", True),
        ("**/a*/b/**/c", "a1/a2/b/c", True),
        ("", "", False),
    ],
)
def test_which_paths_a_pattern_means(pattern: str, path: str, expected: bool) -> None:
    assert globs.matches(pattern, path) is expected


def oracle(pattern: list[str], path: list[str]) -> bool:
    """The definition, word by word."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(path)
        return any(oracle(pattern[1:], path[at:]) for at in range(len(path) + 1))
    return bool(path) and name_oracle(pattern[0], path[0]) and oracle(pattern[1:], path[1:])


def name_oracle(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(name_oracle(pattern[1:], name[at:]) for at in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and name_oracle(pattern[1:], name[1:])


segments = st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=5).filter(lambda text: "**" not in text))
names = st.text("ab", min_size=1, max_size=6)


@given(st.lists(segments, min_size=1, max_size=6), st.lists(names, min_size=1, max_size=6))
def test_it_means_what_the_definition_says(pattern: list[str], path: list[str]) -> None:
    # `**` at the end means something inside, so after another `**` there must be something left for it.
    assert globs.matches("/".join(pattern), "/".join(path)) is oracle(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "b", "a" * 4000),
        ("**/a/" * 40 + "b", "a/" * 1000 + "c"),
        ("**/*a*a*a*/" * 12 + "b", "aaaa/" * 400 + "c"),
        ("?*" * 40 + "b", "a" * 4000),
    ],
)
def test_no_pattern_takes_for_ever(pattern: str, path: str) -> None:
    # With plain backtracking each of these runs longer than anybody waits.
    assert not globs.matches(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "relative"),
        ("/a", "relative"),
        ("a\\b", "separated"),
        ("a//b", "empty"),
        ("./a", "empty"),
        ("a/../b", "empty"),
        ("a**", "alone"),
        ("**.py", "alone"),
        ("a\nb", "control"),
        ("a/***", "alone"),
    ],
)
def test_what_is_no_pattern_is_said_and_means_nothing(pattern: str, why: str) -> None:
    problem = globs.problem(pattern)
    assert problem is not None
    assert re.search(why, problem)
    assert not globs.matches(pattern, pattern)
    assert not globs.matches(pattern, "a")


def test_a_pattern_has_no_problem() -> None:
    assert [pattern for pattern in ("a", "a/", "**", "**/a*", "a/**/b?", "é [x]{y}!#") if globs.problem(pattern)] == []


def test_any_of_several() -> None:
    assert globs.matches_any(("x", "a/*"), "a/b")
    assert not globs.matches_any((), "a/b")
