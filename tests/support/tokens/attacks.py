"""Attacks on the reader of OIDC tokens: each with the reason of its refusal and the one guard that it is for.

The guards are lines of `aegis.identity.tokens`; tests take each out and see its attacks come through, or end otherwise.
Tokens are made by `tests.doubles.oidc_issuer`, with `cryptography` alone. benchmarks/jwt.py counts how many of these
attacks the peers take.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.doubles.oidc_issuer import SigningKey, b64, compact, new_key

ISSUER = "https://issuer.example/tenant"
TYPED = "https://issuer.example/typed"
"""Another issuer, which makes tokens of the type `at+jwt` alone and promises a claim `hd`."""
AUDIENCE, OTHER = "aegis-api", "billing"
CLIENT = "known-client"
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
REMOVED = object()


@dataclass(frozen=True)
class Attack:
    """One of them."""

    id: str
    guard: str
    code: str
    """Without `token.`"""
    token: Any
    about: str = ""
    """The advisory or paragraph where it comes from."""


class World:
    """An issuer's keys, good and bad, and a moment."""

    def __init__(self) -> None:
        self.now = int(time.time())
        self.rsa = new_key("rsa-1")
        self.free = replace(new_key("rsa-free"), algorithm="RS256")
        """Published without `alg`: it may be used with each RSA algorithm."""
        self.ec = new_key("ec-1", "ES256")
        self.p384, self.p521 = new_key("ec-384", "ES384"), new_key("ec-521", "ES512")
        self.ed = new_key("ed-1", "EdDSA")
        self.twins = (new_key("twin", "ES256"), new_key("twin", "ES256"))
        self.encrypts, self.wraps, self.leaked = (new_key(name, "ES256") for name in ("enc", "ops", "leaked"))
        self.zero, self.padded = new_key("zero"), new_key("padded", "ES256")
        self.small = SigningKey("small", rsa.generate_private_key(public_exponent=65537, key_size=1024), "RS256")
        self.cubic = SigningKey("cubic", rsa.generate_private_key(public_exponent=3, key_size=2048), "RS256")
        self.koblitz = SigningKey("koblitz", ec.generate_private_key(ec.SECP256K1()), "ES256")
        self.stranger = new_key("stranger")
        self.typed = new_key("typed-1", "ES256")

    @property
    def good(self) -> list[dict[str, Any]]:
        """Keys that may verify."""
        return [
            *(key.jwk() for key in (self.rsa, self.ec, self.p384, self.p521, self.ed)),
            self.free.jwk(alg=None),
        ]

    @property
    def jwks(self) -> list[dict[str, Any]]:
        """The whole set."""
        secret = b64(b"0123456789abcdef0123456789abcdef")
        modulus = base64.urlsafe_b64decode(self.zero.jwk()["n"] + "==")
        neutral = (1).to_bytes(32, "little")
        return [
            *self.good,
            *(key.jwk() for key in self.twins),
            self.encrypts.jwk(use="enc"),
            self.wraps.jwk(use=None, key_ops=["wrapKey"]),
            {**self.leaked.jwk(), "d": _secret(self.leaked)},
            {**self.zero.jwk(), "n": b64(b"\0" + modulus)},
            {**self.padded.jwk(), "x": self.padded.jwk()["x"] + "="},
            self.small.jwk(),
            self.cubic.jwk(),
            {**self.koblitz.jwk(), "crv": "secp256k1"},
            {"kty": "OKP", "crv": "Ed25519", "x": b64(neutral), "kid": "neutral", "alg": "EdDSA", "use": "sig"},
            {"kty": "oct", "k": secret, "kid": "secret", "alg": "HS256", "use": "sig"},
        ]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token, with changes."""
        times = {"iat": self.now - 10, "nbf": self.now - 10, "exp": self.now + 300}
        claims = {"iss": ISSUER, "sub": "ada", "aud": AUDIENCE, **times, **changes}
        return {name: value for name, value in claims.items() if value is not REMOVED}

    def header(self, key: SigningKey | None = None, **changes: Any) -> dict[str, Any]:
        """That of a good token, with changes."""
        signing = key or self.rsa
        header = {"alg": signing.algorithm, "typ": "JWT", "kid": signing.kid, **changes}
        return {name: value for name, value in header.items() if value is not REMOVED}

    def token(self, key: SigningKey | None = None, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """A token with changes to its header and claims."""
        return compact(self.header(key, **(header or {})), self.claims(**changes), key or self.rsa)

    def raw(self, header: bytes | None = None, payload: bytes | None = None) -> str:
        """A token over exactly these texts."""
        return compact(
            self.header() if header is None else header, self.claims() if payload is None else payload, self.rsa
        )

    def text(self, insert: str) -> bytes:
        """The claims of a good token, with JSON put in front of them."""
        return ("{" + insert + ", " + json.dumps(self.claims())[1:]).encode()


def _secret(key: SigningKey) -> str:
    assert isinstance(key.private, ec.EllipticCurvePrivateKey)
    return b64(key.private.private_numbers().private_value.to_bytes(32, "big"))


@cache
def world() -> World:
    """One for all tests of a process."""
    return World()


def attacks(w: World) -> Iterator[Attack]:
    """All of them."""
    yield from _form(w)
    yield from _base64(w)
    yield from _json(w)
    yield from _header(w)
    yield from _algorithm(w)
    yield from _issuer_and_audience(w)
    yield from _times(w)
    yield from _subject_and_claims(w)
    yield from _keys(w)
    yield from _signatures(w)


def _each(cases: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Name and changes of each."""
    return cases.items()


