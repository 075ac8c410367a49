from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide, UsageError
from aegis.identity.claims import Claims, decode
from aegis.identity.oci_trust import ISSUER, TrustCheck, explain, render
from aegis.identity.oci_trust_document import PropagationTrust, parse_trust
from tests.doubles import github_oidc
from tests.doubles.oci.identity_domain import CLIENT_ID, _like
from tests.doubles.oci.tenancy import AUDIENCE, USER, WANTED, Tenancy, tenancy

DOCUMENT: dict[str, Any] = json.loads(render(WANTED).trust)


def claims(audience: str = AUDIENCE, **changes: object) -> Claims:
    now = int(time.time())
    return decode(github_oidc.sign(github_oidc.claims(aud=audience, iat=now, exp=now + 300, **changes)))


def trust(**changes: Any) -> PropagationTrust:
    return parse_trust(json.dumps({**DOCUMENT, **changes}))


def differing(said: Claims, wanted: PropagationTrust, client_id: str | None = CLIENT_ID) -> tuple[TrustCheck, ...]:
    return tuple(check for check in explain(said, wanted, client_id) if not check.holds)


IMMUTABLE = "repo:octo@42/shop@7001:ref:refs/heads/main"


class TestRender:
    def test_the_trust_is_tight(self) -> None:
        assert DOCUMENT["active"] is True
        assert DOCUMENT["issuer"] == ISSUER
        assert DOCUMENT["publicKeyEndpoint"] == f"{ISSUER}/.well-known/jwks"
        assert DOCUMENT["oauthClients"] == [CLIENT_ID]
        assert (DOCUMENT["clientClaimName"], DOCUMENT["clientClaimValues"]) == ("aud", [AUDIENCE])
        assert DOCUMENT["claimValidations"] == [{"name": "repository_id", "value": "7001"}]
        assert DOCUMENT["impersonationServiceUsers"] == [
            {"rule": "sub eq repo:octo/shop:ref:refs/heads/main", "value": USER},
            {"rule": f"sub eq {IMMUTABLE}", "value": USER},
        ]

    def test_an_environment_takes_the_place_of_the_branch(self) -> None:
        rules = json.loads(render(replace(WANTED, environment="staging")).trust)["impersonationServiceUsers"]
        assert [one["rule"] for one in rules] == [
            "sub eq repo:octo/shop:environment:staging",
            "sub eq repo:octo@42/shop@7001:environment:staging",
        ]

    def test_the_policy_reads_one_bucket_and_nothing_else(self) -> None:
        (statement,) = render(WANTED).statements
        assert statement == (
            "Allow group 'Default'/'verifiers' to read objects in compartment staging where "
            "all {target.bucket.name = 'models', any {request.permission = 'OBJECT_INSPECT', "
            "target.object.name = 'staging/*'}}"
        )
        (whole,) = render(replace(WANTED, prefix="")).statements
        assert whole.endswith(" to read objects in compartment staging where target.bucket.name = 'models'")

    @pytest.mark.parametrize(
        "changes",
        [
            {"environment": "any*"},
            {"environment": "my env"},
            {"environment": "a' or sub eq 'x"},
            {"repository": "*"},
            {"owner": "octo\n"},
            {"group": "x' to manage all-resources in tenancy where 'a"},
            {"bucket": "a' , any {"},
            {"compartment": "x where"},
            {"domain_name": "a'/'b"},
            {"prefix": "a*"},
            {"prefix": "it's/"},
        ],
        ids=str,
    )
    def test_what_would_say_more_than_its_name_is_refused(self, changes: dict[str, str]) -> None:
        with pytest.raises(UsageError) as caught:
            render(replace(WANTED, **changes))
        assert caught.value.code == "core.wrong_usage"


