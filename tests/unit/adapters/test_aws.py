from __future__ import annotations

import logging
import threading
import time as real_time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.aws.role import DURATION_SECONDS, RENEW_SECONDS, RoleCredentials
from aegis.adapters.http.call import RETRY_SECONDS, TRIES, Clock
from aegis.core.errors import AegisError, UsageError
from aegis.identity.role import parse_role
from aegis.identity.session_policy import ReadNeed, session_policy
from tests.doubles.aws.sts import Fault, Provider, Role
from tests.doubles.github_oidc import BEARER, ISSUER, sign
from tests.support.network.aws import EVERYTHING, ROLE, Cloud, cloud
from tests.support.tokens.trusts import parsed, tight


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
def here() -> Iterator[Cloud]:
    with cloud() as running:
        yield running


@pytest.fixture
def time() -> Time:
    return Time()


def refused(credentials: RoleCredentials, here: Cloud, code: str) -> str:
    """What the user is told; never a secret."""
    with pytest.raises(AegisError) as caught:
        credentials()
    assert caught.value.code == code
    shown = "".join(traceback.format_exception(caught.value)) + repr(credentials)
    for secret in (
        BEARER,
        *here.issuer.minted,
        *(one for session in here.sts.sessions.values() for one in session.secrets),
    ):
        assert secret not in shown
    return str(caught.value)


