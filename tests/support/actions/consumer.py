"""The example repository, in a place of its own and beside a cloud on loopback, for end-to-end tests and the demo."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.doubles.cloud import ARN, REGION, Cloud, cloud
from tests.doubles.sigstore.signer import PrivateSigstore
from tests.support.actions import staged
from tests.support.actions.act import ROOT, write_files
from tests.support.signing.signing import dump, message_bundle, pem, private

EXAMPLE = ROOT / "examples" / "consumer"
AWS_CHECK = ".github/workflows/verify-model-signatures-aws-oidc.yml"
TRUSTED_ROOT = "keys/trusted_root.json"
SIGNER = "https://github.com/octo/shop-ml/.github/workflows/sign-model.yml@refs/heads/main"
CLAIMS = {"11": "github-hosted", "15": "712345678"}
"""Of the certificate that sign-model gets: runner environment and repository id."""
VOCABULARY = b'["red", "green", "blue"]\n'


@dataclass(frozen=True)
class Staged:
    """The cloud in which the example's models lie, and the Sigstore that stands for the public one."""

    cloud: Cloud
    sigstore: PrivateSigstore

    def upload(self) -> None:
        """What the builders upload: a model with signature and release, and a file with its signature."""
        sign = staged.by_identity(self.sigstore, identity=SIGNER, claims={**self.sigstore.request().claims, **CLAIMS})
        self.cloud.put(staged.model(staged.WEIGHTS, sign), "ranking/")
        self.cloud.put(staged.release("ranking", staged.WEIGHTS, "1.4.0", sign), "ranking/")
        signature = dump(message_bundle(private("ecdsa-p256", 0), VOCABULARY))
        self.cloud.put({"vocabulary.json": VOCABULARY, "vocabulary.json.sigstore.json": signature})

    def tamper(self) -> None:
        """One other byte in the weights."""
        weights = staged.WEIGHTS["weights.bin"]
        self.cloud.put({"ranking/weights.bin": b"\x01" + weights[1:]})

    @property
    def options(self) -> tuple[str, ...]:
        """For act: the variables of the environment `staging`."""
        variables = {"AWS_ROLE_TO_ASSUME": ARN, "AWS_REGION": REGION, "COSIGN_PUB_KEY": pem(private("ecdsa-p256", 0))}
        return tuple(word for name, value in variables.items() for word in ("--var", f"{name}={value}"))


@contextmanager
def staged_cloud(workflow: str = AWS_CHECK) -> Iterator[Staged]:
    """Serve the cloud with the signed model, for jobs of one workflow of the example."""
    with cloud(workflow) as running:
        served = Staged(running, PrivateSigstore())
        served.upload()
        yield served


def copy(to: Path, workflows: Sequence[str], policies: Mapping[str, Mapping[str, Any]], trusted_root: bytes) -> Path:
    """The example with just these workflows; its policies differ only in where services are.

    `policies`: for each policy file, what is put into a section of `verify`, e.g. `{"aegis.yml": {"aws": {…}}}`.
    """
    shutil.copytree(EXAMPLE, to, ignore=shutil.ignore_patterns(".ruff_cache", "__pycache__"))
    for file in (to / ".github" / "workflows").iterdir():
        if f".github/workflows/{file.name}" not in workflows:
            file.unlink()
    for name, sections in policies.items():
        policy = yaml.safe_load((to / name).read_text("utf-8"))
        policy["verify"]["trusted-root"] = TRUSTED_ROOT
        for section, more in sections.items():
            policy["verify"][section] |= more
        (to / name).write_text(yaml.safe_dump(policy), "utf-8")
    write_files(to, {TRUSTED_ROOT: trusted_root})
    return to
