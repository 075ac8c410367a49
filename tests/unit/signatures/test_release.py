from __future__ import annotations

import contextlib
import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused, UsageError
from aegis.signatures.release import PREDICATE_TYPE, Release, check, parse_release, release_statement, version_order
from tests.support.signing.models import statement

ROOT, OTHER = "ab" * 32, "cd" * 32
UTC = datetime.UTC
START = datetime.datetime(2026, 1, 1, tzinfo=UTC)
END = datetime.datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
SECOND = datetime.timedelta(seconds=1)
RELEASE = Release(name="llama", version="1.2.3", root=ROOT, not_before=START, not_after=END)

VERSION = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
TIME = st.datetimes(
    datetime.datetime(1970, 1, 1), datetime.datetime(9999, 12, 31), timezones=st.just(UTC), allow_imaginary=False
).map(lambda time: time.replace(microsecond=0))


def signed(**changed: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(release_statement(RELEASE))
    value["predicate"].update({key: item for key, item in changed.items() if item is not ...})
    return value


def code(value: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        parse_release(statement(value))
    return refused.value.code


@given(VERSION, TIME, st.none() | TIME)
def test_what_is_written_is_read(version: str, end: datetime.datetime, start: datetime.datetime | None) -> None:
    release = Release(
        name="a.b_c-1", version=version, root=ROOT, not_before=min(start, end) if start else None, not_after=end
    )
    payload = release_statement(release)
    assert release_statement(release) == payload
    read = parse_release(statement(payload))
    assert read.statement == statement(payload).sha256
    assert release == Release(
        name=read.name, version=read.version, root=read.root, not_before=read.not_before, not_after=read.not_after
    )


def test_the_statement_itself() -> None:
    value = signed()
    assert value["predicateType"] == "urn:aegis-gates:predicate:release:v1"
    assert value["subject"] == [{"name": "llama", "digest": {"sha256": ROOT}}]
    assert value["predicate"] == {
        "name": "llama",
        "version": "1.2.3",
        "digest": {"sha256": ROOT},
        "notBefore": "2026-01-01T00:00:00Z",
        "notAfter": "2026-12-31T23:59:59Z",
    }


def test_times_of_other_zones_are_written_in_utc() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    payload = release_statement(
        Release(name="a", version="1", root=ROOT, not_after=datetime.datetime(2026, 1, 1, 1, tzinfo=zone))
    )
    assert b'"2025-12-31T23:00:00Z"' in payload


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": "../x"}, "verify.release_malformed"),
        ({"name": ""}, "verify.release_malformed"),
        ({"root": "ab"}, "verify.release_malformed"),
        ({"root": ROOT.upper()}, "verify.release_malformed"),
        ({"version": "v1"}, "verify.version_invalid"),
        ({"not_after": START - SECOND}, "verify.release_malformed"),
    ],
)
def test_what_no_verifier_would_take_is_not_written(changed: dict[str, Any], expected: str) -> None:
    fields = {"name": "llama", "version": "1", "root": ROOT, "not_before": START, "not_after": END, **changed}
    with pytest.raises(UsageError) as error:
        release_statement(Release(**fields))
    assert error.value.code == expected


# --- reading ----------------------------------------------------------------------------------------------------------


def test_another_predicate_is_refused() -> None:
    assert code(signed() | {"predicateType": "https://slsa.dev/provenance/v1"}) == "verify.wrong_predicate"
    assert code(signed() | {"predicateType": PREDICATE_TYPE + "0"}) == "verify.wrong_predicate"


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "other"},
        {"name": 1},
        {"name": "a b"},
        {"name": "llama\n"},
        {"digest": {"sha256": OTHER}},
        {"digest": {"sha256": ROOT.upper()}},
        {"digest": {"sha256": ROOT, "sha512": "ab" * 64}},
        {"digest": {"sha512": "ab" * 64}},
        {"digest": {"sha256": 1}},
        {"digest": {"sha256": None}},
        {"digest": ROOT},
        {"extra": 1},
        {"notAfter": "2026-12-31"},
        {"notAfter": "2026-12-31T23:59:59+00:00"},
        {"notAfter": "2026-12-31T23:59:59.5Z"},
        {"notAfter": "2026-13-31T23:59:59Z"},
        {"notAfter": "2026-12-31T23:59:60Z"},
        {"notAfter": "2026-12-31T23:59:59Z\n"},
        {"notAfter": "٢026-12-31T23:59:59Z"},
        {"notAfter": 1798761599},
        {"notAfter": None},
        {"notBefore": None},
        {"notBefore": "2027-01-01T00:00:00Z"},
    ],
)
def test_what_is_no_release_is_refused(changed: dict[str, Any]) -> None:
    assert code(signed(**changed)) == "verify.release_malformed"