class TestExplain:
    @pytest.mark.parametrize("subject", ["repo:octo/shop:ref:refs/heads/main", IMMUTABLE])
    def test_the_rendered_trust_takes_both_forms_of_the_subject(self, subject: str) -> None:
        assert differing(claims(sub=subject), trust()) == ()

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"iss": "https://ghes.example/_services/token"}, "issuer"),
            ({"audience": "sts.amazonaws.com"}, "aud"),
            ({"repository_id": "9999"}, "repository_id"),
            ({"repository_id": None}, "repository_id"),
            ({"sub": "repo:octo/shop:pull_request"}, "sub"),
            ({"sub": "repo:octo/shop:ref:refs/heads/dev"}, "sub"),
            ({"sub": "repo:octo/shop:ref:refs/heads/main:x"}, "sub"),
            ({"sub": "repo:octo/shop2:ref:refs/heads/main"}, "sub"),
            ({"sub": "repo:evil/shop:ref:refs/heads/main"}, "sub"),
            ({"sub": "repo:octo@43/shop@7001:ref:refs/heads/main"}, "sub"),
            ({"sub": "repo:octo@42/shop@7002:ref:refs/heads/main"}, "sub"),
            ({"sub": "repo:octo/shop:environment:main"}, "sub"),
            ({"sub": "Repo:octo/shop:ref:refs/heads/main"}, "sub"),
        ],
        ids=str,
    )
    def test_the_rendered_trust_takes_nothing_else(self, changes: dict[str, Any], what: str) -> None:
        (check,) = differing(claims(**changes), trust())
        assert check.what == what
        assert check.fix
        assert check.wanted in str(check)

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"active": False}, "active"),
            ({"type": "SAML"}, "type"),
            ({"oauthClients": []}, "client"),
            ({"clientClaimValues": []}, "aud"),
            ({"allowImpersonation": False}, "rule"),
            ({"impersonationServiceUsers": []}, "sub"),
            ({"impersonationServiceUsers": [{"rule": "groups co admins", "value": "x"}]}, "groups"),
        ],
        ids=str,
    )
    def test_each_part_of_a_trust_is_named(self, changes: dict[str, Any], what: str) -> None:
        (check,) = differing(claims(), trust(**changes))
        assert check.what == what

    @pytest.mark.parametrize(
        ("rules", "subject", "said"),
        [
            (["sub eq repo:octo/shop:ref:refs/heads/main"], IMMUTABLE, "immutable form with ids"),
            ([f"sub eq {IMMUTABLE}"], "repo:octo/shop:ref:refs/heads/main", "form without ids"),
            (["sub eq repo:octo/shop:pull_request"], "repo:octo/shop:ref:refs/heads/main", "The job is another one"),
            (["sub eq repo:Octo/Shop:ref:refs/heads/main"], "repo:octo/shop:ref:refs/heads/main", "with their case"),
            (["sub eq repo:a/b:pull_request"], "custom:subject", "Add a rule `sub eq custom:subject`"),
        ],
    )
    def test_the_nearest_fix(self, rules: list[str], subject: str, said: str) -> None:
        users = [{"rule": rule, "value": USER} for rule in rules]
        (check,) = differing(claims(sub=subject), trust(impersonationServiceUsers=users))
        assert said in check.fix
        assert f"sub eq {subject}" in check.fix

    def test_without_a_client_it_is_not_looked_at(self) -> None:
        assert differing(claims(), trust(oauthClients=[]), client_id=None) == ()

    @pytest.mark.parametrize(
        ("rule", "holds"),
        [
            ("sub eq repo:octo/shop:*", True),
            ("sub eq *", True),
            ('"sub" eq "repo:octo/shop:ref:refs/heads/main"', True),
            ("sub eq 'repo:octo/shop:ref:refs/heads/main'", True),
            ("sub co octo/shop", True),
            ("sub co octo/*", False),
            ("sub eq repo:octo/shop", False),
            ("repository eq octo/shop", True),
            ("ref_protected eq true", True),
            ("nothing eq *", False),
        ],
    )
    def test_rules_mean_what_oci_says(self, rule: str, holds: bool) -> None:
        checks = explain(claims(), trust(impersonationServiceUsers=[{"rule": rule, "value": USER}]))
        assert checks[-1].holds is holds

    @given(
        st.lists(st.sampled_from(["*", "a", "b", ".", "\n"]), max_size=6).map("".join),
        st.text("ab.\n*", max_size=6),
    )
    def test_wildcards_agree_with_the_double(self, pattern: str, text: str) -> None:
        found = parse_trust(
            json.dumps({**DOCUMENT, "impersonationServiceUsers": [{"rule": f"sub eq x{pattern}x", "value": "u"}]})
        )
        assert found.rules[0].matches(f"x{text}x") is _like(f"x{pattern}x", f"x{text}x")


