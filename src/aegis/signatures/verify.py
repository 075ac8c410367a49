"""Whether enough of those whom a policy names have signed.

Every signature is tried against every signer of its kind. What holds is counted by `aegis.signatures.counting`; what
does not is told with the reason that helps most.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Callable, Mapping, Sequence

from aegis.core.errors import Refused, UsageError
from aegis.signatures.counting import Held, different_signers
from aegis.signatures.keys import public as keys
from aegis.signatures.shown import shown
from aegis.signatures.types import (
    Bundle,
    CertificateSigner,
    Envelope,
    IdentitySigner,
    KeySigner,
    MessageSignature,
    SignedBy,
    Signer,
    Trust,
    Verified,
)

_LEGACY = frozenset({"cosign-sig", "cosign-bundle"})
_MAX_REASONS = 10
"""Of signatures that do not hold, in one message."""
_LITTLE_TOLD = ("verify.wrong_key", "verify.wrong_signature")
"""Reasons that each signer gives for each signature of others; any other reason says more."""


def needed_digests(bundles: Sequence[Bundle], trust: Trust) -> frozenset[str]:
    """Which hashes of an artifact `verify_message` will ask for, e.g. `sha256`, so that it is read once."""
    legacy = any(bundle.format in _LEGACY for bundle in bundles)
    needed = {bundle.content.digest_algorithm for bundle in bundles if isinstance(bundle.content, MessageSignature)}
    for signer in trust.signers:
        if isinstance(signer, KeySigner):
            needed.update(keys.algorithms(signer.key, legacy=legacy))
        elif isinstance(signer, CertificateSigner):
            # The leaf's key decides, and it is looked at only once its certificate is believed.
            needed.update(keys.DIGESTS.values())
        else:
            needed.add("sha256")
    return frozenset(name for name in needed if name is not None)


def needs_content(bundles: Sequence[Bundle], trust: Trust) -> bool:
    """Whether the artifact's bytes themselves are asked for: by Ed25519 keys, for signatures that may be theirs."""
    return any(isinstance(signer, KeySigner) and signer.key.kind == "ed25519" for signer in trust.signers) and any(
        len(bundle.content.signature) == keys.ED25519_SIZE and not bundle.certificates for bundle in bundles
    )


def verify_message(
    bundles: Sequence[Bundle], digests: Mapping[str, bytes], trust: Trust, content: bytes | None = None
) -> Verified:
    """Judge signatures over a file by its digests: all of `needed_digests`; `content` where it is small.

    Refuses with the reason of the signature that came closest, or with `verify.too_few_signers`.
    """

    def attempt(bundle: Bundle, signer: Signer) -> SignedBy:
        if not isinstance(bundle.content, MessageSignature):
            raise _wrong_content("an attestation", "a signature over the file itself")
        claimed = bundle.content.digest_algorithm
        if claimed is not None and digests.get(claimed) != bundle.content.digest:
            raise _wrong_digest(claimed, bundle.content.digest or b"", digests.get(claimed))
        if isinstance(signer, KeySigner):
            return _by_key(bundle, bundle.content, signer, digests, content, trust.now)
        if isinstance(signer, IdentitySigner):
            return _by_identity(bundle, signer, trust, digests["sha256"])
        return _by_certificate(bundle, signer, trust, digests)

    verified, _ = _decide(bundles, trust, attempt)
    return verified


def verify_envelopes(bundles: Sequence[Bundle], trust: Trust) -> tuple[Verified, tuple[Envelope, ...]]:
    """Judge DSSE envelopes: who signed, and every envelope whose signature holds, in the order of `bundles`.

    The caller looks at each envelope: what it says is just what its own signer says, so a threshold is only met for
    what all of them say. Refuses as `verify_message` does.
    """

    def attempt(bundle: Bundle, signer: Signer) -> SignedBy:
        if not isinstance(bundle.content, Envelope):
            raise _wrong_content("a signature over a file", "an attestation (DSSE envelope)")
        if isinstance(signer, KeySigner):
            signed = bundle.content.signed
            names = keys.algorithms(signer.key)
            digests = {name: hashlib.new(name, signed).digest() for name in names}
            return _by_key(bundle, bundle.content, signer, digests, signed, trust.now)
        if isinstance(signer, IdentitySigner):
            return _by_identity(bundle, signer, trust, None)
        return _by_certificate(bundle, signer, trust, None)

    verified, holding = _decide(bundles, trust, attempt)
    return verified, tuple(bundle.content for bundle in holding if isinstance(bundle.content, Envelope))