class TestExchange:
    def test_a_session_of_the_role(self, here: Cloud) -> None:
        credentials = here.credentials()
        given = credentials()
        (session,) = here.sts.sessions.values()
        assert (given.access_key, given.secret_key, given.token) == session.secrets
        assert given.expires is not None
        assert abs(given.expires.timestamp() - real_time.time() - DURATION_SECONDS) < 300
        assert credentials.request_id
        (asked,) = here.sts.requests
        assert asked["DurationSeconds"] == "900"
        assert asked["RoleSessionName"] == "aegis-verify-9001-1"
        assert asked["Policy"] == session_policy([ReadNeed("models", ("staging/",))])

    def test_everything_secret_is_masked_when_it_is_there(self, here: Cloud) -> None:
        given = here.credentials()()
        assert here.masked == [*here.issuer.minted, given.access_key, given.secret_key, given.token]

    def test_no_secret_is_in_a_repr_a_log_or_the_output(
        self, here: Cloud, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """At DEBUG, botocore would log the token and the keys."""
        logging.getLogger("botocore").setLevel(logging.DEBUG)
        caplog.set_level(logging.DEBUG)
        credentials = here.credentials()
        given = credentials()
        out = capfd.readouterr()
        shown = caplog.text + out.out + out.err + repr(credentials) + repr(given)
        for secret in (BEARER, *here.issuer.minted, given.access_key, given.secret_key, given.token or ""):
            assert secret not in shown

    def test_they_are_kept_while_they_last(self, here: Cloud) -> None:
        credentials = here.credentials()
        assert credentials() is credentials()
        assert len(here.sts.requests) == len(here.issuer.minted) == 1

    def test_they_are_renewed_with_a_new_token_before_they_end(self, here: Cloud) -> None:
        now = [real_time.time()]
        credentials = here.credentials(now=lambda: now[0])
        first = credentials()
        now[0] += DURATION_SECONDS - RENEW_SECONDS - 60
        assert credentials() is first
        now[0] += 61 + 120  # more than this test may take
        with pytest.raises(AegisError):  # the double's clock has not moved: what it gives now ends too soon
            credentials()
        assert len(set(here.issuer.minted)) == 2

    def test_renewal(self, here: Cloud) -> None:
        here.sts.lifetime = RENEW_SECONDS + 600  # more than this test may take
        now = real_time.time()
        credentials = here.credentials(now=lambda: now)
        first = credentials()
        now += 1200
        here.sts.lifetime = RENEW_SECONDS + 1800
        second = credentials()
        assert second is not first
        assert len(set(here.issuer.minted)) == len(here.sts.requests) == 2

    def test_threads_get_one_session(self, here: Cloud) -> None:
        credentials = here.credentials()
        given: list[object] = []
        threads = [threading.Thread(target=lambda: given.append(credentials())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(given) == 8
        assert len({id(one) for one in given}) == 1
        assert len(here.sts.requests) == 1


class TestPoisonedSurroundings:
    def test_nothing_of_aws_in_the_environment_or_home_counts(
        self, here: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        poison = {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
            "AWS_PROFILE": "missing",
            "AWS_DEFAULT_PROFILE": "missing",
            "AWS_ACCESS_KEY_ID": "AKIAPOISON",
            "AWS_SECRET_ACCESS_KEY": "poison",
            "AWS_SESSION_TOKEN": "poison",
            "AWS_CA_BUNDLE": "/nowhere",
            "AWS_DATA_PATH": str(tmp_path),
            "AWS_REGION": "xx",
            "AWS_DEFAULT_REGION": "not a region",
            "AWS_ROLE_ARN": "x",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_USE_DUALSTACK_ENDPOINT": "true",
            "AWS_STS_REGIONAL_ENDPOINTS": "nonsense",
            "AWS_MAX_ATTEMPTS": "99",
            "AWS_RETRY_MODE": "nonsense",
            "AWS_DEFAULTS_MODE": "nonsense",
            "AWS_CSM_ENABLED": "true",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "AWS_SDK_UA_APP_ID": "\n",
            "http_proxy": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "ALL_PROXY": "http://127.0.0.1:9",
        }
        home = tmp_path / "home"
        (home / ".aws").mkdir(parents=True)
        for name in ("config", "credentials"):
            (home / ".aws" / name).write_text("[default]\nendpoint_url = http://127.0.0.1:9\nregion = x y\n[[broken")
        (tmp_path / "sts").mkdir()
        for name, value in {**poison, "HOME": str(home), "AWS_CONFIG_FILE": str(home / ".aws/config")}.items():
            monkeypatch.setenv(name, value)
        assert here.credentials()().access_key in here.sts.sessions
        assert len(here.sts.requests) == 1

    def test_in_a_region_the_address_is_aws_s_own(self, here: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        from aegis.adapters.aws.botocore_sts import Sts

        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", here.sts.address)
        assert Sts("eu-west-1", None)._client.meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"
        assert Sts("cn-north-1", None)._client.meta.endpoint_url == "https://sts.cn-north-1.amazonaws.com.cn"


class TestRefusals:
    """A clear no is told at once, with what to do; what may pass is tried again."""

    def denied(self, here: Cloud, **changes: Any) -> str:
        here.issuer.claims.update(changes)
        time = Time()
        told = refused(here.credentials(clock=time.clock()), here, "verify.role_denied")
        assert time.slept == []
        assert len(here.sts.requests) == 1
        return told

    def test_another_branch(self, here: Cloud) -> None:
        told = self.denied(here, ref="refs/heads/dev")
        assert "ref='refs/heads/dev'" in told
        assert "aegis credentials doctor --trust-policy role.json" in told

    def test_with_the_trust_policy_at_hand_the_claim_is_named(self, here: Cloud) -> None:
        here.issuer.claims["ref"] = "refs/heads/dev"
        exchange = here.exchange(trust=parsed(*tight()["Statement"]))
        told = refused(here.credentials(exchange), here, "verify.role_denied")
        assert ":ref: the token says 'refs/heads/dev', the policy wants 'refs/heads/main'" in told

    def test_a_trust_policy_that_allows_it_is_no_explanation(self, here: Cloud) -> None:
        here.sts.roles = ()
        exchange = here.exchange(trust=parsed(*tight()["Statement"]))
        assert "a role that exists" in refused(here.credentials(exchange), here, "verify.role_denied")

    def test_a_role_that_does_not_exist(self, here: Cloud) -> None:
        here.sts.roles = ()
        self.denied(here)

    def test_a_token_that_is_over(self, here: Cloud) -> None:
        token = here.issuer.token(exp=int(real_time.time()) - 60)
        refused(here.credentials(mint=lambda: token), here, "verify.token_expired")
        assert len(here.sts.requests) == 1

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"iss": "https://evil.example"}, "No OpenIDConnect provider found"),
            ({"aud": "https://cloud.oracle.com"}, "Incorrect token audience"),
            ({"nbf": 2**33}, "not valid"),
        ],
    )
    def test_a_token_that_the_account_does_not_take(self, here: Cloud, changes: dict[str, Any], told: str) -> None:
        payload = {"aud": "sts.amazonaws.com", "iat": 1, "exp": 2**33, **here.issuer.claims, **changes}
        assert told in refused(here.credentials(mint=lambda: sign(payload)), here, "verify.token_invalid")
        assert len(here.sts.requests) == 1

    def test_a_forged_token(self, here: Cloud) -> None:
        token = here.issuer.token(key="mallory")
        assert "signature" in refused(here.credentials(mint=lambda: token), here, "verify.token_invalid")

    def test_a_provider_with_other_audiences(self, here: Cloud) -> None:
        here.sts.providers = (Provider(ISSUER, here.issuer.address, ("x",)),)
        assert "lists the audience 'sts.amazonaws.com'" in refused(here.credentials(), here, "verify.token_invalid")

    def test_a_session_policy_that_does_not_fit(self, here: Cloud) -> None:
        here.sts.packed_limit = 100
        assert "PackedPolicyTooLarge" in refused(here.credentials(), here, "verify.session_policy_too_large")
        assert len(here.sts.requests) == 1

    def test_a_session_policy_that_sts_cannot_read(self, here: Cloud) -> None:
        refused(here.credentials(here.exchange(session_policy="{")), here, "verify.session_policy_invalid")
        assert len(here.sts.requests) == 1

    def test_anything_else_that_sts_does_not_like(self, here: Cloud) -> None:
        told = refused(here.credentials(here.exchange(session_name="no name")), here, "verify.sts_refused")
        assert "ValidationError" in told
        here.sts.faults = [Fault("RegionDisabledException", 403, "STS is not activated in this region")]
        assert "not activated" in refused(here.credentials(), here, "verify.sts_refused")

    def test_a_role_whose_sessions_are_shorter(self, here: Cloud) -> None:
        here.sts.roles = (Role(ROLE, tight(), (EVERYTHING,), max_session=600),)
        assert "MaxSessionDuration" in refused(here.credentials(), here, "verify.sts_refused")

    def test_a_failed_mint_asks_nothing_of_sts(self, here: Cloud) -> None:
        here.issuer.claims["exp"] = 5
        here.issuer.give = here.issuer.token(exp=5)
        refused(here.credentials(), here, "verify.token_expired")
        assert here.sts.requests == []


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault("IDPCommunicationError", 400, "Couldn't retrieve keys", times=3),
            Fault("Throttling", 400, "Rate exceeded", times=2),
            Fault("InternalFailure", 500, times=3),
            Fault("ServiceUnavailable", 503),
            Fault("Weird", 429, times=2),
            Fault(raw=b"", times=3),
            Fault(raw=b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n<html", times=1),
        ],
        ids=str,
    )
    def test_what_may_pass_is_tried_again(self, here: Cloud, time: Time, fault: Fault) -> None:
        here.sts.faults = [fault]
        assert here.credentials(clock=time.clock())().access_key in here.sts.sessions
        assert len(time.slept) == fault.times
        assert time.seconds <= RETRY_SECONDS
        assert len(here.issuer.minted) == 1

    def test_four_tries_are_the_end(self, here: Cloud, time: Time) -> None:
        here.sts.faults = [Fault("InternalFailure", 500, times=99)]
        assert "InternalFailure" in refused(here.credentials(clock=time.clock()), here, "verify.sts_unreachable")
        assert len(here.sts.requests) == TRIES

    def test_nobody_listens(self, here: Cloud, time: Time) -> None:
        exchange = here.exchange(endpoint="http://127.0.0.1:9")
        told = refused(here.credentials(exchange, clock=time.clock()), here, "verify.sts_unreachable")
        assert "EndpointConnectionError" in told

    def test_a_redirect_is_not_followed(self, here: Cloud, time: Time) -> None:
        with cloud() as other:
            raw = f"HTTP/1.0 307 Moved\r\nLocation: {other.sts.address}/\r\nContent-Length: 0\r\n\r\n".encode()
            here.sts.faults = [Fault(raw=raw, times=99)]
            with pytest.raises(AegisError):
                here.credentials(clock=time.clock())()
            assert other.sts.requests == []


