"""Whether a backup is encrypted to whom the policy names, and to nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from aegis.backup.listing import Listed
from aegis.backup.manifest import Manifest
from aegis.core.errors import AegisError, Refused


def recipients_differ(newest: Listed, manifest: Manifest, recipients: Sequence[str]) -> list[AegisError]:
    """`recipients`: the public keys of the policy; where it names none, backups may be encrypted or not.

    A timer with an older policy would go on for years in plain text, or without the key that lies in the safe.
    """
    found = manifest.encryption.recipients if manifest.encryption is not None else ()
    if not recipients or set(found) == set(recipients):
        return []
    missing = [f"not to {each}" for each in sorted(set(recipients) - set(found))]
    foreign = [f"to {each}, whom the policy does not name" for each in sorted(set(found) - set(recipients))]
    how = f"is encrypted {'; '.join(foreign + missing)}" if found else "is not encrypted"
    return [
        Refused(
            "backup_check.recipients_differ",
            f"{newest.id} {how}",
            expected=f"each object encrypted to the {len(recipients)} recipients of the policy, and to nobody else",
            remedy="Take a backup by `aegis backup run` with this policy, and look for what else takes backups, with"
            " which policy. What was stored for others to read, they may have read.",
        )
    ]
