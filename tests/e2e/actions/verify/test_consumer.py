"""The example's own workflows as they are given away: only the addresses in its policies are the tests' own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.doubles.cloud import ENVIRONMENT
from tests.doubles.oci.identity_domain import CLIENT_ID, CLIENT_SECRET
from tests.doubles.oci.object_storage import Bucket
from tests.doubles.oci.tenancy import NAMESPACE, WANTED, tenancy
from tests.doubles.sigstore.signer import PrivateSigstore
from tests.support.actions import events, staged
from tests.support.actions.act import Act, Run, commit, write_files
from tests.support.actions.consumer import AWS_CHECK, CLAIMS, SIGNER, Staged, copy, staged_cloud
from tests.support.actions.leaks import secrets_in, without_masks
from tests.support.signing.signing import private, private_pem

SIGN = ".github/workflows/sign-model.yml"
OCI_CHECK, ROOT_CHECK = AWS_CHECK.replace("aws", "oci"), ".github/workflows/aegis.yml"
CHANGE = {"README.md": "A shop.\n"}
DISPATCH = {"repository": events.REPOSITORY}
OCI_BUCKET = "octo-models-staging"


@pytest.fixture(scope="module")
def served() -> Iterator[Staged]:
    """A cloud with the example's models; tests upload them anew."""
    with staged_cloud() as running:
        yield running


@pytest.fixture
def act(tmp_path: Path, exported: Path, uv_folder: Path, served: Staged) -> Iterator[Act]:
    """A bare runner whose jobs may ask for tokens."""
    served.upload()
    work = tmp_path / "runner"
    work.mkdir()
    yield Act(exported, work, (uv_folder,), served.cloud.job, ("--insecure-secrets", *served.options))
    shutil.rmtree(work, ignore_errors=True)


def shop(folder: Path, served: Staged, workflow: str) -> Path:
    """The example with one workflow."""
    repository = copy(
        folder / "shop", [workflow], {"aegis.yml": {"aws": served.cloud.places}}, served.sigstore.trusted_root()
    )
    commit(repository, {}, "The service as it is")
    return repository


def changed(act: Act, repository: Path, files: Mapping[str, str] = CHANGE) -> Run:
    """Run the workflow for a pull request."""
    event = events.pull_request(repository, files)
    return act.run(repository, event.name, event.payload)


@pytest.mark.parametrize("workflow", [AWS_CHECK, ROOT_CHECK], ids=["verify", "root"])
def test_the_examples_models_are_verified_by_its_own_workflow(
    tmp_path: Path, act: Act, served: Staged, workflow: str
) -> None:
    repository = shop(tmp_path, served, workflow)
    run = changed(act, repository)
    assert run.green, run.log[-4000:]
    assert "PASS" in run.summary
    served.tamper()
    again = act.run(repository, "workflow_dispatch", DISPATCH)
    assert not again.green
    assert any(note.title.startswith("verify.file_differs:") for note in again.errors())
    for one in (run, again):
        assert secrets_in(served.cloud.secrets, without_masks(one), [act.work]) == []


CHECKOUT_DOUBLE = """\
name: Stand-in for actions/checkout of another repository
inputs: {repository: {}, ref: {}, path: {}, persist-credentials: {}}
runs:
  using: composite
  steps:
    - {shell: bash, env: {TO: "${{ inputs.path }}"}, run: cp -r "$TREE" "$TO"}
"""
DOWNLOAD_DOUBLE = """\
name: Stand-in for actions/download-artifact
inputs: {name: {}, path: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", TO: "${{ inputs.path }}"}
      run: cp -r "$ARTIFACTS/$NAME" "$TO"
"""
BUILD = f"""\
name: build
on: workflow_dispatch
jobs:
  sign:
    uses: ./{SIGN}
    with: {{artifact: model, name: ranking, version: 1.4.0}}
"""


