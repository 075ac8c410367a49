"""The OCI overlay, applied by a real Terraform through the real provider's schema to a cloud that only gives names."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aegis.identity.oci_trust import TrustWanted, render
from aegis.storage.location import parse_location
from tests.support.infra.terraform import Workspace
from tests.support.infra.terraform_oci import COMPARTMENT, Invented

pytestmark = pytest.mark.xdist_group("terraform")

PASSWORD = "Correct-Horse-Battery-9"
GITHUB = {
    "repository": "octo/shop",
    "owner_id": "42",
    "repository_id": "7001",
    "domain_url": "https://idcs-example.identity.oraclecloud.com",
    "client_id": "0123456789abcdef",
}
SETTINGS = {
    "compartment_id": COMPARTMENT,
    "cluster_id": "ocid1.cluster.oc1.eu-frankfurt-1.example",
    "github": json.dumps(GITHUB),
}


def of(cloud: Invented, kind: str, **wanted: object) -> dict[str, Any]:
    """The one resource of a kind with these values."""
    (found,) = (
        values
        for ocid, values in cloud.made.items()
        if ocid.startswith(f"ocid1.{kind}.") and all(values[name] == value for name, value in wanted.items())
    )
    return found


def test_apply_plan_destroy_and_no_password(oci: tuple[Invented, Workspace]) -> None:
    """The runbook's line with OCI's folder; the password is said to be of no use, and is found nowhere."""
    cloud, work = oci
    line = ("apply", f"-var=db_password={PASSWORD}", "-auto-approve", "-no-color")
    applied = work.ran("oci", *line, **SETTINGS)
    assert "db_password is not used" in applied.out
    clean = work.run("oci", "plan", "-detailed-exitcode", "-no-color", **SETTINGS)
    assert clean.code == 0, clean.said
    outputs = {name: one["value"] for name, one in json.loads(work.ran("oci", "output", "-json").out).items()}
    assert set(outputs) == {
        "cloud", "region", "bucket_name", "bucket_namespace", "database_url", "database_secret_ref", "models_url",
        "backups_url", "workload_role_arn", "backup_writer_role_arn", "backup_reader_role_arn", "role_arn",
        "drill_role_arn", "canary_role_arn", "evidence_url", "evidence_role_arn", "secrets_role_arn",
    }  # fmt: skip
    assert outputs["database_url"] == "postgresql://aegis@db.example:5432/postgres?sslmode=verify-full"
    assert outputs["models_url"] == "oci://octonamespace/aegis-staging-models/staging/"
    assert parse_location(str(outputs["backups_url"])).store == "octonamespace/aegis-staging-backups"
    # External Secrets asks a vault by name
    password = of(cloud, "vault_secret")
    assert outputs["database_secret_ref"] == password["secret_name"] == "aegis-staging-database"

    state = (work.folder / "overlays/oci/terraform.tfstate").read_text(encoding="utf-8")
    for where, text in {
        "state": state,
        "printed": "".join(work.said),
        "cloud": json.dumps(list(cloud.made.values())),
    }.items():
        assert PASSWORD not in text, where
    system = of(cloud, "psql_db_system")
    (details,) = system["credentials"][0]["password_details"]
    assert (details["password_type"], details["password"]) == ("VAULT_SECRET", None)
    assert cloud.made[details["secret_id"]]["enable_auto_generation"]

    work.ran("oci", "destroy", "-auto-approve", "-no-color", **SETTINGS)
    assert cloud.made == {}


def test_trust_and_rights_are_those_that_the_command_prints(oci: tuple[Invented, Workspace]) -> None:
    cloud, work = oci
    work.ran("oci", "apply", "-auto-approve", "-no-color", **SETTINGS)
    trust = of(cloud, "identity_domains_identity_propagation_trust")
    rules = {one["rule"]: one["value"] for one in trust["impersonation_service_users"]}
    user = next(ocid for ocid, one in cloud.made.items() if one.get("user_name") == "aegis-staging-github-verify")
    printed = render(
        TrustWanted(
            owner="octo", repository="shop", owner_id="42", repository_id="7001", client_id="0123456789abcdef",
            service_user=user, audience="https://cloud.oracle.com", environment="staging",
            group="aegis-staging-github-verify", compartment="COMPARTMENT", bucket="aegis-staging-models",
            prefix="staging/",
        )
    )  # fmt: skip
    wanted = json.loads(printed.trust)
    for name, ours in {
        "issuer": "issuer", "publicKeyEndpoint": "public_key_endpoint", "subjectType": "subject_type",
        "subjectClaimName": "subject_claim_name", "clientClaimName": "client_claim_name", "type": "type",
        "clientClaimValues": "client_claim_values", "oauthClients": "oauth_clients", "active": "active",
        "allowImpersonation": "allow_impersonation", "schemas": "schemas",
    }.items():  # fmt: skip
        assert trust[ours] == wanted[name], name
    for rule in wanted["impersonationServiceUsers"]:
        assert rules[rule["rule"]] == rule["value"] == user
    assert len(rules) == 8
    assert len(set(rules.values())) == 4
    assert "*" not in json.dumps(list(rules))
    policy = of(cloud, "identity_policy", name="aegis-staging-github-verify")
    assert policy["statements"] == [
        printed.statements[0].replace("compartment COMPARTMENT", f"compartment id {COMPARTMENT}")
    ]


def test_nobody_has_rights_beyond_one_service_account_or_group(oci: tuple[Invented, Workspace]) -> None:
    cloud, work = oci
    work.ran("oci", "apply", "-auto-approve", "-no-color", **SETTINGS)
    statements = [line for one in cloud.made.values() for line in one.get("statements") or []]
    assert len(statements) == 11
    for line in statements:
        if line.startswith("Allow any-user"):
            assert "request.principal.type = 'workload'" in line
            assert f"request.principal.cluster_id = '{SETTINGS['cluster_id']}'" in line
            assert "request.principal.service_account = 'aegis" in line
        assert f"in compartment id {COMPARTMENT}" in line
        assert "manage all-resources" not in line
    writers = [line for line in statements if "OBJECT_DELETE" in line]
    assert all("'postgresql/aegis/*'" in line and "service_account = 'aegis-backup'" in line for line in writers)
    (keeper,) = [line for line in statements if "-evidence'" in line and "OBJECT_CREATE" in line]
    assert "'verdicts/*'" in keeper
    assert not {"OBJECT_DELETE", "OBJECT_OVERWRITE"} & set(re.findall(r"OBJECT_\w+", keeper))


def test_external_secrets_reads_three_secrets_and_nothing_else(oci: tuple[Invented, Workspace]) -> None:
    cloud, work = oci
    work.ran("oci", "apply", "-auto-approve", "-no-color", **SETTINGS)
    statements = [line for one in cloud.made.values() for line in one.get("statements") or []]
    (line,) = [line for line in statements if "secret" in line]
    assert line == (
        f"Allow any-user to read secret-bundles in compartment id {COMPARTMENT} where all "
        "{request.principal.type = 'workload', request.principal.namespace = 'aegis', "
        f"request.principal.cluster_id = '{SETTINGS['cluster_id']}', "
        "request.principal.service_account = 'aegis-secrets', "
        "any {target.secret.name = 'aegis-staging-database', target.secret.name = 'aegis-audit', "
        "target.secret.name = 'aegis-cosign'}}"
    )
    assert of(cloud, "identity_policy", name="aegis-staging-secrets")["statements"] == [line]
