"""Tokens of issuers on the network: over TLS, with keys that rotate, and issuers that break."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.oidc_discovery import HttpsFetch, may_ask
from aegis.identity.tokens import TokenRefused
from aegis_multimodal_ai_system.api.auth import Auth, get_actor_from_token, validate_oidc_token
from tests.doubles.oidc_issuer import Issuers, serve_issuers
from tests.support.network.ports import nobody
from tests.support.processes.patient import patient_fetches


@pytest.fixture
def issuers() -> Iterator[Issuers]:
    with serve_issuers() as served:
        yield served


@pytest.fixture
def auth(issuers: Issuers, tmp_path: Path) -> Auth:
    return Auth.from_file(issuers.auth_file(tmp_path))


@pytest.fixture(autouse=True)
def _patient() -> Iterator[None]:
    with patient_fetches():
        yield


def code(auth: Auth, token: str) -> str:
    try:
        validate_oidc_token(token, auth=auth)
    except TokenRefused as error:
        return error.code
    return "valid"


def test_each_kind_of_actor_and_its_roles(issuers: Issuers, auth: Auth) -> None:
    for issuer, kind, roles in (
        (issuers.github, "github-workflow", {"reader", "operator"}),
        (issuers.cluster, "service-account", {"reader"}),
        (issuers.people, "person", {"reader"}),
    ):
        token = issuer.token()
        valid = validate_oidc_token(token, auth=auth)
        actor = get_actor_from_token(token, auth=auth)
        assert (actor.kind, set(auth.roles_of(valid)), actor.issuer) == (kind, roles, issuer.url)
        assert issuer.fetches == 1


def test_tokens_of_one_issuer_do_not_pass_for_anothers(issuers: Issuers, auth: Auth) -> None:
    token = issuers.people.token(key=issuers.github.signing, iss=issuers.people.url)
    assert code(auth, token) == "token.key_unknown"
    assert code(auth, issuers.github.token(iss=issuers.cluster.url)) == "token.key_unknown"
    assert code(auth, issuers.github.token(iss="https://evil.example")) == "token.issuer_unknown"


def test_many_threads_cause_one_fetch(issuers: Issuers, auth: Auth) -> None:
    tokens = [issuers.github.token() for _ in range(64)]
    ready = threading.Barrier(64)

    def ask(token: str) -> str:
        ready.wait(60)
        return code(auth, token)

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(ask, tokens)) == {"valid"}
    assert issuers.github.fetches == 1


def test_a_flood_of_unknown_keys_causes_no_second_fetch(issuers: Issuers, auth: Auth) -> None:
    assert code(auth, issuers.github.token()) == "valid"
    for number in range(200):
        assert code(auth, issuers.github.token(header={"kid": f"k{number}"})) == "token.key_unknown"
    assert issuers.github.fetches == 1
    assert code(auth, issuers.github.token()) == "valid"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("down", "it answered 503"),
        ("html", "is not JSON"),
        ("redirect", "it answered 302"),
        ("huge", "more than 262144 bytes"),
        ("endless", "more than 262144 bytes"),
        ("cut", "was cut off after"),
        ("other-issuer", "of another issuer"),
        ("other-host", "another host"),
        ("plain-http", "no https address"),
        ("doubled", "has a name twice"),
    ],
)
def test_an_issuer_that_is_broken(issuers: Issuers, auth: Auth, broken: str, said: str) -> None:
    issuers.people.broken = broken  # type: ignore[assignment]
    with pytest.raises(TokenRefused, match=said) as caught:
        validate_oidc_token(issuers.people.token(), auth=auth)
    assert caught.value.code == "token.keys_unavailable"
    assert code(auth, issuers.github.token()) == "valid"
    assert not [path for path in issuers.people.asked if "moved" in path]


def test_an_issuer_that_published_no_keys(issuers: Issuers, auth: Auth) -> None:
    issuers.people.broken = "empty"
    assert code(auth, issuers.people.token()) == "token.key_unknown"


def test_garbage_asks_nobody(issuers: Issuers, auth: Auth) -> None:
    good = issuers.github.token()
    for token in ("a.b.c", good[:-1] + "!", issuers.github.token(exp=1), issuers.github.token(aud="other")):
        assert code(auth, token) != "valid"
    assert issuers.github.asked == []


def test_another_authority_is_not_believed(issuers: Issuers, tmp_path: Path) -> None:
    with serve_issuers() as others:
        path = issuers.auth_file(tmp_path)
        (tmp_path / "issuer-ca.pem").write_text(others.ca)
        with pytest.raises(TokenRefused, match="certificate is not valid"):
            validate_oidc_token(issuers.github.token(), auth=Auth.from_file(path))
    assert issuers.github.asked == []


def test_the_systems_authorities_do_not_know_the_tests_issuer(issuers: Issuers) -> None:
    with pytest.raises(TokenRefused, match="certificate is not valid"):
        HttpsFetch(private_network=True)(issuers.github.url + "/keys")


def test_a_certificate_of_another_name_is_not_believed(issuers: Issuers, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more, **named: resolve("127.0.0.1", *more, **named))
    fetch = HttpsFetch(private_network=True, authority=issuers.ca)
    with pytest.raises(TokenRefused, match="certificate is not valid"):
        fetch(issuers.github.url.replace("127.0.0.1", "issuer.example") + "/keys")


def test_private_addresses_are_asked_only_where_it_is_said(issuers: Issuers) -> None:
    fetch = HttpsFetch(authority=issuers.ca)
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(TokenRefused, match="in no network that may be asked"):
            fetch(issuers.github.url.replace("127.0.0.1", host) + "/keys")
    assert issuers.github.asked == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/keys", "file:///etc/passwd", "https://a@127.0.0.1/", "https:///keys", "keys", ""]
)
def test_only_https_is_asked(address: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        HttpsFetch(private_network=True)(address)
    assert caught.value.code == "token.keys_unavailable"


def test_a_proxy_of_the_environment_is_not_used(issuers: Issuers, auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert code(auth, issuers.github.token()) == "valid"


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.215.14", True, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, True),
        ("10.0.0.1", False, True),
        ("172.16.0.1", False, True),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("64:ff9b::10.0.0.1", False, True),
        ("64:ff9b::5db8:d70e", True, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("255.255.255.255", False, False),
    ],
)
def test_which_addresses_may_be_asked(address: str, public: bool, private: bool) -> None:
    assert (may_ask(address, private=False), may_ask(address, private=True)) == (public, private)


def test_a_name_that_changes_its_address_meanwhile(issuers: Issuers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolved once: the address that was looked at is the one that is asked."""
    asked: list[object] = []
    resolve = socket.getaddrinfo

    def changing(host: object, *more: object, **named: object) -> object:
        asked.append(host)
        name = "127.0.0.1" if host == "localhost" and len(asked) == 1 else "127.0.0.9" if host == "localhost" else host
        return resolve(name, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    address = issuers.github.url.replace("127.0.0.1", "localhost") + "/keys"
    assert HttpsFetch(authority=issuers.ca, private_network=True)(address).body.startswith(b'{"keys"')
    assert asked[0] == "localhost"
    assert asked.count("localhost") == 1


def test_an_issuer_that_asks_for_a_token(issuers: Issuers, tmp_path: Path) -> None:
    issuers.cluster.bearer = "pods-own-token"
    (tmp_path / "token").write_text("pods-own-token\n")
    fetch = HttpsFetch(authority=issuers.ca, private_network=True, bearer_file=tmp_path / "token")
    assert fetch(issuers.cluster.url + "/keys").body
    (tmp_path / "token").write_text("another-token")
    with pytest.raises(TokenRefused, match="it answered 401") as caught:
        fetch(issuers.cluster.url + "/keys")
    assert "another-token" not in str(caught.value)
    for content in (b"caf\xc3\xa9", b"a\r\nX-Injected: 1"):
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(TokenRefused) as caught:
            fetch(issuers.cluster.url + "/keys")
        assert "Injected" not in str(caught.value)
    (tmp_path / "token").unlink()
    with pytest.raises(TokenRefused, match="the bearer token's file"):
        fetch(issuers.cluster.url + "/keys")


def test_the_token_of_a_pod_by_the_file_of_issuers(issuers: Issuers, tmp_path: Path) -> None:
    issuers.cluster.bearer = "pods-own-token"
    (tmp_path / "token").write_text("pods-own-token")
    issuer = {
        "url": issuers.cluster.url,
        "audiences": ["aegis-api"],
        "certificateAuthorityFile": "issuer-ca.pem",
        "privateNetwork": True,
        "bearerTokenFile": "token",
        "jwksURL": issuers.cluster.url + "/keys",
    }
    auth = Auth.from_file(issuers.auth_file(tmp_path, jwt=[{"issuer": issuer}], roles=[]))
    assert code(auth, issuers.cluster.token()) == "valid"
    assert issuers.cluster.asked == ["/cluster/keys"]


@contextmanager
def silent(says: bytes = b"") -> Iterator[int]:
    """A server that takes a connection, says this and no more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):  # a client that gave up is part of the play
                connection.sendall(says)
                over.wait(60)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            socket.create_connection(server.getsockname()).close()  # a client may have given up before it came
            thread.join()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x03"], ids=["nothing", "no-tls", "part"])
def test_a_server_that_hangs_is_given_up(says: bytes) -> None:
    with silent(says) as port, pytest.raises(TokenRefused) as caught:
        HttpsFetch(private_network=True, seconds=0.3)(f"https://127.0.0.1:{port}/keys")
    assert caught.value.code == "token.keys_unavailable"


def test_a_server_that_trickles_is_given_up(issuers: Issuers) -> None:
    """Each byte comes in time, and the end never."""
    issuers.github.broken = "trickle"
    for seconds in (0.5, 2, 20):  # a busy machine may need longer for the trickle to begin; it lasts for 30
        with pytest.raises(TokenRefused, match="no answer within") as caught:
            HttpsFetch(private_network=True, authority=issuers.ca, seconds=seconds)(issuers.github.url + "/keys")
        assert caught.value.code == "token.keys_unavailable"
        if issuers.github.asked:
            break
    # more than once, where the first one was read when it was given up
    assert set(issuers.github.asked) == {"/_services/token/keys"}


def test_a_server_that_says_nothing_is_given_up(issuers: Issuers) -> None:
    issuers.github.hold = threading.Event()
    with pytest.raises(TokenRefused, match=r"no answer within 0\.3 s") as caught:
        HttpsFetch(private_network=True, authority=issuers.ca, seconds=0.3)(issuers.github.url + "/keys")
    issuers.github.hold.set()
    assert caught.value.code == "token.keys_unavailable"


def test_nobody_listens() -> None:
    with nobody() as address, pytest.raises(TokenRefused, match="ConnectionRefusedError"):
        HttpsFetch(private_network=True)(address.replace("http:", "https:") + "/keys")
    with pytest.raises(TokenRefused, match="is not resolved"):
        HttpsFetch(private_network=True)("https://name.invalid/keys")


def test_the_file_is_json_too(issuers: Issuers, tmp_path: Path) -> None:
    path = issuers.auth_file(tmp_path)
    assert json.loads(path.read_text())["kind"] == "AuthenticationConfiguration"
    assert code(Auth.from_file(path), issuers.people.token()) == "valid"


RULES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "authorizedParties": ({"authorizedParties": ["cli"]}, {"aud": ["aegis-api", "other"], "azp": "cli"}, "valid"),
    "no-authorizedParties": ({}, {"aud": ["aegis-api", "other"], "azp": "cli"}, "token.audience_refused"),
    "leewaySeconds": ({"leewaySeconds": 0}, {"iat": 5}, "token.not_yet_valid"),
    "no-leewaySeconds": ({}, {"iat": 5}, "valid"),
    "maxLifetimeSeconds": ({"maxLifetimeSeconds": 60}, {}, "token.times_invalid"),
    "tokenTypes": ({"tokenTypes": ["AT+jwt"]}, {}, "token.type_refused"),
    "audiences": ({"audiences": ["another"]}, {}, "token.audience_refused"),
}
"""Of the issuer in the file, of its token (a time is one from now), and what comes of it."""


@pytest.mark.parametrize("name", RULES)
def test_the_rules_of_the_file_are_those_that_judge(issuers: Issuers, tmp_path: Path, name: str) -> None:
    rule, changes, expected = RULES[name]
    issuer = {
        "url": issuers.people.url,
        "audiences": ["aegis-api"],
        "certificateAuthorityFile": "issuer-ca.pem",
        "privateNetwork": True,
        **rule,
    }
    now = int(time.time())
    claims: dict[str, Any] = {
        claim: now + value if isinstance(value, int) else value
        for claim, value in {"iat": -1, "nbf": -1, "exp": 4 * 3600, **changes}.items()
    }
    auth = Auth.from_file(issuers.auth_file(tmp_path, jwt=[{"issuer": issuer}], roles=[]), now=lambda: float(now))
    assert code(auth, issuers.people.token(**claims)) == expected


@pytest.mark.parametrize(("value", "expected"), [("Ada", "valid"), ("Eve", "token.claim_refused")])
def test_the_claims_that_the_file_requires(issuers: Issuers, tmp_path: Path, value: str, expected: str) -> None:
    path = issuers.auth_file(tmp_path)
    document = json.loads(path.read_text())
    document["jwt"][2]["claimValidationRules"] = [{"claim": "name", "requiredValue": value}]
    path.write_text(json.dumps(document))
    assert code(Auth.from_file(path), issuers.people.token()) == expected
