"""What one of us signs by real services, all others take; and nobody takes what is not so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.doubles.sigstore.signer import PrivateSigstore
from tests.interop import artifacts
from tests.interop.clients import SIGNERS, VERIFIERS, Job, Who
from tests.interop.instance import Sigstore
from tests.interop.strangers import with_another


@pytest.fixture(scope="module")
def signed(sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Path, Path]]:
    """An artifact with its signature, by its kind and signer; each is signed once."""
    made: dict[tuple[str, str], tuple[Path, Path]] = {}

    def sign(kind: str, tool: str) -> tuple[Path, Path]:
        if (kind, tool) not in made:
            folder = tmp_path_factory.mktemp(f"{kind}-{tool}")
            artifact, out = artifacts.write(kind, folder), folder / "signature.json"
            done = Job.within(folder, sigstore).sign(tool, kind, artifact, out)
            assert done.returncode == 0, done.stdout + done.stderr
            made[kind, tool] = artifact, out
        return made[kind, tool]

    return sign


Signed = Callable[[str, str], tuple[Path, Path]]
# sigstore-python 4.5.1 reads statements of in-toto v1 only; cosign 3.1.3 writes v0.1
EXCEPT = ("attestation", "cosign", "sigstore")
PAIRS = [
    (kind, tool, verifier) for kind, tool in SIGNERS for verifier in VERIFIERS[kind] if (kind, tool, verifier) != EXCEPT
]


@pytest.mark.parametrize(("kind", "tool", "verifier"), PAIRS, ids=lambda value: value)
def test_all_take_what_one_has_signed(
    sigstore: Sigstore, job: Job, signed: Signed, kind: str, tool: str, verifier: str
) -> None:
    done = job.verify(verifier, kind, *signed(kind, tool))
    assert done.returncode == 0, done.stdout + done.stderr


def _another(part: str) -> Callable[[Who], Who]:
    return lambda who: replace(who, trusted_root=with_another(who.trusted_root, part))


LIES: dict[str, tuple[Callable[[Who], Who], str]] = {
    "identity": (lambda who: replace(who, identity=who.identity.replace("main", "dev")), "verify.wrong_identity"),
    "issuer": (lambda who: replace(who, issuer="https://token.actions.githubusercontent.com"), "verify.wrong_issuer"),
    "root": (lambda who: replace(who, trusted_root=PrivateSigstore().root.document()), "verify.unknown_trust_key"),
    "authority": (_another("certificateAuthorities"), "verify.unknown_trust_key"),
    "certificate log": (_another("ctlogs"), "verify.sct_invalid"),
    "log": (_another("tlogs"), "verify.checkpoint_invalid"),
    "timestamp authority": (_another("timestampAuthorities"), "verify.unknown_trust_key"),
}  # fmt: skip
"""What the verifier is told instead of the truth, and what we say to it."""


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize(("kind", "tool"), SIGNERS, ids=lambda value: value)
def test_nobody_takes_a_signature_of_someone_else(
    sigstore: Sigstore, job: Job, signed: Signed, kind: str, tool: str, lie: str
) -> None:
    change, code = LIES[lie]
    who = change(job.who)
    for verifier in VERIFIERS[kind]:
        done = job.verify(verifier, kind, *signed(kind, tool), who)
        assert done.returncode == 1, (verifier, done.stdout, done.stderr)
        if verifier == "aegis":
            assert code in done.stderr


SPOILED = {
    "file": "verify.wrong_signature",
    "attestation": "verify.attestation_subject",
    "model": "verify.file_differs",
}


@pytest.mark.parametrize(("kind", "tool"), SIGNERS, ids=lambda value: value)
def test_nobody_takes_another_artifact(
    sigstore: Sigstore, job: Job, signed: Signed, tmp_path: Path, kind: str, tool: str
) -> None:
    spoiled = artifacts.write(kind, tmp_path)
    artifacts.spoil(spoiled)
    for verifier in VERIFIERS[kind]:
        if (kind, verifier) == ("model", "cosign"):  # which does not look at the files
            continue
        done = job.verify(verifier, kind, spoiled, signed(kind, tool)[1])
        assert done.returncode == 1, (verifier, done.stdout, done.stderr)
        if verifier == "aegis":
            assert SPOILED[kind] in done.stderr
