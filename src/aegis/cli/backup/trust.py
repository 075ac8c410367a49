"""Who must have signed manifests, for the commands of `aegis backup`: the policy's signers, with files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aegis.cli.backup.policy import Policed
from aegis.cli.files import read_file
from aegis.core.errors import UsageError

if TYPE_CHECKING:
    from aegis.signatures.types import Trust


def trust_in(policed: Policed, environ: Mapping[str, str]) -> Trust | None:
    """None where the policy asks for no signature. Raises UsageError for keys that cannot be read."""
    from aegis.artifacts.trust import Materials, trust_of

    policy = policed.policy
    if not policy.signers:
        return None

    def read(path: str) -> bytes:
        return read_file(policed.root / path)

    no_key = UsageError(
        "verify.key_missing",
        f"{policed.file} takes a key from COSIGN_PUB_KEY, which is empty",
        expected="PEM, base64 of it, or the path of a file",
        remedy="set the variable COSIGN_PUB_KEY",
    )
    root = read(policy.trusted_root) if policy.trusted_root is not None else None
    materials = Materials(read, environ.get("COSIGN_PUB_KEY") or None, no_key)
    return trust_of(policy.signers, 1, root, materials, datetime.now(UTC))