def _form(w: World) -> Iterator[Attack]:
    good = w.token()
    header, payload, signature = good.split(".")
    for size in (16_385, 100_000, 1 << 20):
        yield Attack(f"size-{size}", "size", "too_large", w.token(pad="x" * size)[:size], "GHSA-pq5p-34cr-23v9")
    yield Attack("bytes", "text", "malformed", good.encode())
    yield Attack("none", "text", "malformed", None)
    yield Attack("number", "text", "malformed", 5)
    yield Attack("list", "text", "malformed", [good])
    for name, token in {
        "one-segment": header,
        "two-segments": f"{header}.{payload}",
        "four-segments": f"{good}.{signature}",
        "five-segments-jwe": f"{good}.{signature}.{signature}",
        "trailing-dot": f"{good}.",
    }.items():
        yield Attack(name, "segments", "malformed", token, "RFC 7515 7.1")


def _base64(w: World) -> Iterator[Attack]:
    good = w.token(w.ec)
    header, payload, signature = good.split(".")
    make = partial(Attack, code="malformed", about="RFC 7515 2, RFC 4648 3.5")
    yield make("signature-padded", "padding", token=good + "==")
    yield make("signature-standard-alphabet", "alphabet", token=_standard(w))
    for name, text in {"header": header, "payload": payload}.items():
        padded = text + "=" * (-len(text) % 4 or 4)
        yield make(
            f"{name}-padded", "padding", token=_signed(w, *((padded, payload) if text is header else (header, padded)))
        )
    yield make("signature-line-feed", "strict", token=f"{header}.{payload}.{signature[:8]}\n\n\n\n{signature[8:]}")
    yield make("signature-space-inside", "strict", token=f"{header}.{payload}.{signature[:8]}    {signature[8:]}")
    yield make("signature-nul", "strict", token=f"{header}.{payload}.{signature[:8]}\0\0\0\0{signature[8:]}")
    yield make("payload-line-feed", "strict", token=_signed(w, header, payload[:16] + "\r\n\r\n" + payload[16:]))
    yield make("header-leading-space", "strict", token=_signed(w, "    " + header, payload))
    yield make("payload-percent", "strict", token=_signed(w, header, payload[:16] + "%%%%" + payload[16:]))
    yield make("signature-tail-bits", "tail", token=_next_character(good))
    yield make("header-tail-bits", "tail", token=_signed(w, _next_character(_short(header, 2)), payload))
    yield make("payload-tail-bits", "tail", token=_signed(w, header, _next_character(_short(payload, 3))))


