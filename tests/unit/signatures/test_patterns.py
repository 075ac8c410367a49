from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.signatures import patterns

WORKFLOW = r"^https://github\.com/org/repo/\.github/workflows/release\.yml@refs/tags/v[0-9]+\.[0-9]+$"
SIGNED = "https://github.com/org/repo/.github/workflows/release.yml@refs/tags/v1.20"
START = r"^https://github\.com/org/"


@pytest.mark.parametrize(
    ("pattern", "identity", "expected"),
    [
        (WORKFLOW, SIGNED, True),
        (WORKFLOW, SIGNED + "\n", False),
        (WORKFLOW, SIGNED + "x", False),
        (WORKFLOW, "x" + SIGNED, False),
        (WORKFLOW, SIGNED.replace("github.com", "githubXcom"), False),
        (WORKFLOW, SIGNED.replace("/org/", "/organ/"), False),
        (WORKFLOW, SIGNED.replace("v1.20", "v1.20-rc"), False),
        (WORKFLOW, SIGNED.replace("https", "HTTPS"), False),
        (WORKFLOW, SIGNED.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"), False),
        (WORKFLOW, "", False),
        (START + ".*$", "https://github.com/org/", True),
        (START + ".*$", SIGNED, True),
        (START + ".+$", "https://github.com/org/", False),
        (START + ".*$", "https://github.com/org/" + "a" * 3000, False),
        (START + ".*$", "https://github.com/org/\u202e", False),
        (START + ".*$", "https://github.com/org/\x00", False),
        (START + ".*$", "https://github.com/org2/x", False),
        (START + "(a|bc)/x$", "https://github.com/org/bc/x", True),
        (START + "(?:a|bc)/x$", "https://github.com/org/a/x", True),
        (START + "(a|bc)/x$", "https://github.com/org/ac/x", False),
        (START + "a{2,3}$", "https://github.com/org/a", False),
        (START + "a{2,3}$", "https://github.com/org/aaa", True),
        (START + "a{2,3}$", "https://github.com/org/aaaa", False),
        (START + "a{2}$", "https://github.com/org/aa", True),
        (START + "a{2,}$", "https://github.com/org/aaaaaa", True),
        (START + "a{0}b?$", "https://github.com/org/b", True),
        (START + r"[^/]+/\d\w$", "https://github.com/org/x-y/1_", True),
        (START + r"[^/]+/\d\w$", "https://github.com/org/x/y/1_", False),
        (START + r"[a-c\]x-]+$", "https://github.com/org/b]-x", True),
        (r"^[a-z.]+@example\.com$", "a.b@example.com", True),
        (r"^[a-z.]+@example\.com$", "a.b@example.com.evil.org", False),
        (r"^[a-z.]+@example\.com$", "a@b@example.com", False),
        (r"^[^@/]+@example\.com$", "https://evil.org/@example.com", False),
        (r"^spiffe://example\.org/ns/.*$", "spiffe://example.org/ns/signer", True),
        (r"^https:\/\/gitlab\.example\.com:8443/group/.*$", "https://gitlab.example.com:8443/group/p", True),
    ],
)
def test_the_whole_identity_must_fit(pattern: str, identity: str, expected: bool) -> None:
    patterns.check_identity_pattern(pattern, name="signers[0]")
    assert patterns.matches(pattern, identity) is expected


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "not anchored"),
        (".*", "not anchored"),
        ("^", "not anchored"),
        ("$", "not anchored"),
        (WORKFLOW[1:], "not anchored"),
        (WORKFLOW[:-1], "not anchored"),
        (START + r"x\$", "ends in the middle"),
        ("https://github.com/org/", "not anchored"),
        (r"\Ahttps://github\.com/org/x\Z", "not anchored"),
        ("^$", "does not write out"),
        ("^.*$", "does not write out"),
        ("^.+$", "does not write out"),
        ("^[^ ]*$", "does not write out"),
        ("^https://.*$", "does not write out"),
        (r"^https://.+\.com/org/x$", "does not write out"),
        (r"^https://github\.com/.*$", "does not write out"),
        (r"^https://github\.com/[^/]+/repo/x$", "does not write out"),
        (r"^https://github\.com/org.*$", "does not write out"),
        (r"^https://github\.com/org$", "does not write out"),
        (r"^https://(github|gitlab)\.com/org/x$", "does not write out"),
        (r"^https?://github\.com/org/x$", "does not write out"),
        (r"^https://github\.com?/org/x$", "does not write out"),
        (r"^https://github\.com/org?/x$", "does not write out"),
        (r"^https://user@github\.com/org/x$", "does not end in"),
        (r"^https:///org/x$", "does not write out"),
        (r"^http://github\.com/org/x$", "does not write out"),
        (r"^https://[g]ithub\.[c-d]om/org/.*$", "does not write out"),
        (r"^.*@example\.com$", "leaves more open"),
        (r"^.+@example\.com$", "leaves more open"),
        (r"^[^/]+@example\.com$", "leaves more open"),
        (r"^[^@]+@example\.com$", "leaves more open"),
        (r"^@example\.com$", "leaves more open"),
        (r"^https://evil\.org/@example\.com$", "leaves more open"),
        (r"^(a|b/c)@example\.com$", "leaves more open"),
        (r"^[a-z]+@example\.(com|org)$", "does not write out"),
        (r"^[a-z]+@.*\.com$", "does not write out"),
        (r"^[a-z]+@localhost$", "does not write out"),
        (r"^[a-z]+@example.com$", "dot that is not escaped"),
        (r"^x@example\.com/y$", "does not end in"),
        (r"^https://github.com/org/x$", "dot that is not escaped"),
        (START + "a.b$", "dot that is not escaped"),
        ("^a|b$", r"has '\|'"),
        (WORKFLOW[:-1] + "|.*$", r"has '\|'"),
        (START + "x$|^.*$", r"has '\$'"),
        (START + "x^y$", r"has '\^'"),
        (START + "x$y$", r"has '\$'"),
        (START + "(a+)+$", "quantifier in a group"),
        (START + "(a*)*$", "quantifier in a group"),
        (START + "(a|a?)+$", "quantifier in a group"),
        (START + "(a|b)+$", "repeats a group"),
        (START + "(a|b){2}$", "repeats a group"),
        (START + "((a))$", r"has '\('"),
        (START + "(a|)$", "empty alternative"),
        (START + "()$", "empty alternative"),
        (START + "(a$", "ends in the middle"),
        (START + "a)$", r"has '\)'"),
        (START + "a**$", "quantifier after"),
        (START + "a+?$", "quantifier after"),
        (START + "a*+$", "quantifier after"),
        (START + "a{1}{2}$", "quantifier after"),
        (START + "*$", "does not write out"),
        (START + "{3}$", "does not write out"),
        (START + "a{,3}$", "'\\{'"),
        (START + "a{2,1}$", "fits nothing"),
        (START + "a{1000}$", "'\\{'"),
        (START + r"(a)\1$", "escape"),
        (START + r"(?P<n>a)(?P=n)$", r"'\?'"),
        (START + "(?=a)a$", r"'\?'"),
        (START + "(?!a)b$", r"'\?'"),
        (START + "(?<=/)b$", r"'\?'"),
        (START + "(?i:a)$", r"'\?'"),
        ("^(?i)https://github\\.com/org/x$", r"'\?'"),
        ("^(?m)" + START[1:] + "x$", r"'\?'"),
        (START + "(?#c)a$", r"'\?'"),
        (START + r"\bx$", "escape"),
        (START + r"\s+$", "escape"),
        (START + r"\S+$", "escape"),
        (START + r"\n$", "escape"),
        (START + r"\x41$", "escape"),
        (START + r"\Qa\E$", "escape"),
        (START + "x\n$", "no identity has"),
        (START + "\x00$", "no identity has"),
        (START + "é$", "no identity has"),
        (START + "[a$", "ends in the middle"),
        (START + "[]a]$", "empty brackets"),
        (START + "[^]$", "empty brackets"),
        (START + "[A-z]$", "range"),
        (START + "[z-a]$", "range"),
        (START + "[ -~]$", "range"),
        (START + "[[:alpha:]]$", "between brackets"),
        (START + "[a&&b]$", "between brackets"),
        (START + "x" * 500 + "$", "500 characters"),
    ],
)
def test_patterns_that_leave_something_open_are_refused(pattern: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        patterns.check_identity_pattern(pattern, name="verify.signers[0].identity-pattern")
    assert error.value.code == "verify.pattern_unsafe"
    assert error.value.problem.startswith("verify.signers[0].identity-pattern: ")
    assert error.value.problem.isprintable()
    assert not patterns.matches(pattern, SIGNED), "an unchecked pattern must not match either"
    assert not patterns.matches(pattern, "a@example.com")


@pytest.mark.parametrize("middle", [".*" * 200, "a*" * 200, "a?" * 200, "[^/]*" * 80, "a{0,99}" * 60])
def test_no_pattern_costs_much(middle: str) -> None:
    pattern = START + middle + "x$"
    patterns.check_identity_pattern(pattern, name="n")
    started = time.process_time()
    assert not patterns.matches(pattern, "https://github.com/org/" + "a" * 2000)
    assert time.process_time() - started < 5


ATOM = st.sampled_from(
    ["a", "b", "-", r"\.", r"\$", "/", "[ab]", "[^a]", "[a-c.-]", r"\d", r"\w", r"[\]\-/]", "(a|bb)", "(?:ab|b)"]
)
QUANTIFIER = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,2}", "{0,}"])
PART = st.tuples(ATOM, QUANTIFIER).map(lambda part: part[0] + ("" if part[0].startswith("(") else part[1]))
TAIL = st.lists(PART | st.sampled_from([".*", ".+", ".{1,2}"]), max_size=6).map("".join)