def _decide(
    bundles: Sequence[Bundle], trust: Trust, attempt: Callable[[Bundle, Signer], SignedBy]
) -> tuple[Verified, list[Bundle]]:
    if not trust.signers or trust.threshold < 1:
        raise UsageError(
            "verify.policy_incomplete",
            f"a policy with {len(trust.signers)} signers and a threshold of {trust.threshold}",
            expected="at least one signer, and a threshold of at least 1",
            remedy="Name in the policy who must have signed.",
        )
    if not bundles:
        raise Refused(
            "verify.unsigned",
            "there is no signature",
            expected=f"signatures by {trust.threshold} of: {_names(trust)}",
            remedy="Sign it as its policy asks (`aegis sign`).",
        )
    # One certificate authority under two names is one signer, whatever leaves it has issued.
    whom = [
        (signer.roots, signer.subject) if isinstance(signer, CertificateSigner) else position
        for position, signer in enumerate(trust.signers)
    ]
    held: list[Held] = []
    holding: list[Bundle] = []
    failures: list[tuple[int, Signer, Refused]] = []
    for number, bundle in enumerate(bundles, 1):
        before = len(held)
        for signer, who in zip(trust.signers, whom, strict=True):
            try:
                held.append((whom.index(who), attempt(bundle, signer)))
            except Refused as error:
                failures.append((number, signer, error))
        if len(held) > before:
            holding.append(bundle)
    counted = different_signers(held)
    if len(counted) >= trust.threshold:
        return Verified(counted), holding
    if not held:
        raise _closest(failures)
    raise _too_few(counted, failures, trust)


def _by_key(
    bundle: Bundle,
    content: MessageSignature | Envelope,
    signer: KeySigner,
    digests: Mapping[str, bytes],
    message: bytes | None,
    now: datetime.datetime,
) -> SignedBy:
    if bundle.certificates:
        raise _wrong_kind("with a certificate", f"the key {shown(signer.name)}")
    try:
        algorithm = keys.check_signature(
            signer.key, content.signature, digests=digests, content=message, legacy=bundle.format in _LEGACY
        )
    except Refused as error:
        raise _named_other_key(bundle, signer) or error from error
    claimed = content.digest_algorithm if isinstance(content, MessageSignature) else None
    # The key decides the hash (sigstore_common.proto `MessageSignature`), so a label that differs is no oversight.
    if claimed is not None and algorithm not in {claimed, "ed25519"}:
        raise Refused(
            "verify.wrong_signature",
            f"the signature is over {algorithm}, and its label says {claimed}",
            expected=f"the label {algorithm}",
            remedy="Sign again; if you did not expect this, treat the store as compromised.",
        )
    _check_window(signer, now)
    return SignedBy(
        signer=signer.name,
        method="key",
        key=signer.key.fingerprint,
        format=bundle.format,
        notices=tuple(_notices(bundle)),
    )


def _by_identity(bundle: Bundle, signer: IdentitySigner, trust: Trust, digest: bytes | None) -> SignedBy:
    if not bundle.certificates:
        raise _wrong_kind("with a bare key", f"the identity {shown(signer.name)}")
    # Here, because certificates and logs cost several times what a key does.
    from aegis.signatures.keyless import signature as keyless

    return keyless.verify_keyless(bundle, signer, trust, digest=digest)


def _by_certificate(
    bundle: Bundle, signer: CertificateSigner, trust: Trust, digests: Mapping[str, bytes] | None
) -> SignedBy:
    if not bundle.certificates:
        raise _wrong_kind("with a bare key", f"a certificate of {shown(signer.name)}")
    from aegis.signatures.keys import chain

    signed = chain.verify_certificate(bundle, signer, trust, digests=digests)
    _check_window(signer, trust.now)
    return signed


