"""Validating OIDC tokens beside PyJWT, joserfc and authlib: `python -I benchmarks/jwt.py [--seconds N]`.

All validate the same GitHub-like token with the same checks (signature, issuer, audience, expiry), taking turns in one
process, so that a busy machine slows all alike. Each number is the best of many short batches, since other work only
ever adds time. `floor` is what any Python code pays: splitting, base64, two `json.loads`, the signature by
`cryptography`, `exp`. `cached` is a token that was valid before. Then the attacks of tests/support/tokens/attacks.py
are put to all of them: how many each takes, and how many end in an exception that is none of its own.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
warnings.simplefilter("ignore")  # authlib says that it moves to joserfc, joserfc that EdDSA has a new name

import jwt  # noqa: E402 - the path comes first
from authlib.jose import JsonWebKey, JsonWebToken  # noqa: E402
from authlib.jose import KeySet as AuthlibKeySet  # noqa: E402
from authlib.jose.errors import JoseError as AuthlibError  # noqa: E402
from joserfc import jwt as joserfc_jwt  # noqa: E402
from joserfc.errors import JoseError as JoserfcError  # noqa: E402
from joserfc.jwk import KeySet as JoserfcKeySet  # noqa: E402
from joserfc.jwk import import_key  # noqa: E402

from aegis.identity.tokens import IssuerRule, Validator, key_set  # noqa: E402
from aegis.identity.tokens.algorithms import checks  # noqa: E402
from tests.doubles.oidc_issuer import AUDIENCE, GITHUB, Issuer, SigningKey, b64, new_key  # noqa: E402
from tests.support.tokens.attacks import ISSUER, Attack, attacks, world  # noqa: E402
from tests.support.tokens.judge import FixedKeys, validator  # noqa: E402

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
LEEWAY = 30
BATCH = 20
Call = Callable[[], object]


def calls(key: SigningKey) -> Mapping[str, Call]:
    """The same token, judged by each."""
    issuer = Issuer(ISSUER, key, GITHUB, {"typ": "JWT", "x5t": b64(bytes(20))})
    token, jwk = issuer.token(), key.jwk()
    rule = IssuerRule(issuer=ISSUER, audiences=frozenset({AUDIENCE}))
    source = FixedKeys(key_set([jwk]))
    full, cached = Validator([(rule, source)], remembered=0), Validator([(rule, source)])
    return {
        "aegis": partial(full.validate, token),
        "aegis, cached": partial(cached.validate, token),
        "floor": partial(floor, token, key.algorithm, key_set([jwk]).keys[0].public),
        "PyJWT": partial(by_pyjwt, token, jwt.PyJWK(jwk).key, [key.algorithm]),
        "joserfc": partial(by_joserfc, token, import_key(jwk), [key.algorithm]),
        "authlib": partial(by_authlib, token, JsonWebKey.import_key(jwk), JsonWebToken([key.algorithm])),
    }


def floor(token: str, algorithm: str, public: Any) -> None:
    """The least that any Python code does."""
    header, payload, signature = token.encode().split(b".")
    json.loads(base64.urlsafe_b64decode(header + b"=="))
    claims = json.loads(base64.urlsafe_b64decode(payload + b"=="))
    checks()[algorithm](public, base64.urlsafe_b64decode(signature + b"=="), header + b"." + payload)
    assert claims["exp"] > time.time()


def by_pyjwt(token: str, key: Any, algorithms: list[str]) -> object:
    """PyJWT with what it recommends."""
    required = {"require": ["exp", "iat", "sub", "aud", "iss"]}
    return jwt.decode(token, key, algorithms, required, audience=AUDIENCE, issuer=ISSUER, leeway=LEEWAY)  # type: ignore[arg-type]


def by_joserfc(token: str, key: Any, algorithms: list[str]) -> object:
    """joserfc, with a registry of claims made once."""
    parsed = joserfc_jwt.decode(token, key, algorithms=algorithms)
    _REGISTRY.validate(parsed.claims)
    return parsed


_REGISTRY = joserfc_jwt.JWTClaimsRegistry(
    leeway=LEEWAY,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
    iat={"essential": True},
    sub={"essential": True},
)
_OPTIONS = {
    "iss": {"essential": True, "value": ISSUER},
    "aud": {"essential": True, "value": AUDIENCE},
    "exp": {"essential": True},
    "iat": {"essential": True},
    "sub": {"essential": True},
}


def by_authlib(token: str, key: Any, reader: JsonWebToken) -> object:
    """authlib, with the same claims."""
    claims = reader.decode(token, key, claims_options=_OPTIONS)
    claims.validate(leeway=LEEWAY)
    return claims


def measure(each: Mapping[str, Call], seconds: float) -> Mapping[str, float]:
    """Calls a second: the best batch of each, while they take turns."""
    best = dict.fromkeys(each, float("inf"))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, call in each.items():
            begun = time.perf_counter()
            for _ in range(BATCH):
                call()
            best[name] = min(best[name], time.perf_counter() - begun)
    return {name: BATCH / took for name, took in best.items()}


def speeds(seconds: float) -> None:
    """All algorithms, with ratios."""
    for algorithm in ("RS256", "ES256", "EdDSA"):
        found = measure(calls(new_key(f"bench-{algorithm}", algorithm)), seconds)
        print(f"\n{algorithm}: validations a second")
        for name, rate in found.items():
            beside = "" if name == "aegis" else f"   aegis / {name} = {found['aegis'] / rate:.2f}"
            print(f"  {name:14} {rate:10,.0f}{beside}")
        print(f"  cached / PyJWT = {found['aegis, cached'] / found['PyJWT']:.1f}")


def judges() -> Mapping[str, tuple[Callable[[str], object], type[Exception]]]:
    """How each judges any token of the attacks' issuer, and its own kind of error."""
    published = world().jwks
    named = {entry["kid"]: entry for entry in published}
    joserfc_keys = JoserfcKeySet(usable(published, import_key))
    authlib_keys = AuthlibKeySet(usable(published, JsonWebKey.import_key))

    def pyjwt(token: str) -> object:
        kid = jwt.get_unverified_header(token)["kid"]
        return by_pyjwt(token, jwt.PyJWK(named[kid]), ALGORITHMS)

    from aegis.identity.tokens import TokenRefused

    return {
        "aegis": (validator(world()).validate, TokenRefused),
        "PyJWT": (pyjwt, jwt.PyJWTError),
        "joserfc": (lambda token: by_joserfc(token, joserfc_keys, ALGORITHMS), JoserfcError),
        "authlib": (lambda token: by_authlib(token, authlib_keys, JsonWebToken(ALGORITHMS)), AuthlibError),
    }


def usable(entries: list[dict[str, Any]], read: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """The keys that a peer reads: one that it refuses must not keep it from the others."""
    found = []
    for entry in entries:
        with contextlib.suppress(Exception):
            found.append(read(entry))
    return found


def suite() -> None:
    """The attacks, put to all."""
    found: list[Attack] = [attack for attack in attacks(world()) if isinstance(attack.token, str)]
    print(f"\nattacks: {len(found)}, each a token that must be refused")
    for name, (judge, own) in judges().items():
        taken, untyped = [], 0
        for attack in found:
            try:
                judge(attack.token)
                taken.append(attack)
            except own:
                pass
            except Exception:
                untyped += 1
        guards = sorted({attack.guard for attack in taken})
        print(f"  {name:14} takes {len(taken):3}, errors not its own {untyped:3}   {', '.join(guards)}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each algorithm")
    speeds(parser.parse_args().seconds)
    suite()


if __name__ == "__main__":
    main()
