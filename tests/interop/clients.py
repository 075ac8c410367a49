"""Who signs and verifies: Aegis, cosign, sigstore-python and model_signing, each by its own command line.

All of them run as in a job with `id-token: write`: each asks the issuer for its token itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.instance import Sigstore
from tests.support.programs.gomod import program

ROOT = Path(__file__).parents[2]
SLSA = "https://slsa.dev/provenance/v1"
OMS = "https://model_signing/signature/v1.0"
PREDICATE = {
    "buildDefinition": {"buildType": "https://octo.example/build/v1", "externalParameters": {"seed": "7"}},
    "runDetails": {"builder": {"id": "https://octo.example/builder"}},
}
COSIGN = "3.1.3"
_NOBODY = "http://127.0.0.1:9"
"""The discard port: whoever asks a host on the internet fails at once."""
AEGIS = (sys.executable, "-m", "aegis")
_SIGSTORE = (sys.executable, "-m", "sigstore")
_MODEL_SIGNING = (str(Path(sys.executable).with_name("model_signing")),)
_GIT_TOO = "--no-ignore-git-paths"

Words = tuple[str | Path, ...]
Ran = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Who:
    """What a verifier is told."""

    identity: str
    issuer: str
    trusted_root: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A job of a workflow with a folder of its own."""

    sigstore: Sigstore
    folder: Path

    @classmethod
    def within(cls, folder: Path, sigstore: Sigstore) -> Job:
        """One whose folder is new, so that what it writes is all that is in there."""
        own = folder / "job"
        own.mkdir()
        return cls(sigstore, own)

    def __post_init__(self) -> None:
        self._write("trust-config.json", self.sigstore.trust_config)
        self._write("trusted-root.json", self.sigstore.trusted_root)
        self._write("signing-config.json", self.sigstore.signing_config)
        self._write("predicate.json", PREDICATE)

    @property
    def who(self) -> Who:
        """Who signs here."""
        return Who(self.sigstore.identity, self.sigstore.issuer.address, self.sigstore.trusted_root)

    def sign(self, tool: str, kind: str, artifact: Path, out: Path) -> Ran:
        return self.run(*_SIGN[kind][tool](artifact, out))

    def verify(self, tool: str, kind: str, artifact: Path, bundle: Path, who: Who | None = None) -> Ran:
        """It is given nothing of the environment by which a job may sign."""
        told = who or self.who
        self._write("its-trusted-root.json", told.trusted_root)
        self._write("its-trust-config.json", {**self.sigstore.trust_config, "trustedRoot": told.trusted_root})
        return self.run(*_VERIFY[kind][tool](artifact, bundle, told), may_sign=False)

    def run(self, *words: str | Path, may_sign: bool = True) -> Ran:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT / "src"),
            "HTTPS_PROXY": _NOBODY,
            **(self.sigstore.issuer.environ if may_sign else {}),
        }
        return subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=180
        )

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(document))


def _cosign(*words: str | Path) -> Words:
    return (program(ROOT / "tests/e2e/tools/cosign", COSIGN), *words)


def _aegis_who(who: Who) -> Words:
    named = ("--certificate-identity", who.identity, "--certificate-oidc-issuer", who.issuer)
    return (*named, "--trusted-root", "its-trusted-root.json")


def _cosign_who(who: Who) -> Words:
    return (*_aegis_who(who), "--use-signed-timestamps")


_KEYLESS: Words = ("--keyless", "--trust-config", "trust-config.json")
_COSIGN_SIGNS: Words = ("--signing-config", "signing-config.json", "--trusted-root", "trusted-root.json", "--yes")
_SIGSTORE_SIGNS: Words = (*_SIGSTORE, "--trust-config", "trust-config.json")
_SIGSTORE_VERIFIES: Words = (*_SIGSTORE, "--trust-config", "its-trust-config.json", "verify", "identity")
_ATTESTED: Words = ("--predicate", "predicate.json", "--type", SLSA)