def _check_window(signer: KeySigner | CertificateSigner, now: datetime.datetime) -> None:
    today = now.astimezone(datetime.UTC).date()
    first, last = signer.valid_from, signer.valid_until
    if (first is not None and today < first) or (last is not None and today > last):
        raise Refused(
            "verify.key_outside_window",
            f"the signature by {shown(signer.name)} is judged on {today}, since nothing proves when it was made",
            expected=f"a day from {first or 'any'} to {last or 'any'} (UTC), both included",
            remedy="Sign with a key that is in use, or have the policy's owner change valid-from and valid-until.",
        )


def _notices(bundle: Bundle) -> list[str]:
    found = []
    if bundle.format in _LEGACY:
        found.append(
            f"{bundle.format} proves no time and names no digest; `aegis sign` and a current cosign write more"
        )
    if bundle.log_entries or bundle.timestamps:
        found.append("log entries and timestamps were not looked at: a signature by a key does not need them")
    return found


def _named_other_key(bundle: Bundle, signer: KeySigner) -> Refused | None:
    """A better reason where the bundle's hint is another key's fingerprint, as cosign writes it (base64, SHA-256).

    The hint is not protected, so it only ever explains a signature that does not hold.
    """
    own = base64.b64encode(bytes.fromhex(signer.key.fingerprint)).decode()
    hint = bundle.key_hint
    if not hint or len(hint) != len(own) or not hint.endswith("=") or hint == own:
        return None
    return Refused(
        "verify.wrong_key",
        f"the signature does not fit {shown(signer.name)}, and says that it is by the key {shown(hint)}",
        expected=f"the key {own}",
        remedy="Sign with a key of the policy, or have the policy's owner add the signer.",
    )


def _closest(failures: Sequence[tuple[int, Signer, Refused]]) -> Refused:
    """Of signatures none of which holds, the reason that says most; the first of equals."""

    def tells(failure: tuple[int, Signer, Refused]) -> int:
        code = failure[2].code
        return _LITTLE_TOLD.index(code) if code in _LITTLE_TOLD else len(_LITTLE_TOLD)

    best = max(failures, key=tells)[2]
    if len(failures) == 1:
        return best
    return Refused(best.code, f"{best.problem}; {_reasons(failures)}", expected=best.expected, remedy=best.remedy)


def _too_few(counted: Sequence[SignedBy], failures: Sequence[tuple[int, Signer, Refused]], trust: Trust) -> Refused:
    by = ", ".join(shown(signed.signer) for signed in counted)
    return Refused(
        "verify.too_few_signers",
        f"signed by {len(counted)} different signers ({by}); {_reasons(failures)}",
        expected=f"{trust.threshold} of: {_names(trust)}",
        remedy="Have another of these signers sign it; one key or identity counts once, under whatever names.",
    )


def _reasons(failures: Sequence[tuple[int, Signer, Refused]]) -> str:
    told = [
        f"signature {number} by {shown(signer.name)}: {error.code}" for number, signer, error in failures[:_MAX_REASONS]
    ]
    if len(failures) > _MAX_REASONS:
        told.append(f"and {len(failures) - _MAX_REASONS} more")
    return "not by others: " + ("; ".join(told) if told else "no other signature")


def _names(trust: Trust) -> str:
    return ", ".join(shown(signer.name) for signer in trust.signers)


def _wrong_kind(how: str, wanted: str) -> Refused:
    return Refused(
        "verify.wrong_key",
        f"it is signed {how}",
        expected=f"a signature by {wanted}",
        remedy="Sign in the way that the policy names, or have the policy's owner add this kind of signer.",
    )


def _wrong_content(got: str, wanted: str) -> Refused:
    return Refused(
        "verify.wrong_content",
        f"the signature is {got}",
        expected=wanted,
        remedy="Set `kind` of the artifact to what was signed, or sign it in the way that its kind asks for.",
    )


def _wrong_digest(algorithm: str, claimed: bytes, actual: bytes | None) -> Refused:
    return Refused(
        "verify.wrong_signature",
        f"the signature is for {algorithm}:{claimed.hex()}, and the artifact is {algorithm}:{(actual or b'').hex()}",
        expected="a signature for these bytes",
        remedy="Fetch or build the artifact anew, and sign it; if you did not expect this, treat the store as "
        "compromised.",
    )
