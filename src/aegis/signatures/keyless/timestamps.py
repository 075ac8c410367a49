"""Times that a timestamp authority has proven (RFC 3161): the signature existed then."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aegis.signatures.keyless.issuing import UPDATE
from aegis.signatures.keyless.trusted_root import Authority
from aegis.signatures.refusal import refused, refusing


@dataclass(frozen=True, slots=True)
class Stamp:
    """One proven time."""

    at: datetime.datetime
    authority: Authority


def proven_times(
    stamps: Sequence[bytes], signature: bytes, authorities: Sequence[Authority]
) -> tuple[tuple[Stamp, ...], int]:
    """The times of all that known authorities have stamped, and how many stamps are of others.

    A stamp of an authority that the trusted root does not know proves nothing and is passed over; one of a known
    authority must hold. Refuses with `verify.duplicate_timestamp`, `verify.timestamp_invalid` or
    `verify.trust_window`.
    """
    if len(set(stamps)) != len(stamps):
        raise refused("verify.duplicate_timestamp", "a timestamp is there twice", expected="each once")
    found, unknown = [], 0
    for data in stamps:
        stamp = _proven(data, signature, authorities)
        if stamp is None:
            unknown += 1
        else:
            found.append(stamp)
    return tuple(found), unknown


def _proven(data: bytes, signature: bytes, authorities: Sequence[Authority]) -> Stamp | None:
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    expected = "a timestamp over this signature, by an authority of the trusted root (RFC 3161)"
    with refusing("verify.timestamp_invalid", "a timestamp cannot be read", expected=expected):
        response = decode_timestamp_response(data)
        signers = [(each.issuer, each.serial_number) for each in response.signed_data.signer_infos]
        at = response.tst_info.gen_time
    known = [each for each in authorities if _signer(each) in signers]
    if not known:
        return None
    valid = [each for each in known if each.window.holds(at) and _chain_holds(each, at)]
    if not valid:
        raise refused(
            "verify.trust_window",
            f"the timestamp authority was not in use at {at.isoformat()}",
            expected="a time " + " or ".join(str(each.window) for each in known),
            remedy=UPDATE,
        )
    for authority in valid:
        leaf, *between, root = authority.certificates
        builder: Any = VerifierBuilder(tsa_certificate=leaf, intermediates=between, roots=[root])
        with refusing("verify.timestamp_invalid", "a timestamp does not hold", expected=expected):
            try:
                builder.build().verify_message(response, signature)
            except VerificationError:
                continue
            return Stamp(at, authority)
    raise refused("verify.timestamp_invalid", "a timestamp does not hold", expected=expected)


def _signer(authority: Authority) -> tuple[object, int] | None:
    """How a timestamp names the authority; an authority of one certificate alone has none apart from its root."""
    if len(authority.certificates) < 2:
        return None
    leaf = authority.certificates[0]
    return leaf.issuer, leaf.serial_number


def _chain_holds(authority: Authority, at: datetime.datetime) -> bool:
    return all(each.not_valid_before_utc <= at <= each.not_valid_after_utc for each in authority.certificates)
