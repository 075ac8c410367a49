"""`aegis acceptance verify`: a folder against its digests, its own conclusions, and where asked its signature."""

from __future__ import annotations

import argparse
import datetime
import hashlib
from pathlib import Path

from aegis.acceptance import evidence
from aegis.acceptance.result import Acceptance
from aegis.cli.files import read_file
from aegis.core.errors import Refused, UsageError
from aegis.report.escape import terminal


def run(arguments: argparse.Namespace) -> int:
    """0 if the folder is what a run wrote, and what else was asked; whatever that run has found."""
    folder: Path = arguments.folder
    if not folder.is_dir():
        raise UsageError(
            "core.wrong_usage",
            f"{str(folder)!r} is no folder",
            expected="the folder that `aegis acceptance --output` wrote",
            remedy="correct the argument",
        )
    found = evidence.verify(folder)
    if arguments.commit is not None and (found.commit != arguments.commit or found.uncommitted):
        raise _not_accepted(f"it is of {found.commit}{' with uncommitted changes' if found.uncommitted else ''}")
    if arguments.key is not None:
        _check_signature(folder, found, arguments.key, arguments.bundle or folder / evidence.BUNDLE)
    elif arguments.bundle is not None:
        raise UsageError("core.wrong_usage", "--bundle without --key", expected="both", remedy="name the public key")
    if arguments.accepted and not found.accepted:
        raise _not_accepted(found.text)
    signed = f"signed by {arguments.key}" if arguments.key is not None else "not signed: whole, by whomever it was made"
    print(terminal(f"{folder}: as it was written ({signed})"))
    print(terminal(f"{found.text} ({found.finished})"))
    return 0


def _check_signature(folder: Path, found: Acceptance, key: Path, bundle: Path) -> None:
    """Refuses with the codes of `aegis verify` what is signed by another, or about something else."""
    from aegis.signatures.attestation import check_attestation
    from aegis.signatures.formats.bundle import parse_bundle
    from aegis.signatures.keys.public import load_public_key
    from aegis.signatures.statement import parse_statement
    from aegis.signatures.types import KeySigner, Trust
    from aegis.signatures.verify import verify_envelopes

    public = load_public_key(read_file(key).decode("utf-8", "replace"), name=str(key))
    trust = Trust(
        signers=(KeySigner(str(key), public),), threshold=1, trusted_root=None, now=datetime.datetime.now(datetime.UTC)
    )
    _, envelopes = verify_envelopes([parse_bundle(read_file(bundle), name=str(bundle))], trust)
    statements = [parse_statement(envelope) for envelope in envelopes]
    listing = hashlib.sha256((folder / evidence.LISTING).read_bytes()).hexdigest()
    check_attestation(statements, {"sha256": listing}, (evidence.PREDICATE,))
    for statement in statements:
        if dict(statement.predicate) != evidence.predicate(found):
            raise Refused(
                "acceptance.evidence_invalid",
                "what was signed says something else than the folder",
                expected=f"the predicate in {evidence.PREDICATE_FILE}",
                remedy="sign the folder as the run wrote it",
            )


def _not_accepted(problem: str) -> Refused:
    return Refused(
        "acceptance.not_accepted",
        problem,
        expected="evidence in which every criterion was accepted, of the commit that was asked for",
        remedy="look at summary.md in the folder",
    )
