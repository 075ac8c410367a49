"""The signature of a certificate's key over what the caller holds: a file's digests, or the bundle's own envelope."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aegis.core.errors import Refused
from aegis.signatures.keys.public import DIGESTS, PublicKey, check_signature
from aegis.signatures.refusal import refused
from aegis.signatures.types import Bundle, Envelope, MessageSignature


def check_content(bundle: Bundle, key: PublicKey, digests: Mapping[str, bytes] | None) -> Mapping[str, bytes]:
    """Return the digests that were signed: some of `digests`, or, when they are None, the envelope's.

    What is signed is decided by the caller, and how by the key; the bundle's own hints only must be true. Refuses with
    `verify.wrong_content`, `verify.unsupported_key` or `verify.wrong_signature`.
    """
    algorithm = DIGESTS.get(key.kind)
    content = bundle.content
    if isinstance(content, Envelope):
        if digests is not None:
            raise _other_content("of an attestation", "one over the file itself")
        digests = {algorithm: hashlib.new(algorithm, content.signed).digest()} if algorithm else {}
    elif digests is None:
        raise _other_content("over a file", "one of an attestation")
    if algorithm is None or algorithm not in digests:
        raise refused(
            "verify.unsupported_key",
            f"the certificate's key is of the kind {key.kind}, which does not fit",
            expected=f"a key that signs {' or '.join(sorted(digests)) or 'a digest'}",
            remedy="Sign with an ECDSA P-256 key, as cosign and sigstore do unless told otherwise.",
        )
    if isinstance(content, MessageSignature):
        _check_hint(content, algorithm, digests[algorithm])
    check_signature(key, content.signature, digests=digests, content=None)
    return {algorithm: digests[algorithm]}


def _check_hint(content: MessageSignature, algorithm: str, digest: bytes) -> None:
    """The digest that a bundle may name decides nothing, but must be true: others might believe it."""
    if content.digest_algorithm is None or (content.digest_algorithm, content.digest) == (algorithm, digest):
        return
    raise refused(
        "verify.wrong_signature",
        f"the signature says that it is over the {content.digest_algorithm} {(content.digest or b'').hex()}",
        expected=f"{algorithm} {digest.hex()}",
        remedy="Fetch or build the artifact anew, and sign it; if you did not expect this, treat the store as "
        "compromised.",
    )


def _other_content(found: str, expected: str) -> Refused:
    return refused(
        "verify.wrong_content",
        f"the signature is {found}",
        expected=expected,
        remedy="Set `kind` of the artifact to what was signed, or sign it in the way that its kind asks for.",
    )