class TestAgreement:
    def test_explain_and_the_domain_agree(self) -> None:
        """Over all combinations of some trusts and tokens: what the one refuses, the other refuses."""
        changes: list[dict[str, Any]] = [
            {},
            {"active": False},
            {"oauthClients": ["x"]},
            {"clientClaimValues": ["https://a"]},
            {"clientClaimName": "repository", "clientClaimValues": ["octo/shop"]},
            {"claimValidations": []},
            {"claimValidations": [{"name": "ref", "value": "refs/heads/main"}]},
            {"impersonationServiceUsers": [{"rule": "sub eq repo:octo/*", "value": USER}]},
            {"impersonationServiceUsers": [{"rule": "sub co pull_request", "value": USER}]},
        ]
        tokens: list[dict[str, Any]] = [
            {},
            {"sub": IMMUTABLE},
            {"sub": "repo:octo/shop:pull_request"},
            {"sub": "repo:octo/other:ref:refs/heads/main", "repository": "octo/other", "repository_id": "7"},
            {"ref": "refs/heads/dev"},
        ]
        answers = set()
        with tenancy() as oci:
            for change in changes:
                for token in tokens:
                    oci.domain.trusts[:] = [{**DOCUMENT, **change}]
                    oci.issuer.claims = github_oidc.claims(**token)
                    expected = not differing(claims(**token), trust(**change))
                    assert (refusal(oci) == "") is expected, (change, token)
                    answers.add(expected)
        assert answers == {True, False}


def refusal(oci: Tenancy) -> str:
    """The code of the domain's refusal; empty where it gave a session."""
    try:
        oci.sessions()()
    except CouldNotDecide as error:
        return error.code
    return ""


class TestParse:
    def test_the_cli_prints_other_names(self) -> None:
        data = {
            "active": True,
            "allow-impersonation": True,
            "client-claim-name": "aud",
            "client-claim-values": [AUDIENCE],
            "impersonation-service-users": [{"rule": "sub eq *", "value": USER, "ocid": None, "ref": "x"}],
            "issuer": ISSUER,
            "oauth-clients": [CLIENT_ID],
            "claim-validations": None,
            "type": "JWT",
        }
        assert differing(claims(), parse_trust(json.dumps({"data": data, "etag": "x"}))) == ()

    def test_rules_that_were_not_asked_for_are_not_taken_for_none(self) -> None:
        document = {name: value for name, value in DOCUMENT.items() if name != "impersonationServiceUsers"}
        with pytest.raises(UsageError, match="attribute-sets all"):
            parse_trust(json.dumps(document))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{",
            "{}",
            '{"data": []}',
            '{"issuer": "a", "issuer": "b"}',
            json.dumps({**DOCUMENT, "active": "true"}),
            json.dumps({**DOCUMENT, "oauthClients": "x"}),
            json.dumps({**DOCUMENT, "oauth-clients": []}),
            json.dumps({**DOCUMENT, "clientClaimName": 7}),
            json.dumps({**DOCUMENT, "impersonationServiceUsers": ["sub eq *"]}),
            json.dumps({**DOCUMENT, "impersonationServiceUsers": [{"rule": "sub sw x"}]}),
            json.dumps({**DOCUMENT, "impersonationServiceUsers": [{"rule": "sub eq"}]}),
            json.dumps({**DOCUMENT, "claimValidations": [{"name": "x"}]}),
            "[" * 100_000,
        ],
        ids=lambda text: text[-40:],
    )
    def test_what_cannot_be_read_is_not_guessed(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_trust(text)
        assert caught.value.code == "verify.trust_policy_invalid"

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4), st.data())
    def test_any_value_in_any_place_gives_a_trust_or_a_reason(self, value: Any, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(DOCUMENT)))
        code = ""
        try:
            explain(claims(), parse_trust(json.dumps({**DOCUMENT, name: value})), CLIENT_ID)
        except UsageError as error:
            code = error.code
        assert code in {"", "verify.trust_policy_invalid"}
