"""Signed at a time that is wrong, or that nobody proves."""

from __future__ import annotations

import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from tests.doubles.sigstore.authority import YEAR, new_intermediate, new_root
from tests.doubles.sigstore.signer import AT, PrivateSigstore
from tests.doubles.sigstore.timestamp import TimestampAuthority
from tests.doubles.sigstore.trusted_root import Window
from tests.support.keyless.case import CONTENT, STATEMENT, Cases, Made, entry_of, signature_of

TIME_ATTACKS = Cases()
case = TIME_ATTACKS
_SECOND = datetime.timedelta(seconds=1)
_ENDED = Window(AT - YEAR, AT - _SECOND)
_NOT_BEGUN = Window(AT + _SECOND)
_LATE = AT + datetime.timedelta(minutes=10) + _SECOND


@case("certificate_expired")
def logged_after_the_certificate_ended() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, at=_LATE), own)


@case("certificate_expired")
def logged_before_the_certificate_began() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, at=AT - _SECOND), own)


@case("certificate_expired")
def stamped_after_the_certificate_ended() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2", at=_LATE), own)


@case("certificate_expired")
def promised_in_time_and_stamped_late() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT)
    return Made(own.stamp(bundle, own.timestamps.stamp(signature_of(bundle), _LATE)), own)


@case("issuer_expired")
def authority_ended_before_its_certificate() -> Made:
    own = PrivateSigstore()
    own.authority = new_root("ending", AT, until=AT + 300 * _SECOND)
    own.root.authorities = [((own.authority.certificate,), Window(AT - YEAR))]
    return Made(own.sign_file(CONTENT, at=AT + 301 * _SECOND), own)


@case("issuer_expired")
def intermediate_ended_before_its_certificate() -> Made:
    own = PrivateSigstore()
    own.authority = new_intermediate("ending", own.root_authority, AT, until=AT + 300 * _SECOND)
    own.root.authorities = [((own.authority.certificate, own.root_authority.certificate), Window(AT - YEAR))]
    return Made(own.sign_file(CONTENT, at=AT + 301 * _SECOND), own)


@case("issuer_expired")
def root_ended_before_its_intermediate() -> Made:
    own = PrivateSigstore()
    own.root_authority = new_root("ending", AT, until=AT + 300 * _SECOND)
    own.authority = new_intermediate("below", own.root_authority, AT)
    own.root.authorities = [((own.authority.certificate, own.root_authority.certificate), Window(AT - YEAR))]
    return Made(own.sign_file(CONTENT, at=AT + 301 * _SECOND), own)


@case("trust_window")
def retired_authority() -> Made:
    own = PrivateSigstore()
    own.root.authorities = [(chain, _ENDED) for chain, _ in own.root.authorities]
    return Made(own.sign_file(CONTENT), own)


@case("trust_window")
def authority_that_has_not_begun() -> Made:
    own = PrivateSigstore()
    own.root.authorities = [(chain, _NOT_BEGUN) for chain, _ in own.root.authorities]
    return Made(own.sign_file(CONTENT), own)


@case("trust_window")
def retired_log() -> Made:
    own = PrivateSigstore()
    own.root.logs = [(log, _ENDED) for log, _ in own.root.logs]
    return Made(own.sign_file(CONTENT), own)


@case("trust_window")
def retired_tiled_log() -> Made:
    own = PrivateSigstore()
    own.root.logs = [(log, _ENDED) for log, _ in own.root.logs]
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2"), own)


@case("trust_window")
def log_that_has_not_begun() -> Made:
    own = PrivateSigstore()
    own.root.logs = [(log, _NOT_BEGUN) for log, _ in own.root.logs]
    return Made(own.sign_statement(STATEMENT), own, content=None)


@case("trust_window")
def retired_certificate_log() -> Made:
    own = PrivateSigstore()
    own.root.certificate_logs = [(own.certificate_log, _ENDED)]
    return Made(own.sign_file(CONTENT), own)


@case("trust_window")
def retired_certificate_log_that_dates_back() -> Made:
    """Whoever found the retired key can write any time; the authority's own word tells when it was."""
    own = PrivateSigstore()
    own.certificate_log.lag = -YEAR / 2
    own.root.certificate_logs = [(own.certificate_log, _ENDED)]
    return Made(own.sign_file(CONTENT), own)


@case("trust_window")
def retired_timestamp_authority() -> Made:
    own = PrivateSigstore()
    own.root.timestamp_authorities = [(own.timestamps, _ENDED)]
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2"), own)


@case("trust_window")
def timestamp_authority_whose_certificate_ended() -> Made:
    own = PrivateSigstore()
    own.timestamps = TimestampAuthority(AT, until=AT - _SECOND)
    own.root.timestamp_authorities = [(own.timestamps, Window(AT - YEAR))]
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2"), own)


@case("no_signing_time")
def time_of_a_log_that_it_has_not_signed() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, promise=False), own)


@case("no_signing_time")
def tiled_log_without_a_timestamp() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2", stamped=False), own)


@case("no_signing_time")
def tiled_log_with_a_time_of_its_own() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT, kind="hashedrekord-v2", stamped=False)
    entry_of(bundle)["integratedTime"] = str(int(AT.timestamp()))
    return Made(bundle, own)


@case("unknown_trust_key")
def time_of_a_strangers_timestamp_authority() -> Made:
    own = PrivateSigstore()
    own.timestamps = TimestampAuthority(AT, name="stranger")
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2"), own)


@case("timestamp_invalid")
def timestamp_of_another_signature() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT, kind="hashedrekord-v2")
    return Made(own.stamp(bundle, own.timestamps.stamp(b"another signature", AT)), own)


@case("timestamp_invalid")
def timestamp_signed_by_a_stranger() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT, kind="hashedrekord-v2")
    stranger = ec.generate_private_key(ec.SECP256R1())
    return Made(own.stamp(bundle, own.timestamps.stamp(signature_of(bundle), AT, key=stranger)), own)


@case("timestamp_invalid")
def timestamp_that_is_none() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT)
    return Made(own.stamp(bundle, b"\x30\x00"), own)


@case("duplicate_timestamp")
def timestamp_given_twice() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT)
    stamp = own.timestamps.stamp(signature_of(bundle), AT)
    return Made(own.stamp(bundle, stamp, stamp), own)


@case("bundle_malformed")
def more_timestamps_than_anybody_makes() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT)
    return Made(own.stamp(bundle, *(own.timestamps.stamp(signature_of(bundle), AT) for _ in range(33))), own)