def _short(segment: str, rest: int) -> str:
    """The same JSON with as much white space behind it that the last character has unused bits."""
    data = base64.urlsafe_b64decode(segment + "==")
    return next(text for text in (b64(data + b" " * count) for count in range(3)) if len(text) % 4 == rest)


def _next_character(text: str) -> str:
    """The last character stands for the same bits, and other unused ones."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def _signed(w: World, header: str, payload: str) -> str:
    """An issuer that spells its segments otherwise, and signs them so."""
    return f"{header}.{payload}.{b64(w.ec.sign(f'{header}.{payload}'.encode()))}"


def _standard(w: World) -> str:
    """ECDSA signs until the signature has characters that the alphabets do not share."""
    while True:
        header, payload, signature = w.token(w.ec).split(".")
        if "-" in signature or "_" in signature:
            return f"{header}.{payload}.{signature.replace('-', '+').replace('_', '/')}"


def _json(w: World) -> Iterator[Attack]:
    make = partial(Attack, code="malformed", about="RFC 8259, RFC 7493")
    for name, text in {
        "sub": '"sub": "root"',
        "iss": '"iss": "https://evil.example"',
        "exp": f'"exp": {w.now + 9_000_000}',
        "aud": f'"aud": "{OTHER}"',
        "escaped": '"\\u0073ub": "root"',
        "nested": '"act": {"sub": "a", "sub": "b"}',
    }.items():
        yield make(f"duplicate-{name}", "duplicates", token=w.raw(payload=w.text(text)))
    top = json.dumps(w.header())[1:]
    yield make("duplicate-alg", "duplicates", token=w.raw(header=('{"alg": "none", ' + top).encode()))
    yield make("duplicate-kid", "duplicates", token=w.raw(header=('{"kid": "stranger", ' + top).encode()))
    for value in ("NaN", "Infinity", "-Infinity"):
        yield make(f"claim-{value}", "constants", token=w.raw(payload=w.text(f'"x": {value}')))
    expiry = json.dumps(w.claims(exp=REMOVED))[1:]
    for value in ("NaN", "Infinity", "1e400"):
        guard = "finite" if value == "1e400" else "constants"
        yield make(f"exp-{value}", guard, token=w.raw(payload=(f'{{"exp": {value}, ' + expiry).encode()))
    yield make("claim--1e400", "finite", token=w.raw(payload=w.text('"x": -1e400')))
    yield make("long-integer", "long-integer", token=w.raw(payload=w.text(f'"x": {"9" * 33}')))
    yield make("long-fraction", "long-float", token=w.raw(payload=w.text(f'"x": 1.{"0" * 40}')))
    yield make("nested-objects", "depth", token=w.raw(payload=w.text('"x": ' + '{"a": ' * 8 + "1" + "}" * 8)))
    yield make("nested-arrays", "depth", token=w.raw(payload=w.text('"x": ' + "[" * 8 + "]" * 8)))
    yield make("deep-arrays", "recursion", token=w.raw(payload=w.text('"x": ' + "[" * 5000 + "]" * 5000)))
    yield make("deep-objects", "recursion", token=w.raw(payload=w.text('"x": ' + '{"":' * 1500 + "1" + "}" * 1500)))
    yield make("deep-header", "recursion", token=w.raw(header=b"[" * 5000 + b"]" * 5000))
    good = json.dumps(w.claims()).encode()
    yield make("latin-1", "utf-8", token=w.raw(payload=good[:-1] + b', "x": "\xe9"}'))
    yield make("overlong-utf-8", "utf-8", token=w.raw(payload=good[:-1] + b', "x": "\xc0\xaf"}'))
    yield make("surrogate-in-utf-8", "utf-8", token=w.raw(payload=good[:-1] + b', "x": "\xed\xa0\x80"}'))
    yield make("cut-utf-8", "utf-8", token=w.raw(payload=good[:-1] + b', "x": "\xe2\x82"}'))
    yield make("lone-surrogate", "surrogates", token=w.raw(payload=w.text('"x": "\\ud800"')))
    yield make("lone-surrogate-name", "surrogates", token=w.raw(payload=w.text('"\\udc00": 1')))
    yield make("byte-order-mark", "bom", token=w.raw(payload=b"\xef\xbb\xbf" + good))
    yield make("byte-order-mark-header", "bom", token=w.raw(header=b"\xef\xbb\xbf" + json.dumps(w.header()).encode()))
    for name, data in {"array": b"[]", "text": b'"x"', "number": b"1", "null": b"null", "true": b"true"}.items():
        yield make(f"payload-{name}", "object", token=w.raw(payload=data))
        yield make(f"header-{name}", "object", token=w.raw(header=data))
    for name, tail in {"object": b"{}", "comma": b",", "nul": b"\0", "comment": b"// x"}.items():
        yield make(f"after-the-end-{name}", "whole", token=w.raw(payload=good + tail))
    yield make("control-character", "control", token=w.raw(payload=w.text('"x": "a\tb"')))
    yield make("control-character-nul", "control", token=w.raw(payload=w.text('"x": "a\0b"')))


def _header(w: World) -> Iterator[Attack]:
    embedded: dict[str, Any] = {"jwk": w.stranger.jwk()}
    critical: Mapping[str, tuple[Mapping[str, Any], str]] = {
        "crit-empty": ({"crit": []}, "RFC 7515 4.1.11"),
        "crit-unknown": ({"crit": ["x-policy"], "x-policy": "deny"}, "CVE-2026-32597, CVE-2025-59420"),
        "crit-exp": ({"crit": ["exp"]}, "RFC 7515 4.1.11"),
        "crit-alg": ({"crit": ["alg"]}, "RFC 7515 4.1.11"),
        "crit-text": ({"crit": "exp"}, "RFC 7515 4.1.11"),
        "crit-null": ({"crit": None}, "RFC 7515 4.1.11"),
        "b64-false": ({"b64": False, "crit": ["b64"]}, "RFC 7797 6"),
        "b64-uncritical": ({"b64": False}, "RFC 7797 6"),
        "jwk": (embedded, "CVE-2018-0114"),
        "jku": ({"jku": "https://evil.example/keys"}, "RFC 8725 3.10"),
        "x5u": ({"x5u": "https://evil.example/chain"}, "RFC 8725 3.10"),
        "x5c": ({"x5c": ["MIIB"]}, "RFC 8725 3.10"),
        "zip": ({"zip": "DEF"}, "RFC 8725 3.6"),
        "enc": ({"enc": "A256GCM"}, "RFC 7516 4.1.2"),
        "p2c": ({"p2c": 2_000_000_000, "p2s": "AA"}, "CVE-2026-27932"),
        "cty": ({"cty": "JWT"}, "RFC 7519 5.2"),
        "unknown": ({"x-unknown": 1}, "closed list"),
        "iss-replicated": ({"iss": "https://evil.example"}, "RFC 7519 5.3"),
        "case": ({"Alg": "none"}, "RFC 7515 4"),
    }
    for name, (changes, about) in critical.items():
        yield Attack(f"header-{name}", "parameters", "header_refused", w.token(header=changes), about)
    own = compact(w.header(**embedded), w.claims(), w.stranger)
    yield Attack("header-jwk-signed-by-itself", "parameters", "header_refused", own, "CVE-2018-0114")
    for name, changes in _each(
        {
            "kid-empty": {"kid": ""},
            "kid-null": {"kid": None},
            "kid-number": {"kid": 1},
            "kid-long": {"kid": "k" * 257},
            "kid-list": {"kid": ["rsa-1"]},
            "kid-object": {"kid": {"a": 1}},
            "typ-null": {"typ": None},
            "typ-number": {"typ": 1},
            "typ-empty": {"typ": ""},
            "typ-list": {"typ": ["JWT"]},
            "x5t-object": {"x5t": {}},
            "x5t-s256-null": {"x5t#S256": None},
        }
    ):
        yield Attack(name, "names", "header_refused", w.token(header=changes), "RFC 7515 4.1")
    for name in ("at+jwt", "application/at+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "JWT ", "JWS", "jose"):
        yield Attack(
            f"typ-{name.strip()}-{len(name)}", "type", "type_refused", w.token(header={"typ": name}), "RFC 8725 3.11"
        )
    for name, changes in _each({"absent": {"typ": REMOVED}, "jwt": {"typ": "JWT"}}):
        token = w.token(w.typed, changes, iss=TYPED, hd="example.com")
        yield Attack(f"typ-{name}-where-at+jwt-is-asked", "type", "type_refused", token, "RFC 9068 4")


def _algorithm(w: World) -> Iterator[Attack]:
    unsigned = f"{b64(json.dumps(w.header()).encode())}.{b64(json.dumps(w.claims()).encode())}."
    for name in ("none", "None", "NONE", "nOnE"):
        token = unsigned.replace(unsigned.split(".")[0], b64(json.dumps(w.header(alg=name)).encode()))
        yield Attack(f"alg-{name}", "algorithms", "algorithm_refused", token, "CVE-2026-28802, RFC 8725 2.1")
    public = w.rsa.private.public_key()
    for name, secret in {
        "pem": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(w.rsa.jwk()).encode(),
        "empty": b"",
    }.items():
        yield Attack(
            f"hs256-{name}", "algorithms", "algorithm_refused", _hmac(w, secret, w.header(alg="HS256")), "CVE-2015-9235"
        )
    shared = _hmac(w, b"0123456789abcdef0123456789abcdef", w.header(alg="HS256", kid="secret"))
    yield Attack("hs256-published", "algorithms", "algorithm_refused", shared, "RFC 8725 3.2")
    for name in ("RS1", "rs256", "RS256 ", "ES256K", "Ed25519", "Ed448", "RSA-OAEP", "dir", "PBES2-HS256+A128KW", ""):
        token = w.token(header={"alg": name})
        yield Attack(f"alg-{name}-{len(name)}", "algorithms", "algorithm_refused", token, "RFC 8725 3.1")
    yield Attack("alg-absent", "algorithm", "algorithm_refused", w.token(header={"alg": REMOVED}), "RFC 7515 4.1.1")
    yield Attack("alg-null", "algorithm", "algorithm_refused", w.token(header={"alg": None}), "RFC 7515 4.1.1")
    yield Attack(
        "alg-object", "algorithm-text", "algorithm_refused", w.token(header={"alg": {"RS256": 1}}), "RFC 7515 4.1.1"
    )


def _hmac(w: World, secret: bytes, header: Mapping[str, Any]) -> str:
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(w.claims()).encode())}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def _issuer_and_audience(w: World) -> Iterator[Attack]:
    for name, issuer in {
        "slash": ISSUER + "/",
        "absent": REMOVED,
        "null": None,
        "number": 1,
        "empty": "",
        "list": [ISSUER],
        "case": ISSUER.upper(),
        "longer": ISSUER + ".evil.example",
        "parent": "https://issuer.example",
        "http": ISSUER.replace("https", "http"),
        "port": ISSUER.replace(".example", ".example:443"),
        "homoglyph": ISSUER.replace("issuer", "\u0456ssuer"),
        "white-space": ISSUER + " ",
        "user": ISSUER.replace("//", "//evil@"),
    }.items():
        yield Attack(f"iss-{name}", "issuer", "issuer_unknown", w.token(iss=issuer), "RFC 8725 3.8")
    yield Attack("iss-object", "issuer-text", "issuer_unknown", w.token(iss={ISSUER: 1}), "RFC 7519 4.1.1")
    make = partial(Attack, code="audience_refused", about="RFC 7519 4.1.3, RFC 8725 3.9")
    for name, audience in {
        "absent": REMOVED,
        "null": None,
        "number": 5,
        "true": True,
        "object": {AUDIENCE: 1},
    }.items():
        yield make(f"aud-{name}", "audience-form", token=w.token(aud=audience))
    yield make("aud-list-with-number", "audience-form", token=w.token(aud=[AUDIENCE, 5], azp=CLIENT))
    yield make("aud-list-in-list", "audience-form", token=w.token(aud=[AUDIENCE, [AUDIENCE]], azp=CLIENT))
    for name, audience in {
        "other": OTHER,
        "part": AUDIENCE[:-1],
        "longer": AUDIENCE + "-2",
        "case": AUDIENCE.upper(),
        "empty": "",
        "slash": AUDIENCE + "/",
        "white-space": f"{AUDIENCE} {OTHER}",
        "empty-list": [],
        "other-list": [OTHER],
    }.items():
        yield make(f"aud-{name}", "audience-ours", token=w.token(aud=audience, azp=CLIENT))
    for name, changes in _each(
        {
            "more": {},
            "more-unknown-client": {"azp": "stranger"},
            "more-client-list": {"azp": [CLIENT]},
            "more-client-null": {"azp": None},
            "more-client-object": {"azp": {CLIENT: 1}},
        }
    ):
        yield make(
            f"aud-{name}", "audience-alone", token=w.token(aud=[AUDIENCE, OTHER], **changes), about="OIDC Core 3.1.3.7"
        )


def _times(w: World) -> Iterator[Attack]:
    make = partial(Attack, code="times_invalid", about="RFC 7519 2, 4.1.4 to 4.1.6")
    for name, changes in _each(
        {
            "exp-absent": {"exp": REMOVED},
            "exp-null": {"exp": None},
            "exp-text": {"exp": str(w.now + 300)},
            "exp-list": {"exp": [w.now + 300]},
            "exp-object": {"exp": {}},
            "iat-absent": {"iat": REMOVED},
            "iat-text": {"iat": str(w.now)},
            "nbf-null": {"nbf": None},
            "nbf-text": {"nbf": "0"},
            "nbf-negative": {"nbf": -1},
            "nbf-milliseconds": {"nbf": w.now * 1000},
        }
    ):
        yield make(name, "time-form", token=w.token(**changes))
    yield make("nbf-true", "time-bool", token=w.token(nbf=True))
    yield make("nbf-false", "time-bool", token=w.token(nbf=False))
    for name, changes in _each(
        {
            "a-day-and-more": {"iat": w.now - 10, "exp": w.now - 10 + 24 * 3600 + 1},
            "a-century": {"exp": w.now + 100 * 365 * 24 * 3600},
            "exp-milliseconds": {"exp": (w.now + 300) * 500},
            "no-time": {"iat": w.now, "exp": w.now},
            "backwards": {"iat": w.now + 20, "exp": w.now + 10},
            "iat-zero": {"iat": 0},
        }
    ):
        yield make(f"lifetime-{name}", "lifetime", token=w.token(**changes))
    for name, exp in {"hour": w.now - 3600, "leeway": w.now - 30, "fraction": w.now - 30.5}.items():
        token = w.token(iat=w.now - 7200, nbf=w.now - 7200, exp=exp)
        yield Attack(f"expired-{name}", "expiry", "expired", token, "RFC 7519 4.1.4")
    for name, changes in _each(
        {
            "nbf": {"nbf": w.now + 60},
            "nbf-leeway": {"nbf": w.now + 31},
            "nbf-fraction": {"nbf": w.now + 30.5},
            "iat": {"iat": w.now + 60},
        }
    ):
        yield Attack(f"future-{name}", "start", "not_yet_valid", w.token(**changes), "RFC 7519 4.1.5")


def _subject_and_claims(w: World) -> Iterator[Attack]:
    for name, subject in {
        "absent": REMOVED,
        "null": None,
        "empty": "",
        "number": 5,
        "true": True,
        "list": ["ada"],
        "object": {"a": 1},
        "line-feed": "ada\nroot",
        "nul": "ada\0",
        "right-to-left": "ada\u202etoor",
        "long": "a" * 1025,
    }.items():
        yield Attack(f"sub-{name}", "subject", "subject_invalid", w.token(sub=subject), "RFC 7519 4.1.2")
    for name, value in {
        "absent": REMOVED,
        "null": None,
        "other": "evil.example",
        "part": "example.co",
        "case": "EXAMPLE.COM",
        "list": ["example.com"],
        "true": True,
    }.items():
        token = w.token(w.typed, {"typ": "at+jwt"}, iss=TYPED, hd=value)
        yield Attack(f"required-{name}", "required", "claim_refused", token, "claimValidationRules")


def _keys(w: World) -> Iterator[Attack]:
    for name in ("stranger", "../../dev/null", "rsa-1\0", "RSA-1", "https://evil.example/keys", "' OR 1=1 --"):
        token = w.token(header={"kid": name})
        yield Attack(f"kid-{name!r}", "kid", "key_unknown", token, "RFC 8725 3.10")
    for algorithm in ("RS384", "RS512", "PS256", "PS512"):
        token = w.token(replace(w.rsa, algorithm=algorithm))
        yield Attack(f"{algorithm}-with-a-key-for-RS256", "jwk-alg", "key_unfit", token, "CVE-2026-48523, RFC 8725 3.1")
    for name, key, kid in (
        ("ES256-header-RSA-key", w.ec, "rsa-1"),
        ("RS256-header-EC-key", w.rsa, "ec-1"),
        ("EdDSA-header-EC-key", w.ed, "ec-1"),
        ("ES256-header-Ed25519-key", w.ec, "ed-1"),
        ("ES384-header-P-256-key", replace(w.ec, algorithm="ES384"), "ec-1"),
        ("ES256-header-P-384-key", replace(w.p384, algorithm="ES256"), "ec-384"),
        ("ES256-header-P-521-key", replace(w.p521, algorithm="ES256"), "ec-521"),
    ):
        yield Attack(name, "fit", "key_unfit", w.token(key, {"kid": kid}), "RFC 8725 3.1")
    yield Attack("two-keys-by-one-kid", "one-key", "key_ambiguous", w.token(w.twins[0]), "RFC 7517 4.5")
    yield Attack("no-kid-two-rsa-keys", "one-key", "key_ambiguous", w.token(header={"kid": REMOVED}), "RFC 7515 4.1.4")
    yield Attack("no-kid-es256", "one-key", "key_ambiguous", w.token(w.ec, {"kid": REMOVED}), "RFC 7515 4.1.4")
    make = partial(Attack, code="key_unknown")
    yield make("key-for-encryption", "use", token=w.token(w.encrypts), about="RFC 7517 4.2")
    yield make("key-for-wrapping", "key-ops", token=w.token(w.wraps), about="RFC 7517 4.3")
    yield make("key-with-private-half", "private", token=w.token(w.leaked), about="RFC 7518 6.2.2")
    yield make("key-rsa-1024", "rsa-bits", token=w.token(w.small), about="RFC 7518 3.3")
    yield make("key-exponent-3", "exponent", token=w.token(w.cubic), about="FIPS 186-5 A.1.1")
    yield make("key-leading-zero", "minimal", token=w.token(w.zero), about="RFC 7518 2")
    yield make("key-padded", "padding", token=w.token(w.padded), about="RFC 7518 6.2.1.2")
    neutral = _with_signature(w, w.header(alg="EdDSA", kid="neutral"), (1).to_bytes(32, "little") + bytes(32))
    yield make("key-small-order", "small-order", token=neutral, about="RFC 8032 5.1.7, signed by nobody")


def _with_signature(w: World, header: Mapping[str, Any], signature: bytes) -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(w.claims()).encode())}.{b64(signature)}"


def _signatures(w: World) -> Iterator[Attack]:
    make = partial(Attack, guard="signature", code="wrong_signature")
    good = w.token()
    header, payload, text = good.split(".")
    signature = base64.urlsafe_b64decode(text + "==")
    swapped = b64(json.dumps(w.claims(sub="root")).encode())
    yield make("other-payload", token=f"{header}.{swapped}.{text}")
    yield make("other-header", token=f"{b64(json.dumps(w.header(typ='jwt')).encode())}.{payload}.{text}")
    yield make("signature-absent", token=f"{header}.{payload}.", about="RFC 8725 2.1")
    yield make("signature-flipped", token=f"{header}.{payload}.{b64(bytes([signature[0] ^ 1]) + signature[1:])}")
    yield make("signature-cut", token=f"{header}.{payload}.{b64(signature[:-1])}")
    yield make("signature-longer", token=f"{header}.{payload}.{b64(signature + bytes(1))}")
    yield make("signature-zeros", token=f"{header}.{payload}.{b64(bytes(256))}")
    yield make("signature-of-another-token", token=f"{header}.{payload}.{w.token(sub='eve').split('.')[2]}")
    yield make("strangers-key-by-our-kid", token=w.token(replace(w.stranger, kid="rsa-1")))
    yield make("other-issuers-key", token=w.token(replace(w.typed, kid="ec-1")), about="RFC 8725 3.8")
    signed = f"{header}.{payload}".encode()
    private = w.rsa.private
    assert isinstance(private, rsa.RSAPrivateKey)
    yield make(
        "pkcs1-sha1",
        token=_joined(signed, private.sign(signed, padding.PKCS1v15(), hashes.SHA1())),
        about="RFC 7518 3.3",
    )
    yield make("pkcs1-sha512", token=_joined(signed, private.sign(signed, padding.PKCS1v15(), hashes.SHA512())))
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    yield make("pss-under-rs256", token=_joined(signed, private.sign(signed, pss, hashes.SHA256())))
    yield from _pss(w, make)
    yield from _ecdsa(w, make)
    ed = w.token(w.ed)
    head, body, text = ed.split(".")
    raw = base64.urlsafe_b64decode(text + "==")
    more = int.from_bytes(raw[32:], "little") + ED25519_ORDER
    yield make(
        "ed25519-malleable",
        token=f"{head}.{body}.{b64(raw[:32] + more.to_bytes(32, 'little'))}",
        about="RFC 8032 5.1.7",
    )
    yield make("ed25519-other-key", token=w.token(SigningKey("ed-1", ed25519.Ed25519PrivateKey.generate(), "EdDSA")))
    yield make("ed25519-zeros", token=f"{head}.{body}.{b64(bytes(64))}")


def _joined(signed: bytes, signature: bytes) -> str:
    return f"{signed.decode()}.{b64(signature)}"


def _pss(w: World, make: Callable[..., Attack]) -> Iterator[Attack]:
    header = w.header(replace(w.free, algorithm="PS256"))
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(w.claims()).encode())}".encode()
    private = w.free.private
    assert isinstance(private, rsa.RSAPrivateKey)
    for name, salt, mask in (
        ("no-salt", 0, hashes.SHA256()),
        ("short-salt", 20, hashes.SHA256()),
        ("long-salt", 64, hashes.SHA256()),
        ("sha1-mask", 32, hashes.SHA1()),
    ):
        signature = private.sign(signed, padding.PSS(padding.MGF1(mask), salt), hashes.SHA256())
        yield make(f"pss-{name}", token=_joined(signed, signature), about="RFC 7518 3.5")


def _ecdsa(w: World, make: Callable[..., Attack]) -> Iterator[Attack]:
    header, payload, text = w.token(w.ec).split(".")
    raw = base64.urlsafe_b64decode(text + "==")
    r, s = raw[:32], raw[32:]
    start = f"{header}.{payload}"
    der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    yield make("ecdsa-der", token=f"{start}.{b64(der)}", about="RFC 7518 3.4")
    yield make("ecdsa-zeros", token=f"{start}.{b64(bytes(64))}", about="CVE-2022-21449")
    yield make("ecdsa-r-zero", token=f"{start}.{b64(bytes(32) + s)}", about="CVE-2022-21449")
    yield make("ecdsa-order", token=f"{start}.{b64(P256_ORDER.to_bytes(32, 'big') * 2)}", about="CVE-2022-21449")
    yield make("ecdsa-swapped", token=f"{start}.{b64(s + r)}")
    yield make("ecdsa-other-key", token=w.token(new_key("ec-1", "ES256")))
    longer = f"{start}.{b64(r + bytes(1) + s)}"
    yield Attack("ecdsa-longer-s", "signature-size", "wrong_signature", longer, "RFC 7518 3.4: exactly 64 octets")
