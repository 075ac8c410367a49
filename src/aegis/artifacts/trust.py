"""The policy's signers with their keys, certificates and trusted root read.

All of these files come from where the policy comes from: on a change from its base commit, never from the change under
test, and never from the store that holds the artifacts.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis.artifacts.check import KEY_VARIABLE
from aegis.core.errors import AegisError, UsageError
from aegis.core.policy import Signer as Rule
from aegis.signatures.types import CertificateSigner, IdentitySigner, KeySigner, Signer, Trust


@dataclass(frozen=True, slots=True)
class Materials:
    """Where keys and trust roots are read."""

    read: Callable[[str], bytes]
    """A file of the repository at the policy's own commit. Raises UsageError where there is none."""
    key_variable: str | None
    """What COSIGN_PUB_KEY holds; None or empty where it is not set."""
    no_variable: AegisError
    """Why it may be unset: told where the policy asks for it."""


def trust_of(
    rules: Sequence[Rule], threshold: int, trusted_root: bytes | None, materials: Materials, now: datetime.datetime
) -> Trust:
    """Who must have signed. Raises UsageError for a key or certificate that cannot be used."""
    return Trust(
        signers=tuple(_signer(rule, materials) for rule in rules),
        threshold=threshold,
        trusted_root=trusted_root,
        now=now,
    )


def digest_of(trust: Trust) -> str:
    """SHA-256 (hex) over everything that decides whether a signature holds; of the time, which keys are in use."""
    parts = [str(trust.threshold).encode(), trust.trusted_root or b"packaged"]
    parts += [f"{signer!r} {_in_use(signer, trust.now)}".encode() for signer in trust.signers]
    return hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()


def _in_use(signer: Signer, now: datetime.datetime) -> bool:
    if isinstance(signer, IdentitySigner):
        return True
    today = now.astimezone(datetime.UTC).date()
    return (signer.valid_from or today) <= today <= (signer.valid_until or today)


def _signer(rule: Rule, materials: Materials) -> Signer:
    if rule.key is not None:
        return _key_signer(rule, rule.key, materials)
    if rule.certificate is not None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        try:
            roots = x509.load_pem_x509_certificates(materials.read(rule.certificate))
        except ValueError as error:
            raise UsageError(
                "verify.key_invalid",
                f"{rule.certificate!r} holds no certificates",
                expected="one or more PEM blocks `CERTIFICATE`",
                remedy="put the root certificates into the file",
            ) from error
        return CertificateSigner(
            name=rule.subject or rule.certificate,
            roots=tuple(root.public_bytes(Encoding.DER) for root in roots),
            subject=rule.subject,
            valid_from=rule.valid_from,
            valid_until=rule.valid_until,
        )
    return IdentitySigner(
        identity=rule.identity,
        pattern=rule.identity_pattern,
        issuer=rule.issuer or "",
        claims=dict(sorted(rule.claims.items())),
        deny_self_hosted=rule.deny_self_hosted,
    )


def _key_signer(rule: Rule, place: str, materials: Materials) -> KeySigner:
    from aegis.signatures.keys.public import load_public_key

    if place == KEY_VARIABLE:
        if not materials.key_variable:
            raise materials.no_variable
        text = materials.key_variable.strip()
        if "-----BEGIN" not in text and len(text) < 1024 and text.endswith((".pub", ".pem")):
            # the third form of COSIGN_PUB_KEY: a path in the repository
            text = materials.read(text).decode("utf-8", "replace")
    else:
        text = materials.read(place).decode("utf-8", "replace")
    return KeySigner(place, load_public_key(text, name=place), rule.valid_from, rule.valid_until)
