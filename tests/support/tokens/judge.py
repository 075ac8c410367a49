"""How the attacks of `tests.support.tokens.attacks` are put to the package, or to one without a guard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aegis.identity.tokens
from tests.support.tokens.attacks import AUDIENCE, CLIENT, ISSUER, TYPED, World


class FixedKeys:
    """A key source without a network."""

    def __init__(self, keys: Any) -> None:
        self.keys = keys

    def current(self) -> Any:
        return self.keys

    def for_kid(self, kid: str | None) -> Any:
        return self.keys


def validator(
    world: World, keys: Sequence[Any] | None = None, *, package: Any = aegis.identity.tokens, remembered: int = 0
) -> Any:
    """Judges for the world's two issuers, at its moment."""
    rules = [
        (
            package.IssuerRule(issuer=ISSUER, audiences=frozenset({AUDIENCE}), authorized_parties=frozenset({CLIENT})),
            FixedKeys(package.key_set(world.jwks if keys is None else keys)),
        ),
        (
            package.IssuerRule(
                issuer=TYPED,
                audiences=frozenset({AUDIENCE}),
                types=frozenset({"at+jwt"}),
                required={"hd": "example.com"},
            ),
            FixedKeys(package.key_set([world.typed.jwk()])),
        ),
    ]
    return package.Validator(rules, now=lambda: float(world.now), remembered=remembered)
