"""`aegis verify file|model|attestation`: one artifact, with flags as cosign's users know them. Never asks a network."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli.files import MAX_SIGNATURE, check_folder, digests_of, lies_in, read_file
from aegis.core.errors import UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.signatures.types import Bundle, Signer, Trust, Verified

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def add_commands(commands: Any) -> None:
    """Add the three commands."""
    file = commands.add_parser("file", help="one file with its signature", allow_abbrev=False)
    file.add_argument("artifact", help="the file, or sha256:HEX in its place")
    add_signer(file)
    signature = file.add_mutually_exclusive_group(required=True)
    signature.add_argument("--bundle", metavar="FILE", type=Path, help="a Sigstore bundle, or cosign's older .bundle")
    signature.add_argument("--signature", metavar="FILE", type=Path, help="a detached signature of cosign, in base64")
    file.set_defaults(run=run_file)

    model = commands.add_parser("model", help="a folder with its model signature", allow_abbrev=False)
    model.add_argument("folder", type=Path, help="the model's folder")
    add_signer(model)
    model.add_argument(
        "--signature", metavar="FILE", type=Path, help="the signature (default: model.sig in the folder)"
    )
    model.add_argument(
        "--ignore-path",
        metavar="PATH",
        action="append",
        default=[],
        help="what the signer may have left out; may be repeated",
    )
    model.add_argument(
        "--beside",
        metavar="NAME",
        action="append",
        default=[],
        help="what lies in the folder and is no part of the model, e.g. its release statement; may be repeated",
    )
    model.set_defaults(run=run_model)

    attestation = commands.add_parser("attestation", help="a statement about one file", allow_abbrev=False)
    attestation.add_argument("artifact", help="the file, or sha256:HEX in its place")
    add_signer(attestation)
    attestation.add_argument("--bundle", metavar="FILE", type=Path, required=True, help="the attestation's bundle")
    attestation.add_argument("--type", metavar="TYPE", required=True, help="the predicate type, exactly")
    attestation.set_defaults(run=run_attestation)


def add_signer(parser: argparse.ArgumentParser) -> None:
    """Who must have signed, by flags as cosign's users know them; and how it is told."""
    parser.add_argument("--key", metavar="KEY", help="public key: a file, or env://COSIGN_PUB_KEY")
    parser.add_argument("--certificate-identity", metavar="NAME", help="the certificate's subject, exactly")
    parser.add_argument("--certificate-identity-regexp", metavar="RE", help="a pattern for it, anchored by ^ and $")
    parser.add_argument("--certificate-oidc-issuer", metavar="URL", help="the OIDC issuer, exactly")
    parser.add_argument("--trusted-root", metavar="FILE", type=Path, help="Sigstore's trusted root (default: packaged)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")


def run_file(arguments: argparse.Namespace) -> int:
    """One file."""
    from aegis.signatures.formats.bundle import parse_bundle
    from aegis.signatures.verify import needed_digests, needs_content, verify_message

    trust = trust_of_flags(arguments)
    place: Path = arguments.bundle or arguments.signature
    bundle = parse_bundle(read_file(place), name=str(place))
    if arguments.signature is not None and bundle.format != "cosign-sig":
        raise UsageError(
            "core.wrong_usage",
            f"{str(place)!r} is a bundle, and --signature was given",
            expected="a detached signature in base64",
            remedy="use --bundle",
        )
    digests, content = _digests(arguments.artifact, needed_digests([bundle], trust), needs_content([bundle], trust))
    verified = verify_message([bundle], digests, trust, content)
    return _told(arguments, verified, digests["sha256"].hex())


def run_attestation(arguments: argparse.Namespace) -> int:
    """A statement about one file."""
    from aegis.signatures.attestation import check_attestation
    from aegis.signatures.statement import parse_statement
    from aegis.signatures.verify import verify_envelopes

    trust = trust_of_flags(arguments)
    bundle = _bundle(arguments.bundle)
    verified, envelopes = verify_envelopes([bundle], trust)
    digests, _ = _digests(arguments.artifact, frozenset({"sha256"}), content=False)
    sha256 = digests["sha256"].hex()
    check_attestation([parse_statement(envelope) for envelope in envelopes], {"sha256": sha256}, (arguments.type,))
    return _told(arguments, verified, sha256)


