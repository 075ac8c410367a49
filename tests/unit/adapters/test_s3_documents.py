from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.adapters.objects.s3_documents import error_code, parse_objects, parse_versions, repeated
from aegis.core.errors import CouldNotDecide

VERSIONS = b"""<?xml version="1.0"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>models</Name><Prefix>m/</Prefix>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<NextKeyMarker>m/a+b</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>
<Version><Key>m/a+b</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest><ETag>&quot;e&quot;</ETag><Size>5</Size></Version>
<Version><Key>m/a+b</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest><ETag>&quot;d&quot;</ETag><Size>4</Size></Version>
<DeleteMarker><Key>m/c</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest></DeleteMarker>
</ListVersionsResult>"""


def test_a_page_of_versions() -> None:
    page = parse_versions(VERSIONS, "s3://models/m/", "m/")
    assert [(info.key, info.size, info.version, info.etag) for info in page.objects] == [("m/a b", 5, "v2", '"e"')]
    assert page.names == (("m/a b", "v2"), ("m/a b", "v1"), ("m/c", "v3"))
    assert page.next == (("key-marker", "m/a b"), ("version-id-marker", "v1"))


def test_a_store_that_says_no_encoding_means_its_keys_as_they_are() -> None:
    page = parse_versions(VERSIONS.replace(b"<EncodingType>url</EncodingType>", b""), "s3://models/m/", "m/")
    assert page.objects[0].key == "m/a+b"


@given(st.data())
def test_a_page_that_was_changed_anywhere_is_a_page_or_an_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(VERSIONS)))
    end = data.draw(st.integers(start, min(len(VERSIONS), start + 40)))
    changed = VERSIONS[:start] + data.draw(st.binary(max_size=20)) + VERSIONS[end:]
    for parse in (parse_versions, parse_objects):
        try:
            page = parse(changed, "s3://models/m/", "m/")
        except CouldNotDecide:
            continue
        assert all(key.startswith("m/") for key, _ in page.names)
        assert all(info.size >= 0 for info in page.objects)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey"),
        (b'<Error xmlns="x"><Code>NoSuchKey</Code></Error>', "NoSuchKey"),
        (b"<Error><Code>a\nb</Code></Error>", ""),
        (b"<Error><Code>::error::x</Code></Error>", ""),
        (b"<Error/>", ""),
        (b"", ""),
        (b"<html><body>", ""),
        (b"\xff\xfe", ""),
        (b"<!DOCTYPE a [<!ENTITY b 'NoSuchKey'>]><Error><Code>&b;</Code></Error>", ""),
        ("<!DOCTYPE a [<!ENTITY b 'NoSuchKey'>]><Error><Code>&b;</Code></Error>".encode("utf-16"), ""),
    ],
)
def test_an_error_gives_its_code_and_nothing_else(document: bytes, code: str) -> None:
    assert error_code(document) == code


def test_what_comes_twice_is_found_in_a_page_and_over_pages() -> None:
    seen: set[tuple[str, str]] = set()
    assert repeated(seen, [("a", "1"), ("a", "2"), ("b", "1")]) is None
    assert repeated(seen, [("c", "1"), ("c", "1")]) == "c"
    assert repeated(seen, [("a", "2")]) == "a"
