"""Names of stored verdicts: they sort by time, and a name of any other form is none."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import Refused, UsageError
from aegis.evidence.layout import About, commit, digest, entry_of, key_of, moment_of, stamp_of, verdict_key
from tests.support.verdicts.evidence import COMMIT, made
from tests.support.verdicts.signed_verdicts import DIGEST

moments = st.datetimes(
    min_value=datetime.datetime(1970, 1, 1),
    max_value=datetime.datetime(9998, 1, 1),
    timezones=st.timezones(),
)


@settings(max_examples=100, deadline=None)
@given(moments, moments)
def test_names_sort_as_times_do(first: datetime.datetime, second: datetime.datetime) -> None:
    names = [stamp_of(moment.isoformat()) for moment in (first, second)]
    assert len(names[0]) == len(names[1]) == 19
    if abs(first - second) >= datetime.timedelta(milliseconds=1):
        assert (names[0] < names[1]) == (first < second)


def test_a_verdict_lies_where_the_page_says() -> None:
    one = made()
    assert key_of(About("commit", COMMIT), "verify", one.verdict.finished, one.bundle) == one.by_commit
    assert key_of(About("sha256", DIGEST), "verify", one.verdict.finished, one.bundle) == one.by_digest
    assert verdict_key(hashlib.sha256(one.document).hexdigest()) == one.by_itself


@pytest.mark.parametrize("finished", ["", "yesterday", "2026-06-15T11:00:00", "0999-01-01T00:00:00Z", "2026-06-15"])
def test_what_is_no_time_is_refused(finished: str) -> None:
    with pytest.raises(Refused, match="ended at") as raised:
        moment_of(finished)
    assert raised.value.code == "evidence.malformed"


def test_a_name_says_gate_time_and_digest() -> None:
    one = made("backup-check")
    entry = entry_of(f"p/{one.by_commit}", f"p/commit/{COMMIT}/")
    assert entry is not None
    assert (entry.gate, entry.stamp) == ("backup-check", "20260615T110000000Z")
    assert entry.sha256 == hashlib.sha256(one.bundle).hexdigest()


GOOD = f"verify/20260615T110000000Z-{'ab' * 32}.sigstore.json"


@pytest.mark.parametrize(
    "name",
    [
        GOOD.replace("verify", "all"),
        GOOD.replace("verify", "Verify"),
        GOOD.replace("verify/", "verify/x/"),
        GOOD.replace("verify/", ""),
        GOOD.replace("Z-", "-"),
        GOOD.replace("ab" * 32, "AB" * 32),
        GOOD.replace("ab" * 32, "ab" * 31),
        f"{GOOD}\n",
        f"{GOOD}.old",
        "../verify/x",
        "",
    ],
)
def test_other_names_are_none(name: str) -> None:
    folder = f"commit/{COMMIT}/"
    assert entry_of(folder + GOOD, folder) is not None
    assert entry_of(folder + name, folder) is None
    assert entry_of(folder + GOOD, f"commit/{'0' * 40}/") is None


@pytest.mark.parametrize("text", ["", "main", "ab" * 19, "AB" * 20, "ab" * 21, f"{'ab' * 20}\n", "-" * 40])
def test_a_commit_by_its_full_id_alone(text: str) -> None:
    assert commit("ab" * 20).folder == f"commit/{'ab' * 20}/"
    assert commit("ab" * 32).value == "ab" * 32
    with pytest.raises(UsageError, match="full id"):
        commit(text)


@pytest.mark.parametrize("text", ["", "ab" * 32, f"sha512:{'ab' * 64}", f"sha256:{'AB' * 32}", f"sha256:{'ab' * 31}"])
def test_a_digest_with_its_algorithm_alone(text: str) -> None:
    assert digest(f"sha256:{DIGEST}").folder == f"sha256/{DIGEST}/"
    with pytest.raises(UsageError, match="sha256: and 64"):
        digest(text)