def run_model(arguments: argparse.Namespace) -> int:
    """A folder: the gate's own way of judging it."""
    from aegis.adapters.objects.local import LocalStore
    from aegis.artifacts import models, streaming
    from aegis.artifacts.prepared import Case
    from aegis.core.policy import Artifact
    from aegis.signatures.lock import Lock
    from aegis.storage.location import Location
    from aegis.storage.transfer import read_small

    folder: Path = arguments.folder
    check_folder(folder)
    outside = arguments.signature is not None and not lies_in(arguments.signature, folder)
    inside = () if arguments.signature is None or outside else (arguments.signature.name,)
    case = Case(
        artifact=Artifact(
            name="model",
            kind="model",
            source=f"{folder}/",
            signatures=inside,
            ignore_paths=tuple(arguments.ignore_path),
        ),
        location=Location("file", str(folder), ""),
        store=LocalStore(folder),
        trust=trust_of_flags(arguments),
        release_trust=None,
        lock=Lock(),
        now=_now(),
        read_small=read_small,
        sign=f"aegis sign model {folder} --key KEY.pem",
    )
    own = [_bundle(arguments.signature)] if outside else None
    prepared = models.prepare(case, own, beside=frozenset(arguments.beside))
    result = prepared.finish(streaming.read(prepared.wanted))
    from aegis.signatures.types import Verified

    return _told(arguments, Verified(result.signed_by), result.sha256)


def trust_of_flags(arguments: argparse.Namespace) -> Trust:
    """Who must have signed, by the flags."""
    from aegis.signatures.types import Trust

    root: Path | None = arguments.trusted_root
    return Trust(
        signers=(_signer(arguments, os.environ),),
        trusted_root=read_file(root) if root is not None else None,
        now=_now(),
    )


def _signer(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Signer:
    from aegis.signatures.types import IdentitySigner, KeySigner

    identity, pattern = arguments.certificate_identity, arguments.certificate_identity_regexp
    given = [flag is not None for flag in (arguments.key, identity, pattern)]
    if sum(given) != 1:
        raise UsageError(
            "core.wrong_usage",
            f"{sum(given)} of --key, --certificate-identity and --certificate-identity-regexp are given",
            expected="exactly one: who must have signed",
            remedy="name the key, or the identity with --certificate-oidc-issuer",
        )
    if arguments.key is not None:
        from aegis.signatures.keys.public import load_public_key

        if arguments.key == "env://COSIGN_PUB_KEY":
            return KeySigner(arguments.key, load_public_key(environ.get("COSIGN_PUB_KEY", ""), name=arguments.key))
        text = read_file(Path(arguments.key)).decode("utf-8", "replace")
        return KeySigner(arguments.key, load_public_key(text, name=arguments.key))
    if not arguments.certificate_oidc_issuer:
        raise UsageError(
            "core.wrong_usage",
            "an identity without --certificate-oidc-issuer",
            expected="the issuer too: any issuer may say that it knows that name",
            remedy="add --certificate-oidc-issuer, e.g. https://token.actions.githubusercontent.com",
        )
    if pattern is not None:
        from aegis.signatures.patterns import check_identity_pattern

        check_identity_pattern(pattern, name="--certificate-identity-regexp")
    return IdentitySigner(identity=identity, pattern=pattern, issuer=arguments.certificate_oidc_issuer)


def _bundle(place: Path) -> Bundle:
    from aegis.signatures.formats.bundle import parse_bundle

    return parse_bundle(read_file(place), name=str(place), limit=MAX_SIGNATURE)


def _digests(artifact: str, algorithms: frozenset[str], content: bool) -> tuple[Mapping[str, bytes], bytes | None]:
    """Digests of a file that is read once, or the digest that stands in its place."""
    named = _DIGEST.fullmatch(artifact)
    if named is not None:
        if content or algorithms - {"sha256"}:
            raise UsageError(
                "core.wrong_usage",
                f"the signature needs {', '.join(sorted(algorithms - {'sha256'})) or 'the content'}, not only sha256",
                expected="the file itself",
                remedy="name the file instead of its digest",
            )
        return {"sha256": bytes.fromhex(named[1])}, None

    return digests_of(Path(artifact), {"sha256", *algorithms}, keep=content)


def _told(arguments: argparse.Namespace, verified: Verified, sha256: str) -> int:
    if arguments.format == "json":
        signed_by: Sequence[dict[str, Any]] = [asdict(each) for each in verified.signed_by]
        sys.stdout.write(json.dumps({"result": "pass", "sha256": sha256, "signed_by": signed_by}) + "\n")
        return 0
    for each in verified.signed_by:
        when = f" at {each.signed_at}" if each.signed_at else ""
        sys.stdout.write(f"verified: signed by {terminal(each.signer)} ({each.method}, {each.format}){when}\n")
        sys.stdout.writelines(f"note: {terminal(notice)}\n" for notice in each.notices)
    sys.stdout.write(f"sha256:{sha256}\n")
    return 0


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
