"""A real Terraform, the real providers' schemas, and a cloud in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.infra import terraform_schema
from tests.support.infra.terraform import INFRA, Workspace, workspace
from tests.support.infra.terraform_aws import Moto, moto
from tests.support.infra.terraform_oci import Invented
from tests.support.infra.terraform_provider import serve
from tests.support.infra.terraform_schema import Schema

PASSWORD = "Correct-Horse-Battery-9"
GITHUB = {"repository": "octo/shop", "owner_id": "42", "repository_id": "7001"}
ISSUER = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
"""Of the cluster's tokens."""
SETTINGS = {"db_password": PASSWORD, "github": json.dumps(GITHUB), "cluster_oidc_issuer": ISSUER}
"""Of an overlay with every role."""


@dataclass(frozen=True, slots=True)
class Aws:
    """A copy of the overlay, and the account that it is applied to."""

    moto: Moto
    work: Workspace

    def outputs(self) -> dict[str, dict[str, object]]:
        """As `terraform output -json` prints them."""
        found: dict[str, dict[str, object]] = json.loads(self.work.ran("aws", "output", "-json").out)
        return found


@pytest.fixture(scope="session")
def aws_schema() -> Schema:
    return terraform_schema.aws(*terraform_schema.used(INFRA, "aws"))


@pytest.fixture(scope="session")
def oci_schema() -> Schema:
    return terraform_schema.oci(*terraform_schema.used(INFRA, "oci"))


@pytest.fixture
def aws(aws_schema: Schema, tmp_path: Path) -> Iterator[Aws]:
    """Nothing is applied yet; `init` has run."""
    with moto() as cloud, serve("hashicorp/aws", aws_schema, cloud) as reattach:
        work = workspace(tmp_path, reattach)
        work.ran("aws", "init", "-no-color")
        yield Aws(cloud, work)


@pytest.fixture(scope="session")
def staging(aws_schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Staging with every role, applied once: tests look, and change nothing."""
    with moto() as cloud, serve("hashicorp/aws", aws_schema, cloud) as reattach:
        work = workspace(tmp_path_factory.mktemp("staging"), reattach)
        work.ran("aws", "init", "-no-color")
        work.ran("aws", "apply", "-auto-approve", "-no-color", **SETTINGS)
        yield Aws(cloud, work)


@pytest.fixture
def oci(oci_schema: Schema, tmp_path: Path) -> Iterator[tuple[Invented, Workspace]]:
    cloud = Invented()
    with serve("oracle/oci", oci_schema, cloud) as reattach:
        work = workspace(tmp_path, reattach)
        work.ran("oci", "init", "-no-color")
        yield cloud, work
