"""Whether the section `backup-check` can protect anything: looked at before the first store is opened.

What a type cannot say: that there is a database, that prefixes do not overlap, that one lost key loses no backup.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from aegis.artifacts.check import misfits
from aegis.backup.layout import RECORDS, databases_folder
from aegis.core.errors import UsageError
from aegis.core.policy import BackupCheckPolicy
from aegis.signatures.patterns import check_identity_pattern
from aegis.storage.location import Location, parse_location

_RECIPIENT: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}")
"""An X25519 recipient: Bech32 of 32 bytes (https://age-encryption.org/v1)."""
_LEAST_RECIPIENTS: Final = 2


def check_policy(policy: BackupCheckPolicy, *, file: str) -> None:
    """Raise UsageError for the first thing that would make the gate weaker than its author believes."""
    if not policy.databases:
        raise _incomplete(file, "backup-check.databases is empty", "at least one database by its name")
    _check_once(file, "backup-check.databases", (each.name for each in policy.databases))
    for database in policy.databases:
        _check_once(file, f"backup-check.databases.{database.name}.smoke", (each.name for each in database.smoke))
    _check_places(policy, file)
    for signer in policy.signers:
        for problem, expected in misfits(signer):
            raise _incomplete(file, f"an entry of backup-check.signers {problem}", expected)
        if signer.identity_pattern is not None:
            check_identity_pattern(signer.identity_pattern, name="backup-check.signers")
    _check_recipients(policy.recipients, file)


def records_of(policy: BackupCheckPolicy) -> str:
    """The address of the prefix that holds the records."""
    return policy.records if policy.records is not None else policy.store + RECORDS


def _check_places(policy: BackupCheckPolicy, file: str) -> None:
    store = _place(policy.store, "backup-check.store", policy, file)
    if policy.records is None:
        return
    records = _place(policy.records, "backup-check.records", policy, file)
    if (records.scheme, records.store) != (store.scheme, store.store):
        return
    taken = [databases_folder(store.key, each.name) for each in policy.databases]
    # what lies there would be taken for backups, or backups for records
    if store.key.startswith(records.key) or records.key.startswith(tuple(taken)):
        raise _incomplete(
            file,
            f"backup-check.records is {policy.records!r}, and the backups lie in {policy.store!r}",
            "a prefix of their own for the records",
        )


def _place(text: str, where: str, policy: BackupCheckPolicy, file: str) -> Location:
    location = parse_location(text)
    if location.scheme == "https":
        raise _incomplete(
            file, f"{where} is {text!r}", "s3://bucket/prefix/, oci://namespace/bucket/prefix/ or a folder"
        )
    if location.scheme == "oci" and policy.oci is None:
        raise _incomplete(file, f"{where} is {text!r}, and there is no backup-check.oci", "backup-check.oci")
    return location


def _check_recipients(recipients: tuple[str, ...], file: str) -> None:
    for recipient in recipients:
        if _RECIPIENT.fullmatch(recipient) is None:
            raise _incomplete(
                file,
                # somebody may have put the other half of the key there
                "backup-check.recipients holds an identity, which is secret"
                if recipient.upper().startswith("AGE-")
                else f"backup-check.recipients holds {recipient[:80]!r}",
                "recipients as `age-keygen` prints them: `age1` and 58 characters",
            )
    _check_once(file, "backup-check.recipients", recipients)
    if len(recipients) in range(1, _LEAST_RECIPIENTS):
        raise _incomplete(
            file,
            f"backup-check.recipients has {len(recipients)} entry",
            f"at least {_LEAST_RECIPIENTS}, so that one lost key loses no backup, or none",
        )


def _check_once(file: str, where: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise _incomplete(file, f"{name!r} stands {count} times in {where}", "each once")


def _incomplete(file: str, problem: str, expected: str) -> UsageError:
    return UsageError(
        "backup_check.policy_incomplete",
        f"{file}: {problem}",
        expected=expected,
        remedy="correct `backup-check` in the policy file",
    )
