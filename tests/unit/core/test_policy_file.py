from __future__ import annotations

import contextlib
import datetime
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegis.core import schemas
from aegis.core.errors import UsageError
from aegis.core.policy import Policy, ScanPolicy
from aegis.core.policy_file import merged_policy, parse_policy


def parse(text: str | bytes) -> Policy:
    data = text.encode() if isinstance(text, str) else text
    return parse_policy(data, file="aegis.yml").policy


def test_an_empty_section_is_one_of_defaults() -> None:
    assert parse("version: 1\nscan:\n").scan == ScanPolicy()
    assert parse("version: 1\n").scan is None


def test_everything_written_is_read() -> None:
    policy = parse(
        """
version: 1
mode: observe until 2027-01-31
extends: {repository: org/policies, commit: 0123456789abcdef0123456789abcdef01234567}
waivers:
  - {gate: scan, rule: scan.cli, fingerprint: %s, owner: me, reason: why, expires: 2027-01-01}
scan:
  strict: false
  providers: [aws]
  allowed-classes: [test]
  tests: ["checks/**"]
  baseline: b.json
  allow: [{path: "a/**", provider: aws, reason: adapter, classes: [runtime]}]
  suppressions: [{rule: scan.cli, path: x.sh, owner: me, reason: why, expires: 2026-12-24}]
"""
        % ("a" * 64)
    )
    assert policy.mode == "observe until 2027-01-31"
    assert policy.extends is not None
    assert policy.extends.path == "aegis.yml"
    assert policy.scan is not None
    assert policy.scan.suppressions[0].expires == datetime.date(2026, 12, 24)
    assert policy.scan.allow[0].classes == ("runtime",)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("version: 1\nscan:\n  alow: []\n", "3:3", "did you mean `allow`?"),
        ("version: 1\nscn: {}\n", "2:1", "did you mean `scan`?"),
        ("version: 1\nscan:\n  allow:\n    - {path: a, provider: aws, reason: r, clases: []}\n", "4:43", "`classes`"),
        ("version: 2\n", "1:10", "Invalid enum value 2"),
        ("scan: {}\n", "1:1", "required field `version`"),
        ("version: 1\nmode: observe\n", "2:7", "name the day it ends"),
        ("version: 1\nmode: observe\n", "2:7", "mode is 'observe'\n  expected: `enforce`, or `observe until"),
        ("version: 1\nmode: |\n  enforce\n", "2:7", "name the day it ends"),
        ("version: 1\nmode: observe until 2027-02-30\n", "2:7", "'2027-02-30' is no day"),
        ("version: 1\nscan:\n  strict: 'yes'\n", "3:11", "scan.strict is `str`\n  expected: `bool`\n"),
        ("version: 1\nscan:\n  allowed-classes: [tests]\n", "3:21", "Invalid enum value 'tests'"),
        ("version: 1\nscan:\n  allowed-classes: [tests]\n", "3:21", "expected: one of ci, cli, dynamic, embedded, "),
        ("version: 1\nbackup-check: {store: a/, databases: [{name: a, tier: all}]}\n", "2:55", "one of data, full, "),
        ("version: 1\nscan: {suppressions: [{expires: soon}]}\n", "2:33", "expected: a day, YYYY-MM-DD\n"),
        ("version: 1\nverify: {signers: [{valid-until: soon}]}\n", "2:34", "expected: a day, YYYY-MM-DD\n"),
        (
            "version: 1\nverify: {signers: [{claims: {sub: 3}}]}\n",
            "2:29",
            "a value in verify.signers.0.claims is `int`",
        ),
        ("version: 1\nscan:\n  allow: [{path: '', provider: aws, reason: r}]\n", "3:18", "length >= 1"),
        ("version: 1\nversion: 1\n", "2:1", "stands twice"),
        ("version: 1\nscan: &s {}\nother: *s\n", "3:8", "an alias"),
        ("version: 1\n? [a]\n: b\n", "2:3", "a key that is no word"),
        ("version: 1\nscan: {suppressions: [{expires: 2026-13-01}]}\n", "2:33", "no valid value"),
        ("version: !!python/object/apply:os.system ['true']\n", "1:10", "expected: `int`"),
        ("- 1\n", "1:1", "the top level is `array`\n  expected: `object`\n"),
        ("a: [\n", "2:1", "next"),
        ("a: 1\n---\nb: 2\n", "2:1", "expected a single document in the stream but found another document"),
        ("scan:\n\tallow: []\n", "2:1", "a tab\n  expected: spaces\n"),
        ("scan: {\u00e9: x}\n  \t- a: []\n", "2:3", "a tab\n  expected: spaces\n"),
        ("", "1:1", "the file is empty"),
        ("[" * 1000 + "]" * 1000, "1:21", "nested too deep"),
    ],
)
def test_a_wrong_policy_is_told_with_its_place(text: str, place: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.code == "core.policy_invalid"
    assert caught.value.exit_code == 2
    assert caught.value.problem == f"aegis.yml:{place}: {caught.value.unplaced}"
    assert words in str(caught.value)
    assert "docs/" not in str(caught.value), "whoever installed the wheel has no such file"


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"version: \xff\n", "not UTF-8"), (b"#" * (1 << 20) + b"\n", "at most"), (b"version: 1\x00", "expected")],
)
def test_what_is_no_text_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=r"aegis\.yml") as caught:
        parse(data)
    assert words in str(caught.value)


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
def test_nothing_but_a_policy_or_an_error_comes_out(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(parse(text.encode("utf-8", "surrogatepass")), Policy)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["aws", "a/**", "runtime", "", "2027-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["path", "provider", "reason", "classes", "strict", "allow", "tests"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_the_published_schema_and_the_parser_agree(section: object) -> None:
    document = {"version": 1, "scan": section}
    valid = jsonschema.Draft202012Validator(schemas.policy_schema()).is_valid(document)
    try:
        parse(yaml.safe_dump(document))
    except UsageError:
        assert not valid
    else:
        assert valid


def test_the_consumer_example_is_a_policy() -> None:
    root = Path(__file__).parents[3]
    for file in (root / "aegis.yml", root / "examples/consumer/aegis.yml"):
        assert parse(file.read_bytes()).scan is not None


def test_a_merged_policy_keeps_what_the_upper_does_not_set() -> None:
    under = parse_policy(b"version: 1\nscan: {providers: [aws], tests: [t]}\n", file="org")
    over = parse_policy(b"version: 1\nscan: {tests: []}\n", file="own")
    merged = merged_policy(under, over, file="own")
    assert merged.scan == ScanPolicy(providers=("aws",), tests=())


def test_the_schema_is_itself_a_schema() -> None:
    for name in schemas.SCHEMAS:
        jsonschema.Draft202012Validator.check_schema(json.loads(schemas.rendered(name)))
