"""Who acts, by ids that nobody else gets later."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.identity.actors import GITHUB, actor_of
from aegis.identity.tokens import TokenRefused
from tests.doubles import oidc_issuer as double

CLUSTER = "https://cluster.example"
PEOPLE = "https://login.example"


def github(**changes: Any) -> dict[str, Any]:
    claims = {"iss": GITHUB, **double.GITHUB, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def cluster(**changes: Any) -> dict[str, Any]:
    return {"iss": CLUSTER, **double.CLUSTER, **changes}


def account(**changes: Any) -> dict[str, Any]:
    bound = double.CLUSTER["kubernetes.io"]
    return {**bound, "serviceaccount": {**bound["serviceaccount"], **changes}}


def test_a_workflow() -> None:
    actor = actor_of(github())
    assert actor.id == (
        f"{GITHUB}|owner=42|repository=7001|environment=production"
        "|workflow=octo/shop/.github/workflows/deploy.yml@refs/heads/main|run=9001.1|actor=99"
    )
    assert (actor.kind, actor.display, actor.issuer) == ("github-workflow", "octo/shop run 9001 by mona", GITHUB)
    assert actor.attributes["repository_id"] == "7001"


@pytest.mark.parametrize(
    "subject",
    [
        "repo:octo/shop:environment:production",
        "repo:octo@42/shop@7001:environment:production",
        "customised:by:somebody",
    ],
)
def test_both_forms_of_a_subject_and_a_customised_one_are_one_actor(subject: str) -> None:
    actor = actor_of(github(sub=subject))
    assert actor.id == actor_of(github()).id
    assert actor.subject == subject


def test_a_run_without_an_environment() -> None:
    actor = actor_of(github(sub="repo:octo/shop:ref:refs/heads/main", environment=None))
    assert "environment" not in actor.id


def test_a_colon_in_an_environments_name() -> None:
    actor = actor_of(github(sub="repo:octo/shop:environment:eu%3Aprod", environment="eu:prod"))
    assert "|environment=eu:prod|" in actor.id


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("repository_owner_id", "repository_id", "run_id", "run_attempt", "actor_id")),
        {"repository_id": 7001},
        {"repository_id": "7001x"},
        {"repository_id": ""},
        {"actor_id": "٣"},
        {"repository": None},
        {"repository": ["octo/shop"]},
        {"job_workflow_ref": None},
        {"environment": 5},
        {"sub": "repo:octo@43/shop@7001:environment:production"},
        {"sub": "repo:octo@42/shop@7002:environment:production"},
        {"sub": "repo:octo/other:environment:production"},
        {"sub": "repo:other/shop:environment:production"},
        {"sub": "repo:octo/shop:environment:staging"},
        {"sub": "repo:octo/shop:environment:production", "environment": None},
    ],
    ids=range(19),
)
def test_a_workflow_that_is_not_clear(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused) as caught:
        actor_of(github(**changes))
    assert caught.value.code == "token.actor_unclear"


@pytest.mark.parametrize("issuer", [GITHUB + "/octo-enterprise", "https://ghes.example/_services/token"])
def test_other_issuers_of_github(issuer: str) -> None:
    actor = actor_of(github(iss=issuer))
    assert actor.kind == "github-workflow"
    assert actor.id.startswith(issuer + "|")


@pytest.mark.parametrize("issuer", [GITHUB + ".evil.example", "https://evil.example", GITHUB + "x/y"])
def test_claims_like_githubs_make_no_workflow(issuer: str) -> None:
    actor = actor_of(github(iss=issuer))
    assert (actor.kind, actor.id.startswith(issuer + "|")) == ("person", True)


def test_a_service_account() -> None:
    actor = actor_of(cluster())
    uid = "6d8a0ad2-0000-4000-8000-000000000003"
    assert actor.id == f"{CLUSTER}|sub=system:serviceaccount:ml:serving|uid={uid}"
    assert (actor.kind, actor.display) == ("service-account", "ml/serving")
    assert actor.attributes == {"namespace": "ml", "serviceaccount": "serving", "uid": uid, "pod": "serving-0"}


def test_claims_as_a_validator_gives_them() -> None:
    nested = MappingProxyType(
        {name: MappingProxyType(value) if isinstance(value, dict) else value for name, value in account().items()}
    )
    assert actor_of(MappingProxyType(cluster(**{"kubernetes.io": nested}))).kind == "service-account"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "system:serviceaccount:ml:other"},
        {"sub": "system:serviceaccount:other:serving"},
        {"sub": "system:serviceaccount:ml"},
        {"sub": "system:node:node-1"},
        {"sub": "system:serviceaccount:ml:serving:more"},
        {"kubernetes.io": "text"},
        {"kubernetes.io": {}},
        {"kubernetes.io": {"namespace": "ml", "serviceaccount": "serving"}},
        {"kubernetes.io": account(uid="")},
        {"kubernetes.io": account(uid=5)},
        {"kubernetes.io": account(name="other")},
    ],
    ids=range(11),
)
def test_a_service_account_that_is_not_clear(changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused) as caught:
        actor_of(cluster(**changes))
    assert caught.value.code == "token.actor_unclear"


def test_an_account_made_again_is_another_actor() -> None:
    assert actor_of(cluster(**{"kubernetes.io": account(uid="another")})).id != actor_of(cluster()).id


def test_a_person() -> None:
    actor = actor_of({"iss": PEOPLE, **double.PEOPLE})
    assert (actor.id, actor.kind) == (f"{PEOPLE}|sub=248289761001", "person")
    assert (actor.display, actor.attributes) == ("ada@example.com", {"email": "ada@example.com"})


@pytest.mark.parametrize("verified", [None, False, "true", 1, "yes"])
def test_an_address_that_was_not_verified_is_not_shown(verified: object) -> None:
    actor = actor_of({"iss": PEOPLE, **double.PEOPLE, "email_verified": verified})
    assert (actor.display, dict(actor.attributes)) == ("248289761001", {})


def test_a_subject_like_a_service_account_of_another_issuer_is_a_person() -> None:
    actor = actor_of({"iss": PEOPLE, "sub": "system:serviceaccount:ml:serving"})
    assert actor.kind == "person"
    assert actor.id != actor_of(cluster()).id


PRINTED = st.text(st.characters(exclude_categories=["C"]), min_size=1)


@given(PRINTED, PRINTED)
def test_two_people_have_two_ids(one: str, other: str) -> None:
    ids = {actor_of({"iss": PEOPLE, "sub": subject}).id for subject in (one, other)}
    assert len(ids) == len({one, other})


@given(PRINTED, PRINTED)
def test_no_name_passes_for_another_part(environment: str, workflow: str) -> None:
    actor = actor_of(github(sub="customised", environment=environment, job_workflow_ref=workflow))
    parts = actor.id.split("|")
    assert [part.partition("=")[0] for part in parts[1:]] == [
        "owner",
        "repository",
        "environment",
        "workflow",
        "run",
        "actor",
    ]
