from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.codes import CODES
from aegis.gates.scan.fingerprint import content_fingerprint, place_fingerprints, rule_of, said
from aegis.gates.scan.model import CLASSES, Form, Surface, Use
from tests.support.scan.uses import use, uses

# printf '["aegis-use/v1", "runtime", "aws", "python", "import boto3"]' | sha256sum
CONTENT = "df249d74bf7523bfc46cf0798c745016f4e83f568019b81c7c3ae9ea8abd52b3"
# printf '["aegis-place/v1", "df24…", "a.py", "0"]' | sha256sum
PLACE = "f44a54beed9827fb8ebd80d85faa530c38e56a586514c2af27a5c48e0bcc0edd"


def test_the_content_fingerprint_is_fixed() -> None:
    # Baselines hold it: another value would make every one of them stale.
    assert content_fingerprint(use()) == CONTENT


def test_the_place_fingerprint_is_fixed() -> None:
    assert place_fingerprints([use()]) == [PLACE]


@given(uses, st.sampled_from(["x.py", "deep/y.py"]), st.integers(1, 999), st.integers(1, 80))
def test_moving_and_renaming_keep_the_content(found: Use, path: str, line: int, column: int) -> None:
    moved = replace(found, path=path, statement=replace(found.statement, line=line, column=column))
    assert content_fingerprint(moved) == content_fingerprint(found)


@pytest.mark.parametrize("text", ["import  boto3", "import boto3;", " import\tboto3 ", "import \n boto3 ;"])
def test_reformatting_keeps_the_content(text: str) -> None:
    assert content_fingerprint(use(text=text)) == content_fingerprint(use())


@pytest.mark.parametrize(
    "other",
    [
        use(text="import botocore", name="botocore"),
        use(text="import boto3 as b"),
        use(text="import Boto3"),
        use(provider="gcp"),
        use(use_class="test"),
        use(surface="npm"),
    ],
)
def test_another_sdk_class_or_provider_on_the_same_line_is_another_use(other: Use) -> None:
    assert content_fingerprint(other) != content_fingerprint(use())


@pytest.mark.parametrize(
    ("surface", "form", "name", "text", "expected"),
    [
        ("pypi", "manifest", "Google.Cloud_Storage", "Google.Cloud_Storage>=2", "google-cloud-storage"),
        ("npm", "manifest", "@aws-sdk/client-s3", '"@aws-sdk/client-s3": "3.1.0"', "@aws-sdk/client-s3"),
        ("image", "image", "amazon/aws-cli:2.1", "FROM amazon/aws-cli:2.1", "amazon/aws-cli"),
        ("image", "image", "r:5000/aws-cli", "image: r:5000/aws-cli", "r:5000/aws-cli"),
        ("image", "image", "r:5000/aws-cli:1@sha256:ab", "image: r:5000/aws-cli", "r:5000/aws-cli"),
        ("action", "action", "aws-actions/x", "uses: aws-actions/x@v4", "aws-actions/x"),
        ("command", "command", "aws s3 cp", "aws  s3 cp a b", "aws s3 cp a b"),
    ],
)
def test_an_upgrade_is_no_other_use(surface: Surface, form: Form, name: str, text: str, expected: str) -> None:
    assert said(use(surface=surface, form=form, name=name, text=text).statement) == expected


def test_facts_do_not_run_into_each_other() -> None:
    assert content_fingerprint(use(provider="a", text="b c")) != content_fingerprint(use(provider="a b", text="c"))


def test_a_text_that_is_not_utf8_has_a_fingerprint() -> None:
    assert content_fingerprint(use(text="import \udcff")) != content_fingerprint(use(text="import \udcfe"))


@given(st.lists(uses))
def test_every_place_has_a_fingerprint_of_its_own(found: list[Use]) -> None:
    assert len(set(place_fingerprints(found))) == len(found)


@given(st.lists(uses))
def test_the_order_in_which_uses_are_found_does_not_matter(found: list[Use]) -> None:
    assert Counter(place_fingerprints(found)) == Counter(place_fingerprints(found[::-1]))


@given(st.lists(uses), st.lists(uses))
def test_other_files_change_no_place(found: list[Use], others: list[Use]) -> None:
    elsewhere = [replace(other, path="elsewhere.py") for other in others]
    assert place_fingerprints([*found, *elsewhere])[: len(found)] == place_fingerprints(found)


def test_lines_change_no_place_and_the_first_of_equals_stays_the_first() -> None:
    first, second = use(line=3), use(line=9)
    lower = [
        replace(each, statement=replace(each.statement, line=each.statement.line + 40)) for each in (first, second)
    ]
    assert place_fingerprints([second, first]) == list(reversed(place_fingerprints(lower)))


def test_a_renamed_file_has_other_places() -> None:
    assert place_fingerprints([use("a.py")]) != place_fingerprints([use("b.py")])


def test_every_class_has_a_registered_rule() -> None:
    assert [rule_of(each) for each in CLASSES if rule_of(each) not in CODES] == []
