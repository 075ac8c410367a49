"""The file of issuers and roles: what it may say, and what is refused with line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegis.core.errors import UsageError
from aegis.identity.actors import GITHUB
from aegis.identity.tokens import TokenRefused, ValidToken
from aegis_multimodal_ai_system.api import auth as auth_module
from aegis_multimodal_ai_system.api.auth import Auth, default_auth, get_actor_from_token, validate_oidc_token
from aegis_multimodal_ai_system.api.auth_file import read_auth_file

LOGIN = "https://login.example"
GOOD = f"""
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
  - issuer:
      url: {GITHUB}
      audiences: [aegis-api]
    claimValidationRules:
      - claim: repository_owner_id
        requiredValue: "42"
  - issuer:
      url: {LOGIN}
      audiences: [aegis-api, aegis-cli]
      audienceMatchPolicy: MatchAny
      tokenTypes: [at+jwt]
      leewaySeconds: 10
      maxLifetimeSeconds: 3600
    claimMappings:
      username: {{claim: name, prefix: "login:"}}
      groups: {{claim: roles, prefix: "login:"}}
roles:
  - role: operator
    issuer: {GITHUB}
    claims:
      repository_id: ["7001", "7002"]
      environment: [production]
  - role: reader
    issuer: {GITHUB}
    claims:
      repository_owner_id: ["42"]
  - role: admin
    issuer: {LOGIN}
    groups: ["login:ml-admins"]
  - role: operator
    issuer: {LOGIN}
    claims: {{email: [ada@example.com]}}
  - role: reader
    issuer: {LOGIN}
    groups: ["login:everybody"]
    claims: {{hd: [example.com]}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "auth.yml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Auth:
    return Auth.from_file(written(tmp_path_factory.mktemp("good"), GOOD))


def roles(auth: Auth, issuer: str, **claims: Any) -> set[str]:
    return set(auth.roles_of(ValidToken(issuer, "sub", 0, {"iss": issuer, "sub": "sub", **claims})))


def test_a_whole_file(tmp_path: Path) -> None:
    parsed = read_auth_file(written(tmp_path, GOOD))
    assert [part.issuer.url for part in parsed.jwt] == [GITHUB, LOGIN]
    assert parsed.jwt[1].issuer.token_types == ("at+jwt",)


@pytest.mark.parametrize(
    ("issuer", "claims", "expected"),
    [
        (GITHUB, {"repository_id": "7001", "environment": "production"}, {"reader", "operator"}),
        (GITHUB, {"repository_id": "7002", "environment": "production"}, {"reader", "operator"}),
        (GITHUB, {"repository_id": "7003", "environment": "production"}, set()),
        (GITHUB, {"repository_id": "7001", "environment": "staging"}, set()),
        (GITHUB, {"repository_id": "7001"}, set()),
        (GITHUB, {"repository_id": 7001, "environment": "production"}, set()),
        (GITHUB, {"repository_id": ("7001",), "environment": "production"}, set()),
        (GITHUB, {"repository_owner_id": "42"}, {"reader"}),
        (GITHUB, {"roles": ("ml-admins",)}, set()),
        (LOGIN, {"repository_id": "7001", "environment": "production"}, set()),
        (LOGIN, {"repository_owner_id": "42"}, set()),
        (LOGIN, {"roles": ("ml-admins",)}, {"reader", "operator", "admin"}),
        (LOGIN, {"roles": "ml-admins"}, {"reader", "operator", "admin"}),
        (LOGIN, {"roles": ("login:ml-admins",)}, set()),
        (LOGIN, {"roles": (5, None, ("ml-admins",))}, set()),
        (LOGIN, {"roles": {"ml-admins": True}}, set()),
        (LOGIN, {"groups": ("ml-admins",)}, set()),
        (LOGIN, {"roles": ("everybody",)}, set()),
        (LOGIN, {"roles": ("everybody",), "hd": "example.com"}, {"reader"}),
        (LOGIN, {"hd": "example.com"}, set()),
        (LOGIN, {"email": "ada@example.com"}, set()),
        (LOGIN, {"email": "ada@example.com", "email_verified": "true"}, set()),
        (LOGIN, {"email": "ada@example.com", "email_verified": True}, {"reader", "operator"}),
    ],
    ids=range(23),
)
def test_roles_by_claims(good: Auth, issuer: str, claims: dict[str, Any], expected: set[str]) -> None:
    assert roles(good, issuer, **claims) == expected


def test_a_name_for_people(tmp_path: Path) -> None:
    auth = Auth.from_file(written(tmp_path, GOOD))

    def display(**claims: Any) -> str:
        return auth.actor_of(ValidToken(LOGIN, "1", 0, {"iss": LOGIN, "sub": "1", **claims})).display

    assert display(name="Ada") == "login:Ada"
    assert display(name=["Ada"]) == "1"
    assert display() == "1"


ISSUER = f"jwt:\n- issuer:\n    url: {LOGIN}\n    audiences: [a]\n"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "1:1", "the file is empty"),
        ("jwt: []", "1:6", "length >= 1"),
        ("roles: []", "1:1", "missing required field `jwt`"),
        ("jwt:\n- issuer: {url: https://a.example}", "2:11", "missing required field `audiences`"),
        ("jwt:\n- issuer: {url: https://a.example, audiences: []}", "2:47", "length >= 1"),
        ('jwt:\n- issuer: {url: https://a.example, audiences: [""]}', "2:48", "length >= 1"),
        (ISSUER + "    audience: b\n", "5:5", "did you mean `audiences`"),
        (ISSUER + "  userValidationRules: []\n", "5:3", "unknown key `userValidationRules`"),
        (ISSUER + "  claimValidationRules:\n  - expression: 'true'\n", "6:5", "unknown key `expression`"),
        (ISSUER + "  claimMappings: {uid: {claim: sub}}\n", "5:19", "unknown key `uid`"),
        (ISSUER + "    leewaySeconds: 61\n", "5:20", "<= 60"),
        (ISSUER + "    leewaySeconds: true\n", "5:20", "`int`"),
        (ISSUER + "    maxLifetimeSeconds: 0\n", "5:25", ">= 1"),
        (ISSUER + "    tokenTypes: []\n", "5:17", "length >= 1"),
        (ISSUER + "    tokenTypes: [application/jwt]\n", "5:18", "is no type"),
        (ISSUER + "    audienceMatchPolicy: MatchAll\n", "5:26", "Invalid enum value"),
        (ISSUER.replace("[a]", "[a, b]"), "4:16", "several audiences"),
        (ISSUER.replace("https://", "http://"), "3:10", "no https address"),
        (ISSUER.replace("https://", "https://user@"), "3:10", "no https address"),
        (ISSUER.replace(".example", ".example?tenant=1"), "3:10", "has a query"),
        (ISSUER.replace(".example", ".example#a"), "3:10", "no plain https address"),
        (ISSUER + "    discoveryURL: http://a.example/\n", "5:19", "no https address"),
        (ISSUER + "    jwksURL: file:///keys\n", "5:14", "no https address"),
        (ISSUER + "    jwksURL: https://a.example/\n    discoveryURL: https://a.example/\n", "5:14", "one of them"),
        (ISSUER + "    privateNetwork: true\n", "5:21", "without an authority"),
        (ISSUER + "    certificateAuthority: a\n    certificateAuthorityFile: a\n", "6:31", "two authorities"),
        (ISSUER + ISSUER.removeprefix("jwt:\n"), "6:10", "stands twice"),
        (
            ISSUER + "  claimValidationRules:\n" + "  - {claim: hd, requiredValue: a}\n" * 2,
            "6:3",
            "one claim has two rules",
        ),
        (ISSUER + "roles:\n- {role: root, issuer: https://login.example}\n", "6:10", "Invalid enum value"),
        (ISSUER + "roles:\n- {role: admin, issuer: https://login.example}\n", "6:3", "a role for each token"),
        (
            ISSUER + "roles:\n- {role: admin, issuer: https://login.example/, claims: {sub: [a]}}\n",
            "6:25",
            "not in `jwt`",
        ),
        (
            ISSUER + "roles:\n- {role: admin, issuer: https://login.example, groups: [a]}\n",
            "6:56",
            "has no groups",
        ),
        (
            ISSUER + "roles:\n- {role: admin, issuer: https://login.example, claims: {sub: []}}\n",
            "6:56",
            "length >= 1",
        ),
        (ISSUER + "jwt: []\n", "5:1", "stands twice"),
        ("a: &x [1]\njwt: *x\n", "2:6", "an alias"),
        ("apiVersion: v2\n" + ISSUER, "1:13", "Invalid enum value"),
    ],
    ids=range(36),
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, place: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Auth.from_file(written(tmp_path, text))
    assert caught.value.code == "token.config_invalid"
    assert caught.value.problem.startswith(f"auth.yml:{place}: ")
    assert said in str(caught.value)


