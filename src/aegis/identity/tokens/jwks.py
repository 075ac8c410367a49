"""An issuer's keys over the network: asked for seldom, kept while the issuer is down, gone when it revokes them.

The rules, each because somebody got it wrong (PyJWT #1162, kubernetes#139769, go-oidc#482):
- A set is good for the time that the issuer gave it (`Cache-Control`, within bounds). In the last fifth of that time
  one caller asks anew while others go on; after it, all wait for the answer: a revoked key ends there at the latest.
- However many callers wait, one asks.
- An answer that is no set of keys changes nothing. Without any, the old keys last for a day, and no longer.
- A token with an unknown key asks anew, but not again for half a minute, whatever names it invents.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from aegis.identity.tokens.keys import KeySet, parse_keys
from aegis.identity.tokens.refusal import TokenRefused, refused
from aegis.identity.tokens.text import json_object

MIN_TTL, DEFAULT_TTL, MAX_TTL = 60.0, 900.0, 24 * 3600.0
"""Seconds that a set is good for: at least, where the issuer says nothing, and at most."""
MAX_STALE = 24 * 3600.0
"""Seconds after it was fetched that a set is used while its issuer cannot be reached."""
RETRY = 5.0
"""Seconds from a failure to the next try."""
COOL_DOWN = 30.0
"""Seconds in which unknown keys cause no second fetch."""
UNKNOWN_KEPT, UNKNOWN_SECONDS = 128, 300.0
"""How many names of unknown keys are remembered, and how long each alone causes no fetch."""
DISCOVERY = "/.well-known/openid-configuration"
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age="?([0-9]{1,9})"?(?=$|[,\s])', re.IGNORECASE | re.ASCII)
_LOG = logging.getLogger("aegis.identity")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document as it came."""

    body: bytes
    cache_control: str = ""


Fetch = Callable[[str], Fetched]
"""The document at an https address, without following redirects; raises TokenRefused `token.keys_unavailable`."""


class KeySource(Protocol):
    """Where an issuer's keys come from."""

    def current(self) -> KeySet:
        """The keys of now; the same object as long as nothing was fetched. `token.keys_unavailable` without any."""

    def for_kid(self, kid: str | None) -> KeySet:
        """The same, after a look for newer ones where this key is not among them."""


@dataclass(frozen=True, slots=True)
class KeysAt:
    """Where the keys of an issuer are published."""

    issuer: str
    discovery_url: str | None = None
    """None: below the issuer's own address (OpenID Connect Discovery 4)."""
    jwks_url: str | None = None
    """The keys themselves, so that no discovery decides where they are."""

    def __post_init__(self) -> None:
        """All of it is https, without a user."""
        for address in (self.issuer, self.discovery_url, self.jwks_url):
            if address is not None:
                origin(address)

    @property
    def discovery(self) -> str:
        """The address of the discovery document."""
        return self.discovery_url or self.issuer.rstrip("/") + DISCOVERY


def origin(address: str) -> tuple[str, int]:
    """Host and port of an https address. Raises ValueError for anything else."""
    parts = _split(address)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError("is no https address of a host")
    if parts.fragment or not address.isascii() or not address.isprintable() or " " in address or "\\" in address:
        raise ValueError("is no plain https address")
    port = 443 if parts.port is None else parts.port
    if port == 0:
        raise ValueError("has the port 0")
    return parts.hostname, port


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - it is read here, where it raises
    except ValueError:
        raise ValueError("is no address") from None
    return parts


def ttl_of(cache_control: str) -> float:
    """Seconds that a set is good for (RFC 9111 5.2.2), within bounds."""
    if re.search(r"no-store|no-cache", cache_control, re.IGNORECASE):
        return MIN_TTL
    found = _MAX_AGE.search(cache_control)
    return min(max(float(found[1]), MIN_TTL), MAX_TTL) if found else DEFAULT_TTL


class _UnusableError(ValueError):
    """Why an answer changes nothing."""


@dataclass(frozen=True, slots=True)
class _State:
    keys: KeySet | None = None
    fresh_until: float = 0.0
    stale_until: float = 0.0
    next_try: float = float("-inf")
    tried: float = float("-inf")
    """When somebody last asked, with or without an answer."""
    problem: str = ""
    """Why the last try failed."""


