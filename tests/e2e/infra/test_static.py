"""Both overlays without any cloud: form, validity against the real providers' schemas, their own tests, checkov."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.infra.terraform import INFRA, ROOT, Workspace, program, version, workspace
from tests.support.infra.terraform_oci import Invented
from tests.support.infra.terraform_provider import serve
from tests.support.infra.terraform_schema import Schema, UnknownTypeError, aws
from tests.support.programs import checkov

pytestmark = pytest.mark.xdist_group("terraform")

OVERLAYS = ("aws", "oci")
ACCEPTED = yaml.safe_load((INFRA / "accepted.yml").read_text(encoding="utf-8"))


def test_the_format(tmp_path: Path) -> None:
    ran = workspace(tmp_path, {}).run("aws", "fmt", "-check", "-recursive", "-diff", "../..")
    assert ran.code == 0, ran.said


@pytest.fixture(params=OVERLAYS)
def overlay(
    request: pytest.FixtureRequest, aws_schema: Schema, oci_schema: Schema, tmp_path: Path
) -> Iterator[tuple[str, Workspace]]:
    """An overlay, a copy of it, and its provider without a cloud."""
    address, schema = {"aws": ("hashicorp/aws", aws_schema), "oci": ("oracle/oci", oci_schema)}[request.param]
    with serve(address, schema, Invented()) as reattach:
        yield request.param, workspace(tmp_path, reattach)


def test_its_own_tests(overlay: tuple[str, Workspace]) -> None:
    name, work = overlay
    work.ran(name, "init", "-no-color")
    work.ran(name, "validate", "-no-color")
    ran = work.ran(name, "test", "-no-color")
    (passed,) = re.findall(r"Success! (\d+) passed, 0 failed", ran.out)
    assert int(passed) == len(re.findall(r'^run "', _all(INFRA / "overlays" / name / "tests", "*.hcl"), re.MULTILINE))


MISTAKES = (
    ("storage_encrypted     = true", "storage_encrpyted = true", "Did you mean"),
    ("  engine         = ", "  engin = ", 'argument named "engin" is not expected'),
    ("password_wo         = var.password", "password = var.password", "Ephemeral value"),
    ("publicly_accessible    = false", "publicly_accessible = [1]", "bool required"),
    ("  vpc_id      = var.vpc_id", "  vpc = var.vpc_id", 'argument named "vpc" is not expected'),
    ("  subnet_ids  = var.subnet_ids", "", 'argument "subnet_ids" is required'),
    ("family      =", "versioning {}\n  family      =", 'Blocks of type "versioning" are not expected'),
)


def test_the_schema_is_a_real_one(aws_schema: Schema, tmp_path: Path) -> None:
    """What the provider would refuse is refused here; and the password cannot be put where it would be kept."""
    with serve("hashicorp/aws", aws_schema, Invented()) as reattach:
        work = workspace(tmp_path, reattach)
        file = work.folder / "modules/aws/database/main.tf"
        text = file.read_text(encoding="utf-8")
        work.ran("aws", "init", "-no-color")
        for written, wrong, told in MISTAKES:
            assert text.count(written) == 1, written
            file.write_text(text.replace(written, wrong), encoding="utf-8")
            ran = work.run("aws", "validate", "-no-color")
            assert (ran.code, told in " ".join(ran.said.split())) == (1, True), f"{wrong}: {ran.said}"


def test_a_type_that_the_provider_lacks() -> None:
    with pytest.raises(UnknownTypeError):
        aws(["aws_s3_buckets"], [])


def test_outputs_have_the_same_names_in_every_overlay() -> None:
    names = {
        each: set(re.findall(r'^output "(\w+)"', (INFRA / "overlays" / each / "outputs.tf").read_text("utf-8"), re.M))
        for each in OVERLAYS
    }
    assert names["oci"] - names["aws"] == {"bucket_namespace"}
    assert names["aws"] <= names["oci"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_role_of_secrets_is_of_the_store_and_of_what_it_is_asked_for(overlay: str) -> None:
    """As k8s/external-secrets is shipped; the database's secret is known by itself."""
    text = (INFRA / "overlays" / overlay / "variables.tf").read_text("utf-8")
    folder = ROOT / "k8s" / "external-secrets"
    asked = {
        data["remoteRef"]["key"]
        for file in folder.glob("external-secret-*.yaml")
        for one in yaml.safe_load_all(file.read_text("utf-8"))
        for data in one["spec"]["data"]
    }
    (told,) = re.findall(r'^variable "secrets" \{.*?^  default += \[(.+?)\]$', text, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r'"([^"]+)"', told)) == asked - {"aegis-database"}
    store = yaml.safe_load_all((folder / f"secret-store-{overlay}.yaml").read_text("utf-8"))
    account, _ = store
    assert re.findall(r'secrets += optional\(string, "(.+)"\)', text) == [account["metadata"]["name"]]
    assert re.findall(r'^variable "namespace" \{.*?default += "(.+?)"$', text, re.MULTILINE | re.DOTALL) == [
        account["metadata"]["namespace"]
    ]


