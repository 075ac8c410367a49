"""Values are filled into a file that people wrote, and nothing else in it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.scaffold.outputs import KNOWN
from aegis.scaffold.values import filled

ROOT = Path(__file__).resolve().parents[3]
WRITTEN = b"""\
# ours
cloud: aws   # stays
objectStore: {bucket: '', modelsUrl: ""}  # both
database:
    url: ""     # indented by four
    # a remark
    extra: [1,   2]
text: |
  url: ""
  {{ .Values.region }}
"""


def test_only_the_texts_change() -> None:
    changes = {
        "objectStore.bucket": "models",
        "objectStore.modelsUrl": "s3://models/",
        "database.url": "postgresql://a@b/c",
    }
    assert filled(WRITTEN, changes, file="v.yaml") == (
        WRITTEN.replace(b"bucket: ''", b'bucket: "models"')
        .replace(b'modelsUrl: ""', b'modelsUrl: "s3://models/"')
        .replace(b'    url: ""', b'    url: "postgresql://a@b/c"')
    )


def test_filling_twice_is_filling_once() -> None:
    once = filled(WRITTEN, {"cloud": "oci"}, file="v.yaml")
    assert filled(once, {"cloud": "oci"}, file="v.yaml") == once
    assert once.startswith(b'# ours\ncloud: "oci"   # stays\n')


def test_line_ends_of_another_system_stay() -> None:
    data = b'a: "1"\r\nb:\r\n  c: x # y\r\n'
    assert filled(data, {"b.c": "z"}, file="v.yaml") == b'a: "1"\r\nb:\r\n  c: "z" # y\r\n'


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1),
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))),
)
def test_any_text_is_what_a_reader_gets(before: str, value: str) -> None:
    data = yaml.safe_dump({"a": {"b": before}, "c": 1}, allow_unicode=True, default_style='"', width=10**6).encode()
    assert yaml.safe_load(filled(data, {"a.b": value}, file="v.yaml")) == {"a": {"b": value}, "c": 1}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a: 1", "x.y is not there"),
        (b"x: 1", "x.y is not there"),
        (b"x: {y: [1]}", "no text in one line"),
        (b"x: {y: {z: 1}}", "no text in one line"),
        (b"x:\n  y: |\n    text\n", "no text in one line"),
        (b'x:\n  y: "a\n    b"\n', "no text in one line"),
        (b"x:\n  y:\n", "no text in one line"),
        (b'x: {y: ""}\nx: {y: ""}', "stands twice"),
        (b'k: &a {y: ""}\nx: *a', "alias"),
        (b"x: [", "expected"),
        (b"\xff", "UTF-8"),
        (b"", "empty"),
        (b'x: {y: ""}\n---\nx: {y: ""}', "document"),
    ],
    ids=[
        "no key", "no mapping", "list", "mapping", "block", "two lines", "nothing", "twice", "alias", "no YAML",
        "no UTF-8", "empty", "two documents",
    ],
)  # fmt: skip
def test_a_file_without_the_place_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        filled(data, {"x.y": "z"}, file="v.yaml")
    assert caught.value.code == "render.values_unfit"


def test_a_place_that_is_written_with_an_anchor_stays_what_it_is() -> None:
    with pytest.raises(UsageError) as caught:
        filled(b'x: {y: &a "1", z: 2}', {"x.y": "3", "x.z.a": "4"}, file="v.yaml")
    assert caught.value.code == "render.values_unfit"


@pytest.mark.parametrize("cloud", ["aws", "oci"])
def test_the_shipped_files_have_each_place_and_nothing_in_it(cloud: str) -> None:
    data = (ROOT / f"helm/values.{cloud}.yaml").read_bytes()
    values = yaml.safe_load(data)
    assert values["cloud"] == cloud
    for key in [known.value for known in KNOWN if cloud in known.clouds] + ["image.digest", "backup.image.digest"]:
        here = values
        for name in key.split("."):
            here = here[name]
        assert here == "", key
    assert filled(data, {"region": ""}, file="v.yaml") == data
