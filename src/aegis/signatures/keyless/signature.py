"""Keyless signatures: an identity's certificate, and a public log's and a timestamp authority's word on when.

Follows the Sigstore client specification (github.com/sigstore/architecture-docs/blob/main/client-spec.md, 4). Nothing
here reads a clock or the network: the time of signing is proven or the signature is refused.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from aegis.signatures.content import check_content
from aegis.signatures.keyless.certificate import check_signer, read_leaf
from aegis.signatures.keyless.issuing import UPDATE, check_issued
from aegis.signatures.keyless.log_body import Signed, check_body
from aegis.signatures.keyless.sct import check_logged
from aegis.signatures.keyless.timestamps import Stamp, proven_times
from aegis.signatures.keyless.transparency import Entry, Held, check_held, read_entry
from aegis.signatures.keyless.trusted_root import Log, TrustedRoot, load_trusted_root
from aegis.signatures.refusal import refused
from aegis.signatures.types import Bundle, IdentitySigner, SignedBy, Trust

_PROMISE_ONLY = "the log has only promised to hold the entry; newer formats prove that it does"


def verify_keyless(bundle: Bundle, signer: IdentitySigner, trust: Trust, *, digest: bytes | None) -> SignedBy:
    """Whether `signer` signed the artifact of this SHA-256 `digest`, or, with None, the bundle's own envelope.

    Refuses with the code of what does not hold; raises UsageError `verify.trusted_root_invalid`.
    """
    root = load_trusted_root(trust.trusted_root)
    if not bundle.certificates:
        raise refused(
            "verify.wrong_key",
            "the signature is by a bare key",
            expected=f"a certificate of {signer.name!a}",
            remedy="Sign with the identity that the policy names (`aegis sign` in a workflow, or `cosign sign-blob`).",
        )
    leaf = read_leaf(bundle.certificates[0])
    check_signer(leaf, signer)
    digests = check_content(bundle, leaf.key, None if digest is None else {"sha256": digest})
    signed = Signed(bundle.content, bundle.certificates[0], leaf.key, digests)
    held = _check_log(bundle, root)
    stamps, unknown = proven_times(bundle.timestamps, bundle.content.signature, root.timestamp_authorities)
    times = _times(held, stamps, unknown)
    for each in held:
        _check_window(each.log, [each.at] if each.at else times)
    issuer = check_issued(leaf, root.authorities, times)
    check_logged(leaf, issuer, root)
    for each in held:
        check_body(each.entry.body, each.entry.kind, each.entry.version, signed)
    return SignedBy(
        signer=signer.name,
        method="keyless",
        key=leaf.key.fingerprint,
        format=bundle.format,
        identity=leaf.identity,
        issuer=leaf.issuer,
        signed_at=times[0].strftime("%Y-%m-%dT%H:%M:%SZ"),
        log=f"{held[0].log.key_id.hex()}:{_index(held[0].entry)}",
        notices=(_PROMISE_ONLY,) if any(each.entry.proof is None for each in held) else (),
    )


def _check_log(bundle: Bundle, root: TrustedRoot) -> tuple[Held, ...]:
    """Every entry of a known log holds, and there is at least one; no log counts twice."""
    if not bundle.log_entries:
        raise refused(
            "verify.log_entry_missing",
            "the signature is in no transparency log",
            expected="at least one log entry",
        )
    entries = [read_entry(entry) for entry in bundle.log_entries]
    if len({entry.key_id for entry in entries}) != len(entries):
        raise refused(
            "verify.duplicate_log_entry",
            "the signature has several entries of one log",
            expected="one entry of each log (GHSA-9vcr-p3rj-q5q6)",
        )
    known = [(entry, log) for entry in entries for log in _logs(entry, root)[:1]]
    if not known:
        raise refused(
            "verify.unknown_trust_key",
            f"the log entry is of the log {entries[0].key_id.hex()}, which the trusted root does not know",
            expected="a log of the trusted root",
            remedy=UPDATE,
        )
    return tuple(check_held(entry, log) for entry, log in known)


def _logs(entry: Entry, root: TrustedRoot) -> list[Log]:
    return [log for log in root.logs if log.key_id == entry.key_id]


def _times(held: Sequence[Held], stamps: Sequence[Stamp], unknown: int) -> list[datetime.datetime]:
    """All proven times, the earliest first."""
    times = sorted([each.at for each in held if each.at] + [stamp.at for stamp in stamps])
    if times:
        return times
    if unknown:
        raise refused(
            "verify.unknown_trust_key",
            "the time of signing is proven only by an authority that the trusted root does not know",
            expected="a timestamp authority of the trusted root",
            remedy=UPDATE,
        )
    raise refused(
        "verify.no_signing_time",
        "nothing proves when the signature was made, so nobody can tell whether its certificate was valid",
        expected="a timestamp (RFC 3161), or a log's signed entry timestamp",
    )


def _check_window(log: Log, times: Sequence[datetime.datetime]) -> None:
    if not all(map(log.window.holds, times)):
        raise refused(
            "verify.trust_window",
            f"the log {log.key_id.hex()} was not in use at {times[0].isoformat()}",
            expected=f"a time {log.window}",
            remedy=UPDATE,
        )


def _index(entry: Entry) -> int:
    """The number that the log stands for: by its promise, else by its proof."""
    return entry.index if entry.promise is not None or entry.proof is None else entry.proof.index
