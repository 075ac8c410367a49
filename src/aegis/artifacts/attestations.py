"""Artifacts of kind `attestation`: a file or model of which somebody has to have said something."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aegis.artifacts import files
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
from aegis.artifacts.reading import Gotten, Wanted
from aegis.artifacts.result import Result
from aegis.core.ports.objects import ObjectInfo
from aegis.signatures.attestation import check_attestation
from aegis.signatures.statement import parse_statement
from aegis.signatures.verify import verify_envelopes

DEFAULT_IN_FOLDER = "attestation.sigstore.json"
"""Of a model; a file's attestation is called as its bundle is."""


def prepare(case: Case) -> Prepared:
    """Verify the attestations' signatures; what they are about is compared once the artifact has been read."""
    if case.location.is_prefix:
        listed = dict(by_name(case))
        names = signature_names(case.artifact, "", DEFAULT_IN_FOLDER)
        found = [(name, listed.pop(name, None)) for name in names]
        subject = listed
        if not subject:
            # "no file" has a digest too, which is that of an empty file
            raise missing(case)
    else:
        info = one_object(case, case.location.key)
        if info is None:
            raise missing(case)
        name = file_name(case)
        beside_it = signature_names(case.artifact, name, files.DEFAULT)
        found = [(each, one_object(case, beside(case, each))) for each in beside_it]
        subject = {name: info}
    read, infos = bundles(case, found, BUNDLE_LIMIT)
    verified, envelopes = verify_envelopes(read, case.trust)
    statements = [parse_statement(envelope) for envelope in envelopes]
    wanted = {name: Wanted(case.store, info, frozenset({"sha256"})) for name, info in subject.items()}

    def finish(gotten: Gotten) -> Result:
        digests = {name: gotten[each.place].digests["sha256"] for name, each in wanted.items()}
        sha256 = root_of(digests) if case.location.is_prefix else digests[file_name(case)].hex()
        check_attestation(statements, {"sha256": sha256}, case.artifact.predicate_types)
        return Result(
            name=case.artifact.name,
            kind="attestation",
            source=case.artifact.source,
            sha256=sha256,
            content=sha256,
            objects=len(wanted),
            size=sum(info.size for info in subject.values()),
            signed_by=verified.signed_by,
        )

    objects: tuple[ObjectInfo, ...] = (*subject.values(), *infos)
    return Prepared(case=case, objects=objects, wanted=tuple(wanted.values()), finish=finish)


def root_of(digests: Mapping[str, bytes]) -> str:
    """A model's root digest as OpenSSF Model Signing 1.0 has it (SPEC.md 6.5.1, method `files`). It binds no names."""
    return hashlib.sha256(b"".join(digest for _, digest in sorted(digests.items()))).hexdigest()