@given(TAIL, st.text(alphabet="ab-.$/]1_c", max_size=8))
@example("", "")
def test_it_means_what_re_means(tail: str, end: str) -> None:
    pattern = START + tail + "$"
    patterns.check_identity_pattern(pattern, name="n")
    for identity in ("https://github.com/org/" + end, "https://github.com/orgs/" + end):
        assert patterns.matches(pattern, identity) == (re.fullmatch(pattern, identity, re.ASCII) is not None)


@given(st.text(alphabet="^$.*+?()[]{}|\\/:@ahtps-,2d", max_size=40), st.text(max_size=10))
def test_only_usage_errors_leave_it_and_what_it_takes_is_a_regular_expression(text: str, identity: str) -> None:
    for pattern in (text, START + text, START + text + "$"):
        try:
            patterns.check_identity_pattern(pattern, name="n")
        except UsageError:
            assert not patterns.matches(pattern, identity)
            continue
        re.compile(pattern)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60))
def test_an_escaped_identity_matches_only_itself(text: str) -> None:
    identity = "https://github.com/org/" + text
    pattern = "^" + re.escape(identity) + "$"
    patterns.check_identity_pattern(pattern, name="n")
    assert patterns.matches(pattern, identity)
    assert not patterns.matches(pattern, identity + "x")
    assert not patterns.matches(pattern, identity[:-1])
