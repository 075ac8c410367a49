"""`aegis sign file|model|attestation`: the way from red to green, with a key or keyless in a workflow."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli.files import MAX_SIGNATURE, check_folder, digests_of, lies_in, read_file, real, write
from aegis.core.errors import Refused, UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.signatures.keys.sign import PrivateKey
    from aegis.signatures.models.manifest import Hashed
    from aegis.signatures.statement import Statement
    from aegis.signatures.types import Envelope

PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the variable's name, as cosign has it
MAX_KEY = 1 << 16
"""Bytes of a private key's file."""


def add_command(commands: Any) -> None:
    """Add the command and the three below it."""
    parser = commands.add_parser("sign", help="sign a file, a model or a statement", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    file = below.add_parser("file", help="one file", allow_abbrev=False)
    file.add_argument("file", type=Path, help="what is signed")
    add_signer(file)
    kind = file.add_mutually_exclusive_group()
    kind.add_argument("--bundle", metavar="FILE", type=Path, help="to write (default: the file with .sigstore.json)")
    kind.add_argument("--signature", metavar="FILE", type=Path, help="write a detached signature, as older tools do")
    file.set_defaults(run=run_file)

    model = below.add_parser("model", help="every file of a folder", allow_abbrev=False)
    model.add_argument("folder", type=Path, help="the model's folder")
    add_signer(model)
    model.add_argument("--signature", metavar="FILE", type=Path, help="to write (default: model.sig in the folder)")
    model.add_argument("--name", help="the model's name, for people (default: the folder's)")
    model.add_argument("--shard-size", metavar="BYTES", type=int, default=0, help="sign large files in pieces")
    model.add_argument(
        "--ignore-path", metavar="PATH", action="append", default=[], help="leave this out, and say so; may be repeated"
    )
    model.set_defaults(run=run_model)

    attestation = below.add_parser("attestation", help="a statement about a file or model", allow_abbrev=False)
    attestation.add_argument("file", type=Path, help="the file, or the model's folder")
    add_signer(attestation)
    attestation.add_argument("--predicate", metavar="FILE", type=Path, required=True, help="a JSON object")
    attestation.add_argument("--type", metavar="TYPE", required=True, help="the predicate type")
    attestation.add_argument(
        "--bundle",
        metavar="FILE",
        type=Path,
        help="to write (default: the file with .sigstore.json; attestation.sigstore.json in the folder)",
    )
    attestation.set_defaults(run=run_attestation)


def add_signer(parser: argparse.ArgumentParser) -> None:
    """Who signs."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--key", metavar="FILE", type=Path, help=f"private key, PEM; its password in {PASSWORD}")
    who.add_argument("--keyless", action="store_true", help="this workflow's own identity, by its OIDC token")
    parser.add_argument(
        "--trust-config", metavar="FILE", type=Path, help="of another Sigstore than the public one, with --keyless"
    )


def signer(key: Path | None, trust_config: Path | None) -> Callable[[bytes], bytes]:
    """Signs the bytes of small files: with a key, or where there is none as this workflow.

    Raises UsageError or CouldNotDecide at once where there is neither.
    """
    if key is None:
        from aegis.cli import keyless

        return keyless.signer(trust_config)
    from aegis.signatures.keys import sign as sign_key

    loaded = private_key(key)
    algorithms = {"sha256", sign_key.needed_digest(loaded) or "sha256"}

    def sign(content: bytes) -> bytes:
        digests = {name: hashlib.new(name, content).digest() for name in algorithms}
        return sign_key.sign_file(loaded, digests, content)

    return sign


def run_file(arguments: argparse.Namespace) -> int:
    """One file."""
    from aegis.signatures.keys import sign as sign_key

    if arguments.keyless:
        if arguments.signature is not None:
            raise UsageError(
                "core.wrong_usage",
                "--signature with --keyless",
                expected="--bundle: a keyless signature needs its certificate and log entry beside it",
                remedy="use --bundle, or leave it out",
            )
        from aegis.cli import keyless

        digests, _ = digests_of(arguments.file, {"sha256"})
        bundle = keyless.sign_digest(digests["sha256"], arguments.trust_config)
        return _written(_beside(arguments), bundle)
    key = private_key(arguments.key)
    needed = sign_key.needed_digest(key)
    digests, content = digests_of(arguments.file, {"sha256", *([needed] if needed else [])}, keep=needed is None)
    if arguments.signature is not None:
        return _written(arguments.signature, sign_key.detached(key, digests, content))
    return _written(_beside(arguments), sign_key.sign_file(key, digests, content))


def run_model(arguments: argparse.Namespace) -> int:
    """Every file of a folder."""
    from aegis.signatures.models.sign import model_statement

    if arguments.shard_size < 0:
        raise UsageError(
            "core.wrong_usage",
            f"--shard-size is {arguments.shard_size}",
            expected="bytes of a piece, or 0 for whole files",
            remedy="correct the argument",
        )
    folder: Path = arguments.folder
    check_folder(folder)
    target: Path = arguments.signature or folder / "model.sig"
    inside = [target.name] if lies_in(target, folder) else []
    ignored = [*(path.rstrip("/") for path in arguments.ignore_path), *inside]
    hashed = _hash_folder(folder, ignored, arguments.shard_size)
    name = arguments.name or real(folder).name
    payload = model_statement(name, hashed, shard_size=arguments.shard_size, ignore_paths=ignored)
    return _written(target, signed_statement(arguments, payload, of_model=True))


def run_attestation(arguments: argparse.Namespace) -> int:
    """A statement about a file or model."""
    from aegis.artifacts.attestations import DEFAULT_IN_FOLDER, root_of
    from aegis.signatures import strict_json
    from aegis.signatures.models.sign import canonical
    from aegis.signatures.statement import V1

    try:
        predicate = strict_json.parse(read_file(arguments.predicate), what=str(arguments.predicate))
    except Refused as refused:
        raise _no_predicate(refused.problem) from refused
    if not isinstance(predicate, dict):
        raise _no_predicate(f"{str(arguments.predicate)!r} is no JSON object")
    artifact: Path = arguments.file
    if os.path.isdir(artifact):  # noqa: PTH112 - `is_dir` raises for long names
        target = arguments.bundle or artifact / DEFAULT_IN_FOLDER
        inside = [target.name] if lies_in(target, artifact) else []
        hashed = _hash_folder(artifact, inside, 0)
        sha256 = root_of({name: each.digests[0] for name, each in hashed.items()})
    else:
        target = _beside(arguments)
        sha256 = digests_of(artifact, {"sha256"})[0]["sha256"].hex()
    subject = {"name": real(artifact).name, "digest": {"sha256": sha256}}
    statement = {"_type": V1, "subject": [subject], "predicateType": arguments.type, "predicate": predicate}
    return _written(target, signed_statement(arguments, canonical(statement)))


def signed_statement(arguments: argparse.Namespace, payload: bytes, *, of_model: bool = False) -> bytes:
    """A bundle around an in-toto statement, by whoever the arguments name."""
    from aegis.signatures.statement import PAYLOAD_TYPE

    if arguments.keyless:
        from aegis.cli import keyless

        return keyless.sign_statement(payload, arguments.trust_config)
    from aegis.signatures.keys import sign as sign_key
    from aegis.signatures.models.sign import key_hint

    key = private_key(arguments.key)
    hint = key_hint(key.public) if of_model else None
    return sign_key.sign_statement(key, payload, payload_type=PAYLOAD_TYPE, hint=hint)


def _no_predicate(problem: str) -> UsageError:
    return UsageError("core.wrong_usage", problem, expected="the predicate as a JSON object", remedy="correct the file")


def private_key(place: Path) -> PrivateKey:
    """The key of a file. Its password comes from the environment, which other processes cannot read as arguments."""
    from aegis.signatures.keys.sign import load_private_key

    try:
        pem = read_file(place, MAX_KEY)
    except Refused as refused:
        raise UsageError(
            "verify.private_key_invalid",
            refused.problem,
            expected=f"a key in PEM, of at most {MAX_KEY} bytes",
            remedy="name the private key's file",
        ) from refused
    return load_private_key(pem, name=str(place), password=os.environ.get(PASSWORD))


def model_content(folder: Path, signature: Path | None = None) -> str:
    """The digest (hex) that a release of this folder binds: names and digests of its files, without its signatures.

    They are taken in the way of the model's signature, if there is one: of files or shards, by its algorithm.
    """
    from aegis.signatures.models.manifest import SIGNATURE, check_digests, read_manifest
    from aegis.signatures.models.sign import model_statement
    from aegis.signatures.statement import PAYLOAD_TYPE, parse_statement
    from aegis.signatures.types import Envelope

    place = signature or folder / SIGNATURE
    if signature is None and not os.path.exists(place):  # noqa: PTH110 - `exists` raises for long names
        apart = (SIGNATURE, "release.sigstore.json")
        payload = model_statement(real(folder).name, _hash_folder(folder, apart, 0))
        return read_manifest(parse_statement(Envelope(PAYLOAD_TYPE, payload, b"")), allowed_ignores=()).content.hex()
    statement = parse_statement(_envelope(place))
    ignored = _left_out(statement)
    manifest = read_manifest(statement, allowed_ignores=ignored)
    signed = {file.name for file in manifest.files}
    hashed = _hash_folder(folder, ignored, manifest.shard_size, algorithm=manifest.algorithm, only=signed)
    check_digests(manifest, hashed)
    return manifest.content.hex()


def _envelope(place: Path) -> Envelope:
    from aegis.signatures.formats.bundle import parse_bundle
    from aegis.signatures.types import Envelope

    content = parse_bundle(read_file(place), name=str(place), limit=MAX_SIGNATURE).content
    if not isinstance(content, Envelope):
        raise UsageError(
            "core.wrong_usage",
            f"{str(place)!r} is no signature of a model",
            expected="what `aegis sign model` writes",
            remedy="name the model's signature by --signature",
        )
    return content


def _left_out(statement: Statement) -> Collection[str]:
    """Whatever the signer left out: a release binds the files that were signed, and the policy judges the rest."""
    serialization = statement.predicate.get("serialization")
    paths = serialization.get("ignore_paths") if isinstance(serialization, dict) else None
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def _hash_folder(
    folder: Path,
    ignored: Collection[str],
    shard_size: int,
    *,
    algorithm: str = "sha256",
    only: Collection[str] | None = None,
) -> Mapping[str, Hashed]:
    from aegis.adapters.objects.local import LocalStore
    from aegis.artifacts import streaming
    from aegis.artifacts.reading import Wanted
    from aegis.signatures.models.manifest import Hashed

    store = LocalStore(folder)
    infos = [
        info
        for info in store.list("")
        if not any(info.key == path or info.key.startswith(f"{path.rstrip('/')}/") for path in ignored)
        and (only is None or info.key in only)
    ]
    whole = frozenset() if shard_size else frozenset({algorithm})
    wanted = [Wanted(store, info, whole, algorithm if shard_size else "", shard_size) for info in infos]
    gotten = streaming.read(wanted)
    return {
        each.info.key: Hashed(got.size, got.shards if shard_size else (got.digests[algorithm],))
        for each in wanted
        for got in [gotten[each.place]]
    }


def _beside(arguments: argparse.Namespace) -> Path:
    file: Path = arguments.file
    given: Path | None = arguments.bundle
    return given or file.with_name(f"{file.name}.sigstore.json")


def _written(target: Path, content: bytes) -> int:
    write(target, content)
    sys.stdout.write(f"{terminal(str(target))}\n")
    return 0
