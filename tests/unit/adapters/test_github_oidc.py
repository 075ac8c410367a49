from __future__ import annotations

import json
import logging
import time as real_time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from aegis.adapters.github.oidc import Minter, minter_of
from aegis.adapters.http.call import RETRY_SECONDS, TRIES, Clock
from aegis.core.errors import AegisError, CouldNotDecide
from tests.doubles import github_oidc as double
from tests.doubles.github import Fault
from tests.doubles.github_oidc import BEARER, PATH, Issuer
from tests.support.network.ports import nobody

AUDIENCE = "sts.amazonaws.com"


@dataclass
class Time:
    """A clock that only sleeping moves."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep, jitter=lambda: 0.5)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with double.serve(Issuer()) as running:
        yield running


@pytest.fixture
def masked() -> list[str]:
    return []


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def minter(issuer: Issuer, masked: list[str], time: Time) -> Minter:
    return replace(minter_of(issuer.environ, {}, mask=masked.append), clock=time.clock())


def refused(minter: Minter, code: str) -> str:
    """What the user is told; never a token."""
    with pytest.raises(AegisError) as caught:
        minter.mint(AUDIENCE)
    shown = "".join(traceback.format_exception(caught.value))
    assert caught.value.code == code
    assert BEARER not in shown
    return str(caught.value)


class TestMint:
    def test_a_token_for_the_audience(self, minter: Minter, issuer: Issuer, masked: list[str]) -> None:
        token = minter.mint(AUDIENCE)
        assert issuer.minted == [token]
        assert masked == [token]
        assert minter.mint("https://cloud.oracle.com") != token

    def test_the_query_that_github_gave_is_kept(self, minter: Minter, issuer: Issuer) -> None:
        minter.mint("a&b=c d")
        assert issuer.requests == [f"{PATH}?api-version=2.0&audience=a%26b%3Dc+d"]

    def test_an_address_without_a_query_gets_one(self, minter: Minter, issuer: Issuer) -> None:
        refused(replace(minter, url=issuer.address + PATH), "verify.token_refused")
        assert issuer.requests == [f"{PATH}?audience=sts.amazonaws.com"]

    def test_another_audience_in_the_address_does_not_count(self, minter: Minter) -> None:
        assert replace(minter, url=minter.url + "&audience=evil").mint(AUDIENCE)

    def test_it_is_masked_before_it_is_looked_at(self, minter: Minter, issuer: Issuer, masked: list[str]) -> None:
        issuer.give = "not.a-token"
        refused(minter, "verify.token_invalid")
        assert masked == ["not.a-token"]

    def test_a_token_for_somebody_else_is_not_handed_out(self, minter: Minter, issuer: Issuer) -> None:
        issuer.give = issuer.token("https://cloud.oracle.com")
        assert "https://cloud.oracle.com" in refused(minter, "verify.token_invalid")

    @pytest.mark.parametrize("times", [{"exp": 1_000}, {"nbf": 2**33}])
    def test_a_token_that_is_not_valid_now(self, minter: Minter, issuer: Issuer, times: dict[str, int]) -> None:
        issuer.give = issuer.token(AUDIENCE, **times)  # type: ignore[arg-type] # claims by name
        refused(minter, "verify.token_expired")

    def test_a_clock_that_is_a_little_late_is_no_reason(self, minter: Minter, issuer: Issuer) -> None:
        issuer.give = issuer.token(AUDIENCE, nbf=int(real_time.time()) + 30)
        assert minter.mint(AUDIENCE)

    @pytest.mark.parametrize(
        "raw", [b"{}", b"[]", b'{"value": ""}', b'{"value": 7}', b"<html>", b"\xff", b"[" * 100_000]
    )
    def test_an_answer_without_a_token(self, minter: Minter, issuer: Issuer, raw: bytes) -> None:
        issuer.faults = [Fault(raw=b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(raw), raw))]
        assert "without a token" in refused(minter, "verify.token_unavailable")


class TestFaults:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault(500, times=3),
            Fault(503),
            Fault(429, "slow down", {"Retry-After": "2"}, times=3),
            Fault(raw=b"", times=3),
        ],
        ids=str,
    )
    def test_what_passes_is_tried_again(self, minter: Minter, issuer: Issuer, time: Time, fault: Fault) -> None:
        issuer.faults = [fault]
        assert minter.mint(AUDIENCE)
        assert len(time.slept) == fault.times
        assert time.seconds <= RETRY_SECONDS

    def test_four_tries_are_the_end(self, minter: Minter, issuer: Issuer) -> None:
        issuer.faults = [Fault(500, "down", times=99)]
        assert "500 down" in refused(minter, "verify.token_unavailable")
        assert len(issuer.requests) == TRIES

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_a_clear_no_is_final(self, minter: Minter, issuer: Issuer, status: int) -> None:
        issuer.faults = [Fault(status, "no", times=99)]
        assert f"{status} no" in refused(minter, "verify.token_refused")
        assert len(issuer.requests) == 1

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_no_redirect_is_followed(self, minter: Minter, issuer: Issuer, status: int) -> None:
        with double.serve(Issuer()) as other:
            issuer.faults = [Fault(status, "moved", {"Location": other.address + PATH})]
            assert "redirect" in refused(minter, "verify.token_refused")
            assert other.requests == []

    def test_a_silent_service_is_given_up(self, minter: Minter, issuer: Issuer) -> None:
        issuer.faults = [Fault(silence=600, times=99)]
        assert "could not be reached: TimeoutError" in refused(
            replace(minter, timeout=0.05), "verify.token_unavailable"
        )

    def test_nobody_listens(self, masked: list[str], time: Time) -> None:
        with nobody() as address:
            minter = replace(minter_of(Issuer(address=address).environ, {}, mask=masked.append), clock=time.clock())
            assert "ConnectionRefusedError" in refused(minter, "verify.token_unavailable")
        assert masked == []

    def test_a_wrong_bearer(self, minter: Minter) -> None:
        assert "401 The token is not valid" in refused(replace(minter, bearer="x"), "verify.token_refused")

    def test_what_echoes_the_bearer_shows_nothing(self, minter: Minter, issuer: Issuer) -> None:
        issuer.faults = [Fault(403, f"no {BEARER}"), Fault(raw=BEARER.encode() + b"\r\n", times=4)]
        refused(minter, "verify.token_refused")
        refused(minter, "verify.token_unavailable")

    def test_no_proxy_sees_it_on_the_way_to_this_machine(self, minter: Minter, monkeypatch: pytest.MonkeyPatch) -> None:
        with double.serve(Issuer()) as proxy:
            monkeypatch.setenv("http_proxy", proxy.address)
            assert minter.mint(AUDIENCE)
            assert proxy.requests == []


class TestSecrets:
    def test_nothing_is_in_a_repr_or_a_log(
        self, minter: Minter, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        token = minter.mint(AUDIENCE)
        out = capfd.readouterr()
        for secret in (BEARER, token):
            assert secret not in repr(minter) + caplog.text + out.out + out.err

    @pytest.mark.parametrize(
        "url",
        [
            "http://token.example/x",
            "ftp://127.0.0.1/x",
            "file:///etc/passwd",
            "https://",
            "https://u:p@h/x",
            "https://h/#x",
            "https://h:x/",
            "https://[::1",
            "http://127.0.0.1@evil/x",
            "https://h/\n",
        ],
    )
    def test_the_bearer_is_sent_nowhere_else(self, url: str, masked: list[str]) -> None:
        with pytest.raises(CouldNotDecide) as caught:
            Minter(url, BEARER, masked.append)
        assert caught.value.code == "verify.endpoint_invalid"
        assert "u:p" not in str(caught.value)

    def test_https_is_what_github_has(self, masked: list[str]) -> None:
        assert Minter("https://run.actions.githubusercontent.com/x?api-version=2.0", BEARER, masked.append)

    @pytest.mark.parametrize("bearer", ["a b", "a\r\nX: y", "é"])
    def test_a_bearer_that_would_break_a_header(self, bearer: str, masked: list[str]) -> None:
        with pytest.raises(CouldNotDecide) as caught:
            Minter("https://h/x", bearer, masked.append)
        assert caught.value.code == "verify.token_refused"
        assert bearer not in str(caught.value)


PULL: dict[str, Any] = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "octo/shop"}}}}
FORK: dict[str, Any] = {"pull_request": {"number": 7, "head": {"repo": {"full_name": "mallory/shop"}}}}
RUN = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "octo/shop", "GITHUB_ACTOR": "mona"}


class TestWhyThereIsNone:
    @pytest.mark.parametrize(
        ("environ", "event", "code", "told"),
        [
            ({}, {}, "verify.no_workflow", "outside a GitHub workflow"),
            ({"CI": "true"}, FORK, "verify.no_workflow", "outside"),
            ({**RUN, "GITHUB_EVENT_NAME": "push"}, {}, "verify.no_id_token_permission", "id-token: write"),
            ({**RUN, "GITHUB_EVENT_NAME": "pull_request"}, PULL, "verify.no_id_token_permission", "id-token: write"),
            ({**RUN, "GITHUB_EVENT_NAME": "pull_request"}, FORK, "verify.no_id_token_fork", "is from a fork"),
            ({**RUN, "GITHUB_EVENT_NAME": "pull_request"}, {}, "verify.no_id_token_fork", "is from a fork"),
            (
                {**RUN, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_ACTOR": "dependabot[bot]"},
                PULL,
                "verify.no_id_token_fork",
                "by Dependabot",
            ),
            (
                {**RUN, "ACTIONS_ID_TOKEN_REQUEST_URL": "https://h/x"},
                {},
                "verify.no_id_token_permission",
                "REQUEST_TOKEN is not set",
            ),
        ],
    )
    def test_the_cause_is_named(self, environ: dict[str, str], event: object, code: str, told: str) -> None:
        with pytest.raises(CouldNotDecide, match=told) as caught:
            minter_of(environ, event, mask=lambda value: None)
        assert caught.value.code == code

    def test_nobody_is_sent_to_pull_request_target(self) -> None:
        with pytest.raises(CouldNotDecide, match="never switch the workflow to `pull_request_target`"):
            minter_of({**RUN, "GITHUB_EVENT_NAME": "pull_request"}, FORK, mask=lambda value: None)

    def test_where_there_is_one_the_event_does_not_matter(self, issuer: Issuer) -> None:
        assert minter_of({**RUN, **issuer.environ}, json.loads("null"), mask=lambda value: None)
