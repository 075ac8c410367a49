from __future__ import annotations

import base64
import json
import logging
import threading
import time as real_time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aegis.adapters.oci.identity import RENEW_SECONDS, OciClient, OciExchange, OciSession
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.identity.oci_session import MAX_TOKEN
from aegis.identity.oci_trust_document import parse_trust
from tests.doubles.github import Fault as GitHubFault
from tests.doubles.github_oidc import signing_key
from tests.doubles.oci.identity_domain import CLIENT_ID, CLIENT_SECRET
from tests.doubles.oci.serving import Answer, Fault, json_answer
from tests.doubles.oci.tenancy import AUDIENCE, USER, Tenancy, tenancy


@pytest.fixture
def oci() -> Iterator[Tenancy]:
    with tenancy() as running:
        yield running


def refused(oci: Tenancy, ask: Callable[[], object]) -> AegisError:
    """What the user is told; never a secret."""
    with pytest.raises(AegisError) as caught:
        ask()
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    for secret in (*oci.secrets, base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()):
        assert secret not in told
    return caught.value


class TestExchange:
    def test_a_token_becomes_a_session_that_is_bound_to_our_key(self, oci: Tenancy) -> None:
        session = oci.sessions()()
        principal = oci.domain.principal(session.token)
        assert principal is not None
        assert principal[0] == USER
        assert principal[1].public_numbers() == session.key.public_key().public_numbers()
        assert session.expires == int(oci.time.date) + 3600

    def test_the_token_is_minted_for_the_audience_of_the_policy(self, oci: Tenancy) -> None:
        oci.sessions()()
        (token,) = oci.issuer.minted
        assert jwt.decode(token, options={"verify_signature": False})["aud"] == AUDIENCE

    def test_a_session_is_used_again_until_little_is_left(self, oci: Tenancy) -> None:
        sessions = oci.sessions()
        first = sessions()
        oci.time.date += 3600 - RENEW_SECONDS - 1
        assert sessions() is first
        oci.time.date += 2
        second = sessions()
        assert second.token != first.token
        assert second.key is not first.key
        assert len(oci.domain.requests) == 2
        assert len(oci.issuer.minted) == 2

    def test_threads_share_one_exchange(self, oci: Tenancy) -> None:
        sessions = oci.sessions()
        got: list[OciSession] = []
        threads = [threading.Thread(target=lambda: got.append(sessions())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({session.token for session in got}) == 1
        assert len(got) == 8
        assert len(oci.domain.requests) == 1

    def test_a_trailing_slash_of_the_domain_does_no_harm(self, oci: Tenancy) -> None:
        oci.sessions(domain=oci.domain.address + "/")()
        assert [request.line for request in oci.domain.requests] == ["POST /oauth2/v1/token"]


class TestSecrets:
    def test_all_are_masked_before_they_are_used(self, oci: Tenancy) -> None:
        sessions = oci.sessions()
        assert CLIENT_SECRET in oci.masked
        assert base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode() in oci.masked
        session = sessions()
        assert session.token in oci.masked
        assert oci.issuer.minted[0] in oci.masked

    def test_a_session_is_masked_even_if_it_is_refused(self, oci: Tenancy) -> None:
        oci.domain.lifetime = 5
        refused(oci, oci.sessions())
        assert oci.domain.given[0] in oci.masked

    def test_none_is_shown_by_repr_or_logged(self, oci: Tenancy, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        sessions = oci.sessions()
        session = sessions()
        shown = f"{sessions!r} {session!r} {oci.exchange()!r} {oci.signer()!r} {caplog.text}"
        for secret in oci.secrets:
            assert secret not in shown
        assert str(session.key.private_numbers().d) not in shown

    def test_what_the_domain_echoes_is_not_told(self, oci: Tenancy) -> None:
        def echo(answer: Answer) -> Answer:
            form = oci.domain.requests[-1].body.decode() + oci.domain.requests[-1].headers["authorization"]
            return json_answer(400, {"error": "invalid_grant", "error_description": f"{CLIENT_SECRET} {form}"})

        oci.domain.faults.append(Fault(alter=echo))
        error = refused(oci, oci.sessions())
        assert error.code == "verify.oci_exchange_refused"
        assert "***" in error.problem

    def test_words_of_the_domain_stay_on_one_line_and_short(self, oci: Tenancy) -> None:
        text = "no\n::set-output name=x::y\r\x1b[31m" + "z" * 1000
        oci.domain.faults.append(Fault(json_answer(400, {"error": "invalid_grant", "error_description": text})))
        problem = refused(oci, oci.sessions()).problem.partition("\n  the token says")[0]
        assert "\n" not in problem
        assert "\x1b" not in problem
        assert len(problem) < 400


class TestRefusals:
    @pytest.mark.parametrize(
        ("client_id", "secret"), [(CLIENT_ID, "idcscs-wrong"), ("0" * 32, CLIENT_SECRET)], ids=["secret", "id"]
    )
    def test_a_client_that_the_domain_does_not_know(self, oci: Tenancy, client_id: str, secret: str) -> None:
        error = refused(oci, oci.sessions(client=OciClient(client_id, secret)))
        assert (error.code, error.exit_code) == ("verify.oci_client_refused", 3)
        assert secret not in str(error)
        assert len(oci.domain.requests) == 1

    def test_a_client_that_the_trust_does_not_name(self, oci: Tenancy) -> None:
        oci.trust(oauthClients=["another"])
        assert refused(oci, oci.sessions()).code == "verify.oci_client_refused"

    @pytest.mark.parametrize(
        ("trust", "claims"),
        [
            ({"active": False}, {}),
            ({"issuer": "https://gitlab.com"}, {}),
            ({"clientClaimValues": ["https://elsewhere"]}, {}),
            ({"allowImpersonation": False}, {}),
            ({"impersonationServiceUsers": [{"rule": "sub eq repo:octo/other:*", "value": USER}]}, {}),
            ({}, {"sub": "repo:octo/shop:pull_request"}),
            ({}, {"sub": "repo:octo/shop:ref:refs/heads/main2"}),
            ({}, {"repository_id": "666"}),
        ],
        ids=["inactive", "issuer", "audience", "no rules", "rule", "pull request", "branch", "recycled name"],
    )
    def test_a_token_that_the_trust_does_not_allow(
        self, oci: Tenancy, trust: dict[str, Any], claims: dict[str, Any]
    ) -> None:
        oci.trust(**trust)
        oci.issuer.claims.update(claims)
        error = refused(oci, oci.sessions())
        assert error.code == "verify.oci_exchange_refused"
        assert repr(oci.issuer.claims["sub"]) in error.problem
        assert len(oci.domain.requests) == 1
        assert oci.time.slept == []

    def test_a_token_that_github_did_not_sign(self, oci: Tenancy) -> None:
        oci.issuer.give = oci.issuer.token(AUDIENCE, key="forged")
        assert refused(oci, oci.sessions()).code == "verify.oci_exchange_refused"

    def test_with_the_trust_at_hand_the_refusal_names_what_differs(self, oci: Tenancy) -> None:
        oci.issuer.claims["sub"] = "repo:octo/shop:environment:prod"
        trust = parse_trust(json.dumps(oci.domain.trusts[0]))
        error = refused(oci, oci.sessions(trust=trust))
        assert error.code == "verify.oci_exchange_refused"
        assert "sub: it is 'repo:octo/shop:environment:prod', the trust wants" in error.problem
        assert "sub eq repo:octo/shop:environment:prod" in error.remedy

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_not_followed(self, oci: Tenancy, status: int) -> None:
        elsewhere = Answer(status, b"", {"Location": oci.storage.address})
        oci.domain.faults.append(Fault(elsewhere))
        error = refused(oci, oci.sessions())
        assert error.code == "verify.oci_exchange_refused"
        assert "redirect" in error.expected
        assert oci.storage.requests == []

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
    def test_what_is_refused_is_asked_once(self, oci: Tenancy, status: int) -> None:
        oci.domain.faults.append(Fault(Answer(status), times=9))
        code = "verify.oci_client_refused" if status == 401 else "verify.oci_exchange_refused"
        assert refused(oci, oci.sessions()).code == code
        assert len(oci.domain.requests) == 1


class TestFaults:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_what_may_pass_is_asked_four_times(self, oci: Tenancy, status: int) -> None:
        oci.domain.faults.append(Fault(Answer(status), times=9))
        assert refused(oci, oci.sessions()).code == "verify.oci_unreachable"
        assert len(oci.domain.requests) == 4
        assert oci.time.slept == [0.5, 1.0, 2.0]
        assert len(oci.issuer.minted) == 1

    def test_what_has_passed_is_no_fault(self, oci: Tenancy) -> None:
        oci.domain.faults += [Fault(Answer(503)), Fault(raw=b""), Fault(Answer(429, b"", {"Retry-After": "3"}))]
        assert oci.sessions()().token
        assert oci.time.slept == [0.5, 1.0, 3.0]

    def test_it_waits_at_most_ten_seconds(self, oci: Tenancy) -> None:
        oci.domain.faults.append(Fault(Answer(429, b"", {"Retry-After": "11"}), times=9))
        assert refused(oci, oci.sessions()).code == "verify.oci_unreachable"
        assert oci.time.slept == []

    @pytest.mark.parametrize(
        "fault", [Fault(raw=b"", times=9), Fault(raw=b"SSH-2.0-x\r\n", times=9), Fault(silence=600, times=9)]
    )
    def test_no_answer(self, oci: Tenancy, fault: Fault) -> None:
        oci.domain.faults.append(fault)
        assert refused(oci, oci.sessions(timeout=0.15)).code == "verify.oci_unreachable"
        end = real_time.monotonic() + 60
        while len(oci.domain.requests) < 4:  # who gives up has gone before the last one is read
            assert real_time.monotonic() < end
            real_time.sleep(0.01)
        assert len(oci.domain.requests) == 4

    def test_nobody_there(self, oci: Tenancy) -> None:
        error = refused(oci, oci.sessions(domain="http://127.0.0.1:1"))
        assert error.code == "verify.oci_unreachable"

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{}", b'{"token": ""}', b'{"token": 7}', b"{" * 100_000], ids=lambda body: str(body[:12])
    )
    def test_an_answer_without_a_session(self, oci: Tenancy, body: bytes) -> None:
        oci.domain.faults.append(Fault(Answer(200, body)))
        assert refused(oci, oci.sessions()).code == "verify.oci_unreachable"


class TestSessionToken:
    def test_a_session_that_is_bound_to_another_key_is_refused(self, oci: Tenancy) -> None:
        other = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key("attacker").public_key()))
        oci.domain.session_changes = {"jwk": json.dumps(other)}
        error = refused(oci, oci.sessions())
        assert (error.code, error.exit_code) == ("verify.oci_session_invalid", 3)
        assert "another key" in error.problem

    def test_a_key_as_an_object_means_the_same(self, oci: Tenancy) -> None:
        other = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key("attacker").public_key()))
        oci.domain.session_changes = {"jwk": other}
        assert refused(oci, oci.sessions()).code == "verify.oci_session_invalid"

    def test_a_session_that_names_no_key_is_taken(self, oci: Tenancy) -> None:
        oci.domain.session_changes = {"jwk": None}
        assert oci.sessions()().token == oci.domain.given[0]

    @pytest.mark.parametrize(
        "changes",
        [
            {"exp": None},
            {"exp": "soon"},
            {"exp": True},
            {"exp": 0},
            {"exp": 1 << 60},
            {"jwk": "{"},
            {"jwk": "[]"},
            {"jwk": {}},
            {"jwk": {"kty": "EC", "n": "AA", "e": "AQAB"}},
            {"jwk": {"n": 1, "e": 2}},
            {"jwk": {"n": "é", "e": "AQAB"}},
            {"jwk": 7},
        ],
        ids=str,
    )
    def test_a_session_that_cannot_be_judged_is_refused(self, oci: Tenancy, changes: dict[str, Any]) -> None:
        oci.domain.session_changes = changes
        assert refused(oci, oci.sessions()).code == "verify.oci_session_invalid"

    @pytest.mark.parametrize(
        "given",
        ["x", "a.b", "a.b.c.d", "a b.c.d", "a.e30\n.c", "a.!!.c", "a.eyJleHAiOjk5OTk5OTk5OTl9." + "c" * MAX_TOKEN],
        ids=lambda text: text[:30],
    )
    def test_what_is_no_token_is_refused(self, oci: Tenancy, given: str) -> None:
        oci.domain.give = given
        assert refused(oci, oci.sessions()).code == "verify.oci_session_invalid"

    def test_a_session_that_ends_at_once_is_refused(self, oci: Tenancy) -> None:
        oci.domain.lifetime = RENEW_SECONDS - 1
        assert refused(oci, oci.sessions()).code == "verify.oci_session_invalid"


