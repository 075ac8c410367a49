"""Whether a token is a valid one of a known issuer.

Cheap checks come first: what is no token, or for somebody else, or too old, costs no cryptography and no network.

A token that was valid is known again by its SHA-256: until it ends, and as long as its issuer's keys are those by which
it was verified. So a revoked key ends when the set of keys does, for tokens that are remembered as for all others.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aegis.identity.tokens import claims as claim_rules
from aegis.identity.tokens.claims import IssuerRule
from aegis.identity.tokens.compact import MAX_TOKEN, parse
from aegis.identity.tokens.jwks import KeySource
from aegis.identity.tokens.keys import KeySet
from aegis.identity.tokens.refusal import refused

REMEMBERED = 4096
"""Tokens; each holds a few kB of claims."""


@dataclass(frozen=True, slots=True)
class ValidToken:
    """What a token proves."""

    issuer: str
    subject: str
    expires: float
    """Seconds since 1970, as the token says."""
    claims: Mapping[str, Any] = field(repr=False)
    """All of them, not to be changed: objects are read-only mappings, arrays are tuples."""


class _Known(NamedTuple):
    valid: ValidToken
    start: float
    end: float
    source: KeySource
    keys: KeySet


class Validator:
    """Judges tokens by one set of rules. Safe to use from many threads."""

    def __init__(
        self,
        issuers: Sequence[tuple[IssuerRule, KeySource]],
        *,
        now: Callable[[], float] = time.time,
        remembered: int = REMEMBERED,
    ) -> None:
        """`now`: seconds since 1970. `remembered`: how many valid tokens are known again; 0 for none."""
        self._issuers = {rule.issuer: (rule, source) for rule, source in issuers}
        if len(self._issuers) != len(issuers):
            raise ValueError("each issuer has one rule")
        self._now = now
        self._remembered = remembered
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def validate(self, token: str) -> ValidToken:
        """What the token proves. Raises TokenRefused."""
        # what is too long is not even hashed, and refused where it is parsed
        if not self._remembered or not isinstance(token, str) or len(token) > MAX_TOKEN:
            return self._judged(token).valid
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and known.start <= self._now() < known.end and known.source.current() is known.keys:
            with self._lock:
                if digest in self._known:
                    self._known.move_to_end(digest)
            return known.valid
        known = self._judged(token)
        with self._lock:
            self._known[digest] = known
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return known.valid

    def _judged(self, token: str) -> _Known:
        parsed = parse(token)
        issuer = parsed.claims.get("iss")
        rule, source = self._issuers.get(issuer, (None, None)) if isinstance(issuer, str) else (None, None)
        if rule is None or source is None:
            raise refused("issuer_unknown", "the token is of no issuer that is known here", "an issuer of the file")
        found = claim_rules.check(parsed.header, parsed.claims, rule, self._now())
        keys = source.for_kid(parsed.header.kid)
        key = keys.find(parsed.header)
        if not key.holds(parsed.header.algorithm, parsed.signature, parsed.signed):
            raise refused("wrong_signature", "the token's signature does not hold", "a token that its issuer signed")
        valid = ValidToken(rule.issuer, found.subject, found.end - rule.leeway, parsed.claims)
        return _Known(valid, found.start, found.end, source, keys)