def test_every_variable_and_output_says_what_it_is() -> None:
    for file in sorted(INFRA.rglob("*.tf")):
        for block in re.findall(
            r'^(?:variable|output) "\w+" \{.*?^\}', file.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            assert re.search(r'^  description\s+= ".+"$', block, re.MULTILINE), f"{file}: {block}"


def test_no_output_is_sensitive() -> None:
    """What the chart gets holds no secret, so nothing needs to be hidden."""
    assert "sensitive" not in _all(INFRA / "overlays", "outputs.tf")


def test_the_database_logs_no_statement_since_a_password_may_be_in_one() -> None:
    text = (INFRA / "modules/aws/database/main.tf").read_text("utf-8")
    assert re.findall(r'log_statement\s*=\s*"(\w+)"', text) == ["none"]


def test_examples_hold_no_secret() -> None:
    for file in sorted(INFRA.rglob("*.example")):
        assert not re.search(r"^\s*(db_password|password|secret_key|access_key)\s*=", file.read_text("utf-8"), re.M), (
            file
        )


PRODUCTION = """
production = true
cluster_oidc_issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
compartment_id = "ocid1.compartment.oc1..example"
cluster_id = "ocid1.cluster.oc1.eu-frankfurt-1.example"
github = {
  repository = "octo/shop"
  owner_id = "42"
  repository_id = "7001"
  environment = "staging"
  deploy_environment = "production"
  drill_environment = "drill"
  evidence_environment = "evidence"
  branch = "main"
  create_provider = true
  domain_url = "https://idcs-example.identity.oraclecloud.com"
  domain_name = "Default"
  client_id = "0123456789abcdef"
  audience = "https://cloud.oracle.com"
  subject_forms = ["name", "ids"]
}
"""
STAGING = PRODUCTION.replace("production = true", "production = false")


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[str, str]]]:
    """What checkov says of staging and of production."""

    def judged(variables: str) -> set[tuple[str, str]]:
        copy = tmp_path_factory.mktemp("checkov") / "terraform"
        shutil.copytree(INFRA, copy, ignore=shutil.ignore_patterns("tests", ".terraform*"))
        return checkov.failed(copy, variables)

    return {"staging": judged(STAGING), "production": judged(PRODUCTION)}


def _accepted(environment: str, entries: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(one["check"], one["resource"]) for one in entries if one.get("only") in {None, environment}}


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_checkov_finds_what_is_accepted_and_nothing_else(
    found: dict[str, set[tuple[str, str]]], environment: str
) -> None:
    assert found[environment] == _accepted(environment, ACCEPTED)


def test_each_entry_is_needed(found: dict[str, set[tuple[str, str]]]) -> None:
    for entry in ACCEPTED:
        assert set(entry) <= {"check", "resource", "only", "reason"}
        assert len(entry["reason"]) > 40
        rest = [one for one in ACCEPTED if one is not entry]
        assert any(found[each] - _accepted(each, rest) for each in found), entry


FAULTS = (
    ("modules/aws/database/main.tf", "publicly_accessible    = false", "publicly_accessible = true", "CKV_AWS_17"),
    ("modules/aws/database/main.tf", "storage_encrypted     = true", "storage_encrypted = false", "CKV_AWS_16"),
    ("modules/aws/object-store/main.tf", 'status = "Enabled"\n  }', 'status = "Suspended"\n  }', "CKV_AWS_21"),
    ("modules/oci/object-store/main.tf", '"NoPublicAccess"', '"ObjectRead"', "CKV_OCI_10"),
)


def test_checkov_sees_planted_faults(tmp_path: Path, found: dict[str, set[tuple[str, str]]]) -> None:
    copy = tmp_path / "terraform"
    shutil.copytree(INFRA, copy, ignore=shutil.ignore_patterns("tests", ".terraform*"))
    for file, written, wrong, _ in FAULTS:
        text = (copy / file).read_text(encoding="utf-8")
        assert text.count(written) == 1, written
        (copy / file).write_text(text.replace(written, wrong), encoding="utf-8")
    new = {check for check, _ in checkov.failed(copy, PRODUCTION) - found["production"]}
    assert {check for *_, check in FAULTS} <= new


def test_the_program_is_the_pinned_one(tmp_path: Path) -> None:
    assert (program() / "terraform").is_file()
    assert version() in workspace(tmp_path, {}).ran("aws", "version", "-no-color").out


def _all(folder: Path, pattern: str) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.rglob(pattern)))
