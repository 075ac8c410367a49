"""Artifacts of kind `model`: every file below a prefix, named by a signed manifest (OpenSSF Model Signing)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis.artifacts import releases
from aegis.artifacts.prepared import MODEL_LIMIT, Case, Prepared, bundles, by_name, signature_names
from aegis.artifacts.reading import Got, Gotten, Wanted
from aegis.artifacts.result import Result
from aegis.core.errors import Refused
from aegis.core.ports.objects import ObjectInfo
from aegis.signatures.models.manifest import SIGNATURE, Hashed, Manifest, check_digests, check_listing, read_manifest
from aegis.signatures.statement import parse_statement
from aegis.signatures.types import Bundle, Verified
from aegis.signatures.verify import verify_envelopes


def prepare(case: Case, own: Sequence[Bundle] | None = None, *, beside: frozenset[str] = frozenset()) -> Prepared:
    """Verify the manifest, and hold it against what is there before a byte of it is read.

    `own`: signatures that lie elsewhere, in place of those in the folder. `beside`: names that are no part of it.
    """
    listed = by_name(case)
    names = () if own is not None else signature_names(case.artifact, "", SIGNATURE)
    statement = {case.artifact.release.statement} if case.artifact.release is not None else set()
    apart = frozenset(names) | statement | beside
    if own is None:
        read, signatures = bundles(case, [(name, listed.get(name)) for name in names], MODEL_LIMIT)
    else:
        read, signatures = list(own), []
    verified, manifest = _manifest(case, read, apart)
    check_listing(manifest, tuple(listed), signatures=apart)
    files = {file.name: listed[file.name] for file in manifest.files}
    _check_sizes(manifest, files)
    wanted = {name: _wanted(case, manifest, info) for name, info in files.items()}
    release = releases.prepare(case, manifest.content.hex())

    def finish(gotten: Gotten) -> Result:
        check_digests(manifest, {name: _hashed(manifest, gotten[each.place]) for name, each in wanted.items()})
        return Result(
            name=case.artifact.name,
            kind="model",
            source=case.artifact.source,
            sha256=manifest.root.hex(),
            content=manifest.content.hex(),
            objects=len(files),
            size=sum(info.size for info in files.values()),
            signed_by=verified.signed_by,
            release=release.version(manifest.content.hex()),
            notices=release.notices,
        )

    return Prepared(
        case=case,
        objects=(*files.values(), *signatures, *release.objects),
        wanted=tuple(wanted.values()),
        finish=finish,
        content=manifest.content.hex(),
    )


def _manifest(case: Case, read: Sequence[Bundle], apart: frozenset[str]) -> tuple[Verified, Manifest]:
    """What enough signers say alike. Whoever signed another manifest has signed another model."""
    verified, envelopes = verify_envelopes(read, case.trust)
    manifests = [
        read_manifest(parse_statement(envelope), allowed_ignores=case.artifact.ignore_paths, signatures=apart)
        for envelope in envelopes
    ]
    if len({manifest.content for manifest in manifests}) != 1:
        raise Refused(
            "verify.manifests_differ",
            f"{case.artifact.source}: its {len(manifests)} signatures are over different manifests",
            expected="signatures of every signer over the same files",
            remedy="have each signer sign what is there now",
        )
    return verified, manifests[0]


def _check_sizes(manifest: Manifest, files: Mapping[str, ObjectInfo]) -> None:
    """What the listing says against what was signed, so that nothing is read in vain."""
    for file in manifest.files:
        size = files[file.name].size
        if file.size is not None and size != file.size:
            raise Refused(
                "verify.file_truncated" if size < file.size else "verify.file_differs",
                f"{file.name!r} has {size} bytes",
                expected=f"{file.size} bytes, as were signed",
                remedy="upload the file that was signed, or sign the model again",
            )


def _wanted(case: Case, manifest: Manifest, info: ObjectInfo) -> Wanted:
    if manifest.shard_size:
        return Wanted(case.store, info, frozenset(), manifest.algorithm, manifest.shard_size)
    return Wanted(case.store, info, frozenset({manifest.algorithm}))


def _hashed(manifest: Manifest, got: Got) -> Hashed:
    return Hashed(got.size, got.shards if manifest.shard_size else (got.digests[manifest.algorithm],))