@pytest.mark.parametrize("key", ["name", "version", "digest", "notAfter"])
def test_each_field_but_the_beginning_is_needed(key: str) -> None:
    value = signed()
    del value["predicate"][key]
    assert code(value) == "verify.release_malformed"
    value = signed()
    del value["predicate"]["notBefore"]
    assert parse_release(statement(value)).not_before is None


@pytest.mark.parametrize(
    "subject",
    [
        [{"name": "llama", "digest": {"sha256": OTHER}}],
        [{"name": "other", "digest": {"sha256": ROOT}}],
        [{"digest": {"sha256": ROOT}}],
        [{"name": "llama", "digest": {"sha256": ROOT, "sha512": "ab" * 64}}],
        [{"name": "llama", "digest": {"sha256": ROOT}}, {"name": "b", "digest": {"sha256": OTHER}}],
    ],
)
def test_a_subject_that_is_not_what_is_released_is_refused(subject: list[dict[str, Any]]) -> None:
    assert code(signed() | {"subject": subject}) == "verify.release_malformed"


def test_the_older_statement_type_is_refused() -> None:
    assert code(signed() | {"_type": "https://in-toto.io/Statement/v0.1"}) == "verify.release_malformed"


JSON = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.just(1)) | st.dictionaries(st.text(), st.none())


@given(st.sampled_from(["name", "version", "digest", "notBefore", "notAfter", "x"]), JSON)
def test_a_spoiled_release_gives_nothing_but_refusals(key: str, item: Any) -> None:
    with contextlib.suppress(Refused):
        parse_release(statement(signed(**{key: item})))


# --- judging ----------------------------------------------------------------------------------------------------------


def verdict(
    release: Release = RELEASE, *, name: str = "llama", root: str = ROOT, now: datetime.datetime = START
) -> str:
    try:
        check(release, name=name, root=root, now=now)
    except Refused as refused:
        return refused.code
    return "passes"


def test_name_digest_and_time() -> None:
    assert verdict() == "passes"
    assert verdict(name="mistral") == "verify.release_name"
    assert verdict(name="Llama") == "verify.release_name"
    assert verdict(root=OTHER) == "verify.release_digest"


def test_both_ends_belong_to_the_time_in_which_it_holds() -> None:
    assert verdict(now=START - SECOND) == "verify.release_not_yet_valid"
    assert verdict(now=START) == "passes"
    assert verdict(now=END) == "passes"
    assert verdict(now=END + SECOND * 0.9) == "passes"
    assert verdict(now=END + SECOND) == "verify.release_expired"
    last = Release(
        name="llama", version="1", root=ROOT, not_after=datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    )
    assert verdict(last) == "passes"


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version",
    [
        "", "v1", "1.", ".1", "1..2", "01", "1.02", "1.2.3.4.5", "1.2-rc1", "1.2a", "-1", "+1", " 1", "1 ", "1\n",
        "\u0661", "1.2.x", "1e3", "latest", "9" * 19,
    ],
)  # fmt: skip
def test_what_has_no_order_is_no_version(version: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        version_order(version)
    assert code(signed(version=version)) == "verify.version_invalid"


@pytest.mark.parametrize("version", [1, 1.2, None, ["1"]])
def test_a_version_is_text(version: object) -> None:
    with pytest.raises(Refused, match="no text") as refused:
        parse_release(statement(signed(version=version)))
    assert refused.value.code == "verify.version_invalid"


def test_numbers_are_compared_and_not_text() -> None:
    rising = ["0", "0.0.0.1", "0.9", "0.10", "1", "1.0.1", "1.2", "1.2.0.1", "1.10", "2", "10", "9" * 18]
    assert sorted(rising, key=version_order) == rising
    assert version_order("1.2") == version_order("1.2.0") == version_order("1.2.0.0")


@given(VERSION, VERSION, VERSION)
def test_the_order_is_total(one: str, two: str, three: str) -> None:
    a, b, c = map(version_order, (one, two, three))
    assert (a < b) + (a == b) + (a > b) == 1
    if a <= b <= c:
        assert a <= c
    if a == b:
        assert one.rstrip(".0") == two.rstrip(".0")