def test_what_the_examples_builders_sign_is_green_in_its_check(
    tmp_path: Path, act: Act, served: Staged, exported: Path
) -> None:
    """The other half, but for Fulcio and Rekor: the same lines sign, with a key in place of the workflow's identity."""
    builders = copy(tmp_path / "builders", [SIGN], {}, b"{}")
    text = (builders / SIGN).read_text("utf-8")
    assert text.count("--keyless") == 2
    write_files(builders, {SIGN: text.replace("--keyless", "--key $KEY"), ".github/workflows/build.yml": BUILD})
    key, artifacts = tmp_path / "key.pem", tmp_path / "artifacts"
    key.write_bytes(private_pem(private("ecdsa-p256", 0)))
    write_files(artifacts / "model", staged.WEIGHTS)
    commit(builders, {}, "A model")
    doubles = []
    for name, content in (("checkout", CHECKOUT_DOUBLE), ("download-artifact", DOWNLOAD_DOUBLE)):
        (reference,) = set(re.findall(rf"actions/{name}@[0-9a-f]{{40}}", text))
        write_files(tmp_path / name, {"action.yml": content})
        doubles += ["--local-repository", f"{reference}={tmp_path / name}"]
    env = {"KEY": str(key), "TREE": str(exported), "ARTIFACTS": str(artifacts)}
    only = ("-W", ".github/workflows/build.yml")
    signing = replace(act, env=env, options=(*doubles, *only))
    run = signing.run(builders, "workflow_dispatch", DISPATCH)
    assert run.green, run.log[-4000:]

    repository = shop(tmp_path, served, AWS_CHECK)
    policy = yaml.safe_load((repository / "aegis.yml").read_text("utf-8"))
    policy["verify"]["artifacts"][0]["signers"] = [{"key": "env:COSIGN_PUB_KEY"}]
    commit(repository, {"aegis.yml": yaml.safe_dump(policy)}, "The models' builders have a key")
    served.cloud.put({"model.sig": b"{}", "release.sigstore.json": b"{}"}, "ranking/")
    assert not act.run(repository, "workflow_dispatch", DISPATCH).green
    signatures = {file.name: file.read_bytes() for file in (artifacts / "model-signatures").iterdir()}
    assert signatures.keys() == {"model.sig", "release.sigstore.json"}
    served.cloud.put(signatures, "ranking/")
    run = act.run(repository, "workflow_dispatch", DISPATCH)
    assert run.green, run.log[-4000:]


def test_the_examples_models_are_verified_in_oci(tmp_path: Path, exported: Path, uv_folder: Path) -> None:
    sigstore = PrivateSigstore()
    sign = staged.by_identity(sigstore, identity=SIGNER, claims={**sigstore.request().claims, **CLAIMS})
    with tenancy() as running:
        running.issuer.claims |= {"sub": f"repo:octo/shop:environment:{ENVIRONMENT}", "environment": ENVIRONMENT}
        running.apply(replace(WANTED, ref=None, environment=ENVIRONMENT, bucket=OCI_BUCKET, prefix="ranking/"))
        bucket = running.storage.buckets[NAMESPACE, OCI_BUCKET] = Bucket()
        model = staged.model(staged.WEIGHTS, sign) | staged.release("ranking", staged.WEIGHTS, "1.4.0", sign)
        for name, content in model.items():
            bucket.put(f"ranking/{name}", content)
        places = {"domain": running.domain.address, "storage-endpoint": running.storage.address}
        repository = copy(tmp_path / "shop", [OCI_CHECK], {"aegis.oci.yml": {"oci": places}}, sigstore.trusted_root())
        commit(repository, {}, "The service as it is")
        (tmp_path / "runner").mkdir()
        job = {name: running.issuer.environ[name] for name in running.issuer.environ if name.startswith("ACTIONS_")}
        given = ("-s", f"OCI_CLIENT_ID={CLIENT_ID}", "-s", f"OCI_CLIENT_SECRET={CLIENT_SECRET}")
        act = Act(exported, tmp_path / "runner", (uv_folder,), job, ("--insecure-secrets", *given))
        run = changed(act, repository)
        assert run.green, run.log[-4000:]
        bucket.put("ranking/weights.bin", b"others")
        again = act.run(repository, "workflow_dispatch", DISPATCH)
        assert any(note.title.startswith("verify.file_differs:") for note in again.errors()), again.log[-4000:]
        for one in (run, again):
            assert secrets_in(running.secrets, without_masks(one), [act.work]) == []
        shutil.rmtree(act.work, ignore_errors=True)