class TestArguments:
    @pytest.mark.parametrize(
        "domain",
        [
            "http://idcs-1.identity.oraclecloud.com",
            "ftp://127.0.0.1",
            "https://user:pw@idcs-1.identity.oraclecloud.com",
            "https://idcs-1.identity.oraclecloud.com?x=1",
            "https://idcs-1.identity.oraclecloud.com#x",
            "idcs-1.identity.oraclecloud.com",
            "",
        ],
    )
    def test_a_domain_to_which_no_secret_may_be_sent(self, domain: str) -> None:
        with pytest.raises(UsageError) as caught:
            OciExchange(domain=domain, audience=AUDIENCE, client=OciClient(CLIENT_ID, CLIENT_SECRET))
        assert caught.value.code == "verify.endpoint_invalid"
        assert "pw" not in str(caught.value)

    @pytest.mark.parametrize(
        ("client_id", "secret"),
        [("", "s"), ("c", ""), ("c:d", "s"), ("c", "s\nx"), ("c d", "s"), ("c", "sécret")],
    )
    def test_a_client_that_is_none(self, client_id: str, secret: str) -> None:
        with pytest.raises(UsageError) as caught:
            OciClient(client_id, secret)
        assert caught.value.code == "verify.oci_client_invalid"
        assert "sécret" not in str(caught.value)

    def test_no_token_no_exchange(self, oci: Tenancy) -> None:
        oci.issuer.faults.append(GitHubFault(403, "no"))
        with pytest.raises(CouldNotDecide) as caught:
            oci.sessions()()
        assert caught.value.code == "verify.token_refused"
        assert oci.domain.requests == []


def test_the_public_key_is_sent_as_oci_reads_it(oci: Tenancy) -> None:
    """SubjectPublicKeyInfo in DER, base64 without line breaks: as `oci`'s own exchange sends it."""
    session = oci.sessions()()
    der = session.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = oci.domain.requests[0].body.decode()
    sent = body.partition("public_key=")[2].replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
    assert base64.b64decode(sent) == der
