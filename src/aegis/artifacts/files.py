"""Artifacts of kind `file`: one object, or each object below a prefix, with a signature of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis.artifacts import releases
from aegis.artifacts.prepared import (
    BUNDLE_LIMIT,
    Case,
    Prepared,
    beside,
    bundles,
    by_name,
    file_name,
    missing,
    one_object,
    signature_names,
)
from aegis.artifacts.reading import Got, Gotten, Wanted
from aegis.artifacts.result import Result
from aegis.core.errors import Refused
from aegis.core.ports.objects import ObjectInfo
from aegis.signatures.types import Bundle, MessageSignature, SignedBy
from aegis.signatures.verify import needed_digests, needs_content, verify_message

DEFAULT = "*.sigstore.json"
"""What cosign and sigstore call a file's bundle."""
CONTENT_LIMIT = 64 << 20
"""Bytes of a file that is kept in memory, because its key signs the content and not a digest (Ed25519, RFC 8032)."""


@dataclass(frozen=True, slots=True)
class _Signed:
    name: str
    wanted: Wanted
    bundles: tuple[Bundle, ...]


def prepare(case: Case) -> Prepared:
    """Read the signatures of the file or files."""
    found = _below(case) if case.location.is_prefix else _single(case)
    signed: list[_Signed] = []
    objects: list[ObjectInfo] = []
    for name, (info, beside_it) in found.items():
        read, infos = bundles(case, beside_it, BUNDLE_LIMIT)
        signed.append(_Signed(name, _wanted(case, info, read), tuple(read)))
        objects += [info, *infos]
    release = releases.prepare(case)
    objects += release.objects

    def finish(gotten: Gotten) -> Result:
        by: list[SignedBy] = []
        digests: dict[str, str] = {}
        for each in signed:
            got = gotten[each.wanted.place]
            by += _verified(case, each, got)
            digests[each.name] = got.digests["sha256"].hex()
        root = _root(digests) if case.location.is_prefix else digests[file_name(case)]
        return Result(
            name=case.artifact.name,
            kind="file",
            source=case.artifact.source,
            sha256=root,
            content=root,
            objects=len(signed),
            size=sum(gotten[each.wanted.place].size for each in signed),
            signed_by=tuple(dict.fromkeys(by)),
            release=release.version(root),
            notices=release.notices,
        )

    return Prepared(
        case=case,
        objects=tuple(objects),
        wanted=tuple(each.wanted for each in signed),
        finish=finish,
        content=None if case.location.is_prefix else _said(case, signed[0]),
    )


def _said(case: Case, signed: _Signed) -> str | None:
    """A file's digest, where its signatures say one and hold over it, to find a kept copy before the file is read.

    It decides nothing else: `finish` verifies the signatures over what was read, as sigstore_common.proto demands of a
    MessageSignature, whose digest is "intended solely for identification". A signature that does not hold over it names
    nothing either: anybody could have written any other file's digest there.
    """
    said = {each.content.digest for each in signed.bundles if isinstance(each.content, MessageSignature)}
    if signed.wanted.keep or signed.wanted.algorithms != {"sha256"} or len(said) != 1:
        return None
    digest = said.pop()
    if digest is None:
        return None
    try:
        verify_message(signed.bundles, {"sha256": digest}, case.trust)
    except Refused:
        return None  # why is told of what is there, which may be something else
    return digest.hex()


_Found = Mapping[str, tuple[ObjectInfo, Sequence[tuple[str, ObjectInfo | None]]]]
"""Each file with its signatures by their names; None where one is not there."""


def _single(case: Case) -> _Found:
    info = one_object(case, case.location.key)
    if info is None:
        raise missing(case)
    name = file_name(case)
    names = signature_names(case.artifact, name, DEFAULT)
    return {name: (info, [(each, one_object(case, beside(case, each))) for each in names])}


def _below(case: Case) -> _Found:
    """Whatever is no signature of another object has to have one: an object without is not overlooked."""
    listed = by_name(case)
    names = {name: signature_names(case.artifact, name, DEFAULT) for name in listed}
    signatures: set[str] = set()
    # A signature's name is longer than its file's, so each is known before its own turn: what is called as the
    # signature of a signature is nobody's, and has to be signed itself.
    for name in sorted(listed, key=len):
        if name not in signatures:
            signatures.update(names[name])
    release = {case.artifact.release.statement} if case.artifact.release else set()
    files = {name: info for name, info in listed.items() if name not in signatures | release}
    if not files:
        raise missing(case)
    return {name: (info, [(each, listed.get(each)) for each in names[name]]) for name, info in files.items()}


def _wanted(case: Case, info: ObjectInfo, read: Sequence[Bundle]) -> Wanted:
    content = needs_content(read, case.trust)
    if content and info.size > CONTENT_LIMIT:
        raise Refused(
            "verify.too_large_for_key",
            f"{info.key!r} has {info.size} bytes, and its Ed25519 key signs the content itself",
            expected=f"at most {CONTENT_LIMIT} bytes, or a signature over a digest",
            remedy="sign with a P-256 key or keyless, or sign a model manifest (`aegis sign model`)",
        )
    algorithms = frozenset({"sha256", *needed_digests(read, case.trust)})
    return Wanted(case.store, info, algorithms, keep=CONTENT_LIMIT if content else 0)


def _verified(case: Case, each: _Signed, got: Got) -> Sequence[SignedBy]:
    try:
        return verify_message(each.bundles, got.digests, case.trust, got.content).signed_by
    except Refused as refused:
        if not case.location.is_prefix:
            raise
        # which of the files it is
        raise Refused(
            refused.code, f"{each.name!r}: {refused.problem}", expected=refused.expected, remedy=refused.remedy
        ) from refused


def _root(digests: Mapping[str, str]) -> str:
    """Of all files below a prefix, also if there is but one, since names count: that of their `sha256sum` lines."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