class TestAccount:
    def test_another_account_is_noticed_before_anything_is_handed_out(self, here: Cloud) -> None:
        here.sts.answers_as = "999999999999"
        told = refused(here.credentials(), here, "verify.wrong_account")
        assert "999999999999" in told
        assert len(here.masked) == 4, "it is masked all the same"

    def test_a_role_of_another_account_is_not_asked_for(self, here: Cloud) -> None:
        with pytest.raises(UsageError) as caught:
            here.exchange(account="999999999999")
        assert caught.value.code == "verify.wrong_account"
        assert here.exchange(account=here.sts.account)

    def test_another_role_of_the_account_is_no_answer(self, here: Cloud) -> None:
        here.sts.roles = (replace(here.sts.roles[0], name="admin"),)
        real = here.exchange(role=parse_role(here.sts.arn("admin")))
        disguised = replace(real, role=replace(real.role, name=ROLE))
        refused(here.credentials(disguised), here, "verify.wrong_account")

    @pytest.mark.parametrize(
        "raw", ["<x/>", "<Credentials/>", "<Credentials><AccessKeyId>A</AccessKeyId></Credentials>"]
    )
    def test_an_answer_without_credentials(self, here: Cloud, raw: str) -> None:
        name = "AssumeRoleWithWebIdentity"
        text = f"<{name}Response><{name}Result>{raw}</{name}Result></{name}Response>"
        here.sts.faults = [Fault(raw=f"HTTP/1.0 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())]
        assert "without credentials" in refused(here.credentials(), here, "verify.sts_unreachable")

    def test_credentials_that_end_at_once_are_none(self, here: Cloud) -> None:
        here.sts.lifetime = RENEW_SECONDS - 10
        assert "that end at" in refused(here.credentials(), here, "verify.sts_unreachable")


@pytest.mark.parametrize(
    "region",
    ["", "EU-WEST-1", "eu_west_1", "eu-west-1.evil.example", "eu-west-1/", "eu-west-1\n", "a@b", "xx-nowhere-9!"],
)
def test_a_region_cannot_change_the_address(here: Cloud, region: str) -> None:
    with pytest.raises(UsageError) as caught:
        here.exchange(region=region)
    assert caught.value.code == "verify.region_invalid"


@pytest.mark.parametrize(
    "endpoint", ["http://sts.example", "ftp://127.0.0.1", "https://u:p@sts.example", "https://", "sts.amazonaws.com"]
)
def test_the_token_is_sent_by_https_only(here: Cloud, endpoint: str) -> None:
    with pytest.raises(UsageError) as caught:
        here.exchange(endpoint=endpoint)
    assert caught.value.code == "verify.endpoint_invalid"
    assert "u:p" not in str(caught.value)


def test_an_endpoint_that_cannot_be_a_host(here: Cloud) -> None:
    exchange = here.exchange(endpoint="https://-no-.example")
    assert "no STS at 'https://-no-.example'" in refused(here.credentials(exchange), here, "verify.endpoint_invalid")