class JwksClient:
    """The keys of one issuer. Safe to use from many threads."""

    def __init__(self, place: KeysAt, fetch: Fetch, *, now: Callable[[], float] = time.monotonic) -> None:
        """Nothing is fetched before it is needed. `now`: seconds that never go back."""
        self._place = place
        self._fetch = fetch
        self._now = now
        self._state = _State()
        """Replaced as a whole, so that reading it needs no lock."""
        self._asking = threading.Lock()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        """By kid, the moment until which it alone causes no fetch."""

    def current(self) -> KeySet:
        """See `KeySource`."""
        state, now = self._state, self._now()
        if now >= state.next_try:
            # While the issuer is down, its old keys are used, and only one caller at a time waits for it.
            waits = state.keys is None or (now >= state.fresh_until and not state.problem)
            if self._asking.acquire(blocking=waits):
                try:
                    self._refresh(state)
                finally:
                    self._asking.release()
        return self._usable(now)

    def for_kid(self, kid: str | None) -> KeySet:
        """See `KeySource`."""
        keys, state, now = self.current(), self._state, self._now()
        if kid is None or keys.knows(kid) or now < state.tried + COOL_DOWN or now < self._unknown.get(kid, now):
            return keys
        with self._asking:
            self._refresh(state)
            keys = self._usable(now)
            if not keys.knows(kid):
                self._unknown[kid] = now + UNKNOWN_SECONDS
                self._unknown.move_to_end(kid)
                if len(self._unknown) > UNKNOWN_KEPT:
                    self._unknown.popitem(last=False)
        return keys

    def _usable(self, now: float) -> KeySet:
        state = self._state
        if state.keys is None or now >= state.stale_until:
            raise _unavailable(self._place.issuer, state.problem)
        return state.keys

    def _refresh(self, seen: _State) -> None:
        """Ask, with the lock held; unless somebody has asked since `seen` was read."""
        if self._state is not seen:
            return
        began = self._now()
        try:
            keys, ttl = self._ask()
        except Exception as error:  # whatever fails here, the keys that are good stay
            said = error.problem if isinstance(error, TokenRefused) else str(error)
            problem = said if isinstance(error, TokenRefused | _UnusableError) else type(error).__name__
            ended = self._now()
            self._state = replace(seen, problem=problem, tried=ended, next_try=ended + RETRY)
            _LOG.warning("keys of %s: %s", self._place.issuer, problem)
        else:
            # the time counts from before the question, since the answer may be as old as that
            self._state = _State(keys, began + ttl, began + MAX_STALE, began + 0.8 * ttl, began)

    def _ask(self) -> tuple[KeySet, float]:
        address = self._place.jwks_url or self._discovered()
        answer = self._fetch(address)
        try:
            return parse_keys(answer.body), ttl_of(answer.cache_control)
        except ValueError as error:
            raise _UnusableError(f"its set of keys {error}") from None

    def _discovered(self) -> str:
        """The `jwks_uri` of the discovery document, which must be of this issuer and of its host."""
        place = self._place
        try:
            document = json_object(self._fetch(place.discovery).body)
        except ValueError as error:
            raise _UnusableError(f"its discovery document {error}") from None
        if document.get("issuer") != place.issuer:
            # OpenID Connect Discovery 4.3: otherwise one issuer could speak for another
            raise _UnusableError("its discovery document is of another issuer")
        address = document.get("jwks_uri")
        try:
            there = origin(address if isinstance(address, str) else "")
        except ValueError as error:
            raise _UnusableError(f"its discovery document's jwks_uri {error}") from None
        if there not in {origin(place.issuer), origin(place.discovery)}:
            raise _UnusableError("its discovery document sends to keys of another host")
        return str(address)


def _unavailable(issuer: str, problem: str) -> TokenRefused:
    """The refusal of every token of an issuer whose keys cannot be had."""
    return refused(
        "keys_unavailable",
        f"the keys of {issuer} cannot be had: {problem}",
        "an issuer that publishes its keys over https",
        remedy="fetch its discovery document and keys from this machine, and try again",
    )