def _sigstore_verifies(artifact: Path, bundle: Path, who: Who) -> Words:
    named = ("--cert-identity", who.identity, "--cert-oidc-issuer", who.issuer)
    return (*_SIGSTORE_VERIFIES, "--bundle", bundle, *named, artifact)


_SIGN: Mapping[str, Mapping[str, Callable[[Path, Path], Words]]] = {
    "file": {
        "aegis": lambda artifact, out: (*AEGIS, "sign", "file", artifact, *_KEYLESS, "--bundle", out),
        "cosign": lambda artifact, out: _cosign("sign-blob", *_COSIGN_SIGNS, "--bundle", out, artifact),
        "sigstore": lambda artifact, out: (*_SIGSTORE_SIGNS, "sign", "--bundle", out, artifact),
    },
    "attestation": {
        "aegis": lambda artifact, out: (
            *AEGIS, "sign", "attestation", artifact, *_KEYLESS, *_ATTESTED, "--bundle", out,
        ),
        "cosign": lambda artifact, out: _cosign(
            "attest-blob", *_COSIGN_SIGNS, *_ATTESTED, "--bundle", out, artifact,
        ),
        "sigstore": lambda artifact, out: (
            *_SIGSTORE_SIGNS, "attest", "--predicate", "predicate.json", "--predicate-type", SLSA, "--bundle", out,
            artifact,
        ),
    },
    "model": {
        "aegis": lambda artifact, out: (*AEGIS, "sign", "model", artifact, *_KEYLESS, "--signature", out),
        "model_signing": lambda artifact, out: (
            *_MODEL_SIGNING, "sign", "sigstore", "--trust_config", "trust-config.json", "--use_ambient_credentials",
            _GIT_TOO, "--signature", out, artifact,
        ),
    },
}  # fmt: skip
_VERIFY: Mapping[str, Mapping[str, Callable[[Path, Path, Who], Words]]] = {
    "file": {
        "aegis": lambda artifact, bundle, who: (
            *AEGIS, "verify", "file", artifact, "--bundle", bundle, *_aegis_who(who),
        ),
        "cosign": lambda artifact, bundle, who: _cosign(
            "verify-blob", "--bundle", bundle, *_cosign_who(who), artifact,
        ),
        "sigstore": _sigstore_verifies,
    },
    "attestation": {
        "aegis": lambda artifact, bundle, who: (
            *AEGIS, "verify", "attestation", artifact, "--bundle", bundle, "--type", SLSA, *_aegis_who(who),
        ),
        "cosign": lambda artifact, bundle, who: _cosign(
            "verify-blob-attestation", "--bundle", bundle, "--type", SLSA, *_cosign_who(who), artifact,
        ),
        "sigstore": _sigstore_verifies,
    },
    "model": {
        "aegis": lambda artifact, bundle, who: (
            *AEGIS, "verify", "model", artifact, "--signature", bundle, *_aegis_who(who),
        ),
        # it knows statements, not models: who signed, not what lies in the folder
        "cosign": lambda artifact, bundle, who: _cosign(
            "verify-blob-attestation", "--bundle", bundle, "--type", OMS, "--check-claims=false", *_cosign_who(who),
        ),
        "model_signing": lambda artifact, bundle, who: (
            *_MODEL_SIGNING, "verify", "sigstore", "--trust_config", "its-trust-config.json", _GIT_TOO,
            "--identity", who.identity, "--identity_provider", who.issuer, "--signature", bundle, artifact,
        ),
    },
}  # fmt: skip
SIGNERS = tuple((kind, tool) for kind, tools in _SIGN.items() for tool in tools)
"""Every kind of artifact with everyone who signs it."""
VERIFIERS: Mapping[str, tuple[str, ...]] = {kind: tuple(tools) for kind, tools in _VERIFY.items()}
"""By the kind of artifact."""
