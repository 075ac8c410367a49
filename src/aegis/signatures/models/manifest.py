"""Models: the manifest of OpenSSF Model Signing 1.0, and whether a folder or prefix is exactly what it says.

The format: SPEC.md 1.0 of the OpenSSF Model Signing specification, as model_signing 1.1 writes it
(`aegis.signatures.models.oms_resources` for the files in it). Where it leaves a choice, or its own implementation lets
more through, this is what holds here:

- Every file is signed or refused, also `.git/`, `.gitattributes` and hidden ones, which 6.2 leaves out by default.
  Whoever wants them left out says so in the policy.
- `ignore_paths` is the signer's own word: what git needs and the signature itself may stand there, and has no effect;
  anything else only if the policy names it.
- `allow_symlinks` tells how the signer read its files. It has no effect: links are never followed.
- The root digest is recomputed, though 6.5.1 does not ask for it. It binds no names; `Manifest.content` does.
- Empty files, which the specification leaves out of manifests of shards, are files that nobody signed.
- Names that some system takes for one (case, composition) are refused, though 6.1.2 has them as different files.
- Fields that the schema does not have are refused in predicate and serialization, and ignored in a resource (5.2.1).
- `https://model_signing/Digests/v0.1` (model_signing 0.2) is refused with a reason of its own. 5.1 lets verifiers
  choose; it does not say which files were left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aegis.core.errors import Refused
from aegis.signatures.models.names import check_names
from aegis.signatures.models.oms_resources import (
    DIGEST_SIZES,
    ManifestFile,
    Shard,
    inconsistent,
    malformed,
    read_resources,
)
from aegis.signatures.shown import shown
from aegis.signatures.statement import Statement

__all__ = [
    "PREDICATE_TYPE",
    "SIGNATURE",
    "Hashed",
    "Manifest",
    "ManifestFile",
    "Shard",
    "check_digests",
    "check_listing",
    "read_manifest",
]

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_OUTDATED = "https://model_signing/Digests/v0.1"

SIGNATURE = "model.sig"
"""What a signature is called if nobody says otherwise."""
_USUAL_IGNORES = frozenset({".git", ".gitattributes", ".github", ".gitignore"})
"""SPEC.md 6.2: signers leave these out by default, and write them down without being told."""
_MAX_SHARD = 1 << 53
"""Up to here every integer is a double, which is how model_signing writes it (`8.0`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a model consists of, as it was signed."""

    name: str
    """Informational (SPEC.md 6.5.1): a folder's name at its signer's."""
    files: tuple[ManifestFile, ...]
    """By name; at least one."""
    algorithm: str
    """Of all digests: `sha256` or `blake2b`, as `hashlib` names them."""
    shard_size: int
    """Bytes of each shard of a file but its last; 0 if files were signed as a whole."""
    ignored: tuple[str, ...]
    """What the signer left out and the policy lets it: these paths, and everything below them."""
    root: bytes
    """SPEC.md's root digest: SHA-256 over the digests, without names. Other statements refer to a model by it."""
    content: bytes
    """SHA-256 over names, ranges and digests: equal exactly for equal manifests. Release statements bind this."""


class Hashed(NamedTuple):
    """What was read of one file."""

    size: int
    """Bytes."""
    digests: tuple[bytes, ...]
    """In `Manifest.algorithm`: of each shard of `Manifest.shard_size` bytes, or the one of the whole file."""


def read_manifest(
    statement: Statement, *, allowed_ignores: Collection[str], signatures: Collection[str] = (SIGNATURE,)
) -> Manifest:
    """The manifest in a statement whose signature was verified.

    `allowed_ignores`: what the policy lets the signer leave out, exactly. `signatures`: names of the signatures beside
    the model, which cannot be in the manifest. Refuses with `verify.wrong_predicate`, `verify.manifest_…`,
    `verify.ignored_paths`, `verify.unsafe_name` and `verify.duplicate_name`.
    """
    _check_kind(statement)
    predicate = statement.predicate
    _check_fields(predicate, {"resources", "serialization"}, "predicate")
    serialization = predicate.get("serialization")
    if not isinstance(serialization, dict):
        raise malformed("it has no serialization")
    _check_fields(
        serialization, {"method", "hash_type", "allow_symlinks", "shard_size", "ignore_paths"}, "serialization"
    )
    if not isinstance(serialization.get("allow_symlinks"), bool):
        raise malformed("its allow_symlinks is neither true nor false")
    algorithm, shard_size = _algorithm(serialization), _shard_size(serialization)
    ignored = _ignored(serialization, allowed_ignores, signatures)
    files, digests = read_resources(predicate.get("resources"), algorithm=algorithm, shard_size=shard_size)
    return Manifest(
        name=statement.subjects[0].name,
        files=files,
        algorithm=algorithm,
        shard_size=shard_size,
        ignored=ignored,
        root=_root(statement, digests),
        content=_content(files, algorithm),
    )


def check_listing(manifest: Manifest, names: Sequence[str], *, signatures: Collection[str] = (SIGNATURE,)) -> None:
    """Refuse a folder or prefix with other files than the manifest's.

    `names` of all files, relative and with `/`; `signatures`: those among them that are no part of the model. Refuses
    with `verify.file_missing`, `verify.file_unsigned`, and what `check_names` refuses.
    """
    check_names(names)
    signed, there = {file.name for file in manifest.files}, set(names)
    missing = sorted(signed - there)
    if missing:
        raise Refused(
            "verify.file_missing",
            f"the signed file {shown(missing[0])} is not there{_more(missing)}",
            expected=f"all {len(signed)} files that were signed",
            remedy="Upload the whole model as it was signed, or sign it again.",
        )
    left_out = [name for name in sorted(there - signed - set(signatures)) if not _below(name, manifest.ignored)]
    if left_out:
        raise Refused(
            "verify.file_unsigned",
            f"nobody signed {shown(left_out[0])}{_more(left_out)}",
            expected=f"only the {len(signed)} files that were signed",
            remedy="Remove it, or sign the model again with it (`aegis sign model`). If the signer left it out, "
            "`ignore-paths` of the artifact can name it.",
        )


def check_digests(manifest: Manifest, hashed: Mapping[str, Hashed]) -> None:
    """Refuse a file that is not the one that was signed.

    `hashed` by name. Refuses with `verify.file_missing` if one of the files was not read, `verify.file_truncated` and
    `verify.file_differs`.
    """
    for file in manifest.files:
        got = hashed.get(file.name)
        if got is None:
            raise Refused(
                "verify.file_missing",
                f"the signed file {shown(file.name)} was not read",
                expected=f"all {len(manifest.files)} files that were signed",
                remedy="Upload the whole model as it was signed, or sign it again.",
            )
        _check_file(file, got)


def _check_file(file: ManifestFile, got: Hashed) -> None:
    if file.size is not None and got.size < file.size:
        raise _differs(file, "verify.file_truncated", f"has {got.size} bytes", f"{file.size} bytes, as were signed")
    if file.size is not None and got.size > file.size:
        raise _differs(file, "verify.file_differs", f"has {got.size} bytes", f"{file.size} bytes, as were signed")
    for number, shard in enumerate(file.shards):
        if got.digests[number : number + 1] != (shard.digest,):
            where = f" from byte {shard.start} on" if len(file.shards) > 1 else ""
            raise _differs(
                file, "verify.file_differs", f"has other bytes{where}", f"the digest {shard.digest.hex()}, as signed"
            )
    if len(got.digests) != len(file.shards):
        raise _differs(file, "verify.file_differs", f"has {len(got.digests)} shards", f"{len(file.shards)}, as signed")


def _differs(file: ManifestFile, code: str, problem: str, expected: str) -> Refused:
    return Refused(
        code,
        f"{shown(file.name)} {problem}",
        expected=expected,
        remedy="Upload the file that was signed, or sign the model again; "
        "if you did not expect this, treat the store as compromised.",
    )


def _check_kind(statement: Statement) -> None:
    if statement.predicate_type == _OUTDATED:
        raise Refused(
            "verify.manifest_outdated",
            f"the model's manifest is of the format {_OUTDATED}",
            expected=PREDICATE_TYPE,
            remedy="Sign again with model_signing 1.0 or newer, or with `aegis sign model`.",
        )
    if statement.predicate_type != PREDICATE_TYPE:
        raise Refused(
            "verify.wrong_predicate",
            f"the statement is of the type {shown(statement.predicate_type)}",
            expected=PREDICATE_TYPE,
            remedy="Sign the model with model_signing or `aegis sign model`.",
        )
    if statement.version != "v1":
        raise malformed("its statement is of in-toto v0.1", expected="in-toto v1 (SPEC.md 8.3)")
    if len(statement.subjects) != 1:
        raise malformed(f"it has {len(statement.subjects)} subjects", expected="one subject (SPEC.md 6.5)")


def _check_fields(part: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(part) - known)
    if unknown:
        raise malformed(f"its {what} has the field {shown(unknown[0])}", expected=f"only {', '.join(sorted(known))}")


def _algorithm(serialization: Mapping[str, Any]) -> str:
    value = serialization.get("hash_type")
    if not isinstance(value, str):
        raise malformed("it has no hash_type")
    if value not in DIGEST_SIZES:
        raise Refused(
            "verify.manifest_algorithm",
            f"the model's digests are {shown(value)}",
            expected=" or ".join(sorted(DIGEST_SIZES)),
            remedy="Sign the model again with SHA-256, which every signer and verifier has.",
        )
    return value


def _shard_size(serialization: Mapping[str, Any]) -> int:
    method, size = serialization.get("method"), serialization.get("shard_size")
    if method == "files":
        if "shard_size" in serialization:
            raise malformed("it has a shard_size and the method files", expected="a shard_size for shards only")
        return 0
    if method != "shards":
        raise malformed(f"its method is {shown(str(method))}", expected="files or shards")
    if isinstance(size, bool) or not isinstance(size, int | float) or not 1 <= size <= _MAX_SHARD or size != int(size):
        raise malformed("its shard_size is no number of bytes", expected="a positive integer")
    return int(size)


def _ignored(
    serialization: Mapping[str, Any], allowed: Collection[str], signatures: Collection[str]
) -> tuple[str, ...]:
    paths = serialization.get("ignore_paths", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise malformed("its ignore_paths are no list of paths")
    let = {path.rstrip("/") for path in allowed}
    for path in paths:
        if path not in let and path not in _USUAL_IGNORES and path not in signatures:
            raise Refused(
                "verify.ignored_paths",
                f"the model's signer left out {shown(path)}",
                expected=f"nothing but what the policy lets it: {', '.join(map(shown, sorted(let))) or 'nothing'}",
                remedy="Sign the model with all of its files, or name the path in `ignore-paths` of the artifact.",
            )
    return tuple(sorted(let & set(paths)))


def _root(statement: Statement, digests: Iterable[bytes]) -> bytes:
    root = hashlib.sha256(b"".join(digests))
    claimed = statement.subjects[0].digest
    if dict(claimed) != {"sha256": root.hexdigest()}:
        raise inconsistent(
            f"its root digest is {', '.join(f'{shown(name)} {digest}' for name, digest in sorted(claimed.items()))}",
            expected=f"sha256 {root.hexdigest()}, which is that of its files (SPEC.md 6.5.1)",
        )
    return root.digest()


def _content(files: Iterable[ManifestFile], algorithm: str) -> bytes:
    # Each part with its length before it, so that no two lists look alike.
    content = hashlib.sha256(b"aegis-model-content/v1\n")
    for file in files:
        name = file.name.encode()
        content.update(b"%d:%s %s %d\n" % (len(name), name, algorithm.encode(), len(file.shards)))
        for shard in file.shards:
            content.update(b"%d-%d %s\n" % (shard.start, shard.end or 0, shard.digest.hex().encode()))
    return content.digest()


def _below(name: str, paths: Iterable[str]) -> bool:
    return any(name == path or name.startswith(f"{path}/") for path in paths)


def _more(names: Sequence[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""
