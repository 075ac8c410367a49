from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.storage.location import Location, parse_location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("s3://models/llama/7b/", Location("s3", "models", "llama/7b/")),
        ("s3://my.models-1/a b+c=é.bin", Location("s3", "my.models-1", "a b+c=é.bin")),
        ("s3://models/", Location("s3", "models", "")),
        ("oci://axaxnpcrorw5/Models_1/llama/", Location("oci", "axaxnpcrorw5/Models_1", "llama/")),
        ("https://host.example/a/b.bin", Location("https", "https://host.example", "a/b.bin")),
        ("https://host.example:8443/a%20b.bin", Location("https", "https://host.example:8443", "a%20b.bin")),
        ("http://127.0.0.1:9/a", Location("https", "http://127.0.0.1:9", "a")),
        ("http://[::1]:9/a", Location("https", "http://[::1]:9", "a")),
        ("http://localhost/a", Location("https", "http://localhost", "a")),
        ("models/llama/", Location("file", ".", "models/llama/")),
        ("model.bin", Location("file", ".", "model.bin")),
        ("a:b/c#d?.bin", Location("file", ".", "a:b/c#d?.bin")),
        ("/srv/models/llama/", Location("file", "/srv/models", "llama/")),
        ("/model.bin", Location("file", "/", "model.bin")),
        ("./", Location("file", ".", "")),
    ],
)
def test_each_address_is_read_in_one_way_and_written_as_it_was(text: str, location: Location) -> None:
    assert parse_location(text) == location
    assert str(location) == text
    assert location.is_prefix == text.endswith("/")


def test_a_leading_dot_is_the_same_folder() -> None:
    assert parse_location("./models/a.bin") == parse_location("models/a.bin")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3://",
        "s3:///key",
        "s3://models",
        "s3:/models/key",
        "S3://models/key",
        "s3://Models/key",
        "s3://ab/key",
        "s3://-models/key",
        "s3://mod..els/key",
        "s3://192.168.0.1/key",
        "s3://mod_els/key",
        "s3://user@models/key",
        "s3://models:80/key",
        "s3://models/../other/key",
        "s3://models/a/./b",
        "s3://models/a//b",
        "s3://models//a",
        "s3://models/a//",
        "s3://models/..",
        "s3://models/a?versionId=1",
        "s3://models/a#b",
        "s3://models/a\nb",
        "s3://models/a\0b",
        "s3://models/a\x7fb",
        "s3://models/a\u202eb",
        "s3://models/a\u200bb",
        "s3://models/a\ud800",
        "s3://models/" + "a" * 1025,
        "s3://models/" + "é" * 513,
        "oci://namespace/",
        "oci://namespace/bucket",
        "oci:///bucket/key",
        "oci://namespace//key",
        "oci://Name Space/bucket/key",
        "https://host",
        "https://host/",
        "https:///path",
        "https://user@host/a",
        "https://user:password@host/a",
        "https://HOST/a",
        "https://host:0/a",
        "https://host:65536/a",
        "https://host:/a",
        "https://host./a",
        "https://-host/a",
        "https://ho st/a",
        "https://höst/a",
        "https://host/a?b",
        "https://host/a#b",
        "https://host/a b",
        "https://host/é",
        "https://host/%",
        "https://host/%zz",
        "https://host/%2e%2e/a",
        "https://host/a%2fb",
        "https://host/a%5cb",
        "https://host/a%00b",
        "https://host/a%0ab",
        "https://host/a%252fb",
        "https://host/%ff",
        "https://host/a\\b",
        "http://host/a",
        "http://127.0.0.1.evil.example/a",
        "http://localhost.evil.example/a",
        "http://127.0.0.2/a",
        "ftp://host/a",
        "file:///etc/passwd",
        "gs://bucket/key",
        "javascript://a/b",
        "../models/",
        "models/../../etc/passwd",
        "/srv/../etc/passwd",
        "/srv//models/",
        "/",
        "//",
        "a//b",
        "a\\b",
        "./../a",
        "foo://bar",
    ],
)
def test_what_two_programs_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_location(text)
    assert caught.value.code == "verify.source_invalid"


KEYS = st.lists(st.text("abcXYZ019._- é+=~", min_size=1, max_size=8), min_size=1, max_size=5).map("/".join)


@given(KEYS, st.booleans(), st.sampled_from(["s3://models/", "oci://ns/Bucket/", "/srv/", "/srv/a/", ""]))
def test_a_location_that_was_read_is_written_and_read_again_as_the_same(key: str, folder: bool, start: str) -> None:
    text = start + key + "/" * folder
    try:
        location = parse_location(text)
    except UsageError:
        return
    assert parse_location(str(location)) == location
    assert ".." not in location.key.split("/")
    if start:
        assert str(location) == text


@given(st.text(max_size=60))
def test_any_text_is_a_location_or_a_usage_error(text: str) -> None:
    for start in ("", "s3://models/", "oci://", "https://", "https://host/", "/"):
        try:
            location = parse_location(start + text)
        except UsageError:
            continue
        assert parse_location(str(location)) == location