def test_a_role_for_every_repository_on_github_is_a_mistake(tmp_path: Path) -> None:
    text = f"jwt:\n- issuer: {{url: {GITHUB}, audiences: [a]}}\nroles:\n- role: operator\n  issuer: {GITHUB}\n"
    with pytest.raises(UsageError, match="every repository on GitHub"):
        Auth.from_file(written(tmp_path, text + "  claims: {environment: [production]}\n"))
    Auth.from_file(written(tmp_path, text + '  claims: {environment: [production], repository_id: ["1"]}\n'))


@pytest.mark.parametrize("named", ["missing.pem", "broken.pem", "empty.pem"])
def test_an_authority_that_is_none_is_a_mistake(tmp_path: Path, named: str) -> None:
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(UsageError) as caught:
        Auth.from_file(written(tmp_path, ISSUER + f"    certificateAuthorityFile: {named}\n"))
    assert caught.value.code == "token.config_invalid"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        Auth.from_file(tmp_path / "none.yml")
    assert caught.value.code == "token.config_invalid"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    default_auth.cache_clear()
    monkeypatch.setattr(auth_module, "default_auth", default_auth)
    return monkeypatch


def test_without_a_file_every_token_is_refused(fresh: pytest.MonkeyPatch) -> None:
    fresh.delenv("AEGIS_AUTH", raising=False)
    for ask in (validate_oidc_token, get_actor_from_token):
        with pytest.raises(TokenRefused) as caught:
            ask("a.b.c")
        assert caught.value.code == "token.no_issuers"


def test_the_file_of_the_environment(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("AEGIS_AUTH", str(written(tmp_path, GOOD)))
    assert default_auth() is default_auth()
    with pytest.raises(TokenRefused) as caught:
        validate_oidc_token("a.b.c")
    assert caught.value.code == "token.malformed"
    default_auth.cache_clear()
