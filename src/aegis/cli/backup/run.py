"""`aegis backup run`: take a backup of one database of the policy."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from aegis.backup.inventory import Checksums
from aegis.cli.backup import options as backup_options
from aegis.cli.backup import secrets as backup_secrets
from aegis.cli.interruption import Stopped
from aegis.core.errors import AegisError, UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.cli.backup.taking import Taken
    from aegis.core.policy import BackupCheckPolicy


def add_command(commands: Any) -> None:
    """Add `run`."""
    parser: argparse.ArgumentParser = commands.add_parser("run", help="take a backup now", allow_abbrev=False)
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The runbook's script takes the same."""
    backup_options.add_policy_arguments(parser)
    backup_options.add_database_argument(parser)
    backup_secrets.add_url_argument(parser, backup_secrets.SOURCE)
    parser.add_argument(
        "--stream",
        action="store_true",
        help="send the dump while it is made, by one session and without temporary disk",
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=backup_options.jobs,
        help="sessions that dump, beside as many for checksums (default: by cores)",
    )
    parser.add_argument(
        "--checksums",
        choices=get_args(Checksums),
        default="typed",
        help="of all rows; `off` makes a backup whose restore can be proven by nothing but its definitions",
    )
    parser.add_argument("--temporary", metavar="DIR", type=Path, help="for the dump on its way (default: TMPDIR)")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--key", metavar="FILE", type=Path, help="sign the manifest; the key's password in COSIGN_PASSWORD"
    )
    who.add_argument("--keyless", action="store_true", help="sign it as this workflow, by its OIDC token")
    parser.add_argument(
        "--trust-config", metavar="FILE", type=Path, help="of another Sigstore than the public one, with --keyless"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")


def run(arguments: argparse.Namespace) -> int:
    """Take it, and say where it is."""
    import msgspec

    from aegis.cli.backup.audit import audit_of
    from aegis.cli.backup.policy import database_of, read_policy
    from aegis.cli.backup.stores import opened
    from aegis.cli.backup.taking import JOBS, Wishes, back_up
    from aegis.cli.progress import bytes_bar

    options = backup_options.BackupOptions.from_arguments(arguments, os.environ)
    policed = read_policy(options.policy, os.environ)
    database = database_of(policed, arguments.database)
    sign = signer_of(policed.policy, arguments.key, keyless=arguments.keyless, trust_config=arguments.trust_config)
    url = backup_secrets.database_url(arguments.database_url_file, os.environ, backup_secrets.SOURCE)
    audit = audit_of(os.environ)
    try:
        alone = msgspec.structs.replace(policed.policy, databases=(database,))
        places = opened(alone, options, "write", environ=os.environ, root=policed.root)
        with bytes_bar(f"backup of {database.name}") as progress:
            wishes = Wishes(
                url=url,
                stream=arguments.stream,
                jobs=arguments.jobs or JOBS,
                checksums=arguments.checksums,
                temporary=arguments.temporary,
                sign=sign,
                progress=progress,
            )
            taken = back_up(policed.policy, database, places, wishes, os.environ)
    except (AegisError, Stopped) as ended:
        with suppress(AegisError):  # what failed first is what is to be told
            error = ended.reason if isinstance(ended, Stopped) else ended
            audit.record("backup.created", database.name, error=error)
        raise
    audit.record("backup.created", database.name, version=taken.manifest.id, sha256=taken.sha256)
    for notice in audit.notices:
        sys.stderr.write(f"aegis: {notice}\n")
    address = f"{places.backups.store.location}/{taken.folder}"
    sys.stdout.write(_document(taken, address) if arguments.format == "json" else _lines(taken, address))
    return 0


def signer_of(
    policy: BackupCheckPolicy, key: Path | None, *, keyless: bool, trust_config: Path | None
) -> Callable[[bytes], bytes] | None:
    """What signs the manifest; None where nobody asks for that. UsageError where the policy does, and nobody signs."""
    if key is None and not keyless:
        if policy.signers:
            raise UsageError(
                "core.wrong_usage",
                "the policy takes signed manifests only, and nobody signs this one",
                expected="--key FILE, or --keyless in a workflow",
                remedy="name who signs, as `backup-check.signers` asks for",
            )
        return None
    from aegis.cli.sign import signer

    return signer(key, trust_config)


def _document(taken: Taken, address: str) -> str:
    manifest = taken.manifest
    found = {
        "backup": manifest.id,
        "address": address,
        "snapshot_time": manifest.snapshot.time,
        "manifest_sha256": taken.sha256,
        "tables": len(manifest.tables),
        "rows": _rows(taken),
        "objects": len(manifest.objects),
        "size": taken.size,
        "checksums": manifest.checksums,
        "encrypted": manifest.encryption is not None,
        "signed": taken.signed,
        "seconds": round(taken.seconds, 3),
    }
    return json.dumps(found, indent=2) + "\n"


def _lines(taken: Taken, address: str) -> str:
    manifest = taken.manifest
    rows = _rows(taken)
    counted = f"{len(manifest.tables)} tables" + (f", {rows:,} rows" if rows is not None else ", NO CHECKSUMS")
    kind = ", ".join(
        [
            f"{taken.size:,} bytes in {len(manifest.objects)} objects",
            *(["encrypted"] if manifest.encryption is not None else []),
            *(["signed"] if taken.signed else []),
            f"{taken.seconds:.1f} s",
        ]
    )
    return "".join(f"{terminal(line)}\n" for line in (address, f"{counted} as of {manifest.snapshot.time}", kind))


def _rows(taken: Taken) -> int | None:
    counts = [table.rows for table in taken.manifest.tables if table.rows is not None]
    return sum(counts) if taken.manifest.checksums != "off" else None
