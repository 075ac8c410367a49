"""The examples of the RFCs themselves: signatures that others made."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from aegis.identity.tokens import TokenRefused
from aegis.identity.tokens.compact import parse, read_header
from aegis.identity.tokens.keys import key_set, parse_key
from aegis.identity.tokens.text import base64url

JOE = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"


@dataclass(frozen=True)
class Vector:
    """One of them."""

    key: dict[str, Any]
    token: str


VECTORS = {
    "RFC7515-A.2-RS256": Vector(
        {
            "kty": "RSA",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT"
            "-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7"
            "WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91"
            "kzk2PAcDTW9gb54h4FRWyuXpoQ",
            "e": "AQAB",
        },
        f"eyJhbGciOiJSUzI1NiJ9.{JOE}."
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr"
        "7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x"
        "i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_Ioy"
        "pGlUPQGe77Rw",
    ),
    "RFC7515-A.3-ES256": Vector(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        f"eyJhbGciOiJFUzI1NiJ9.{JOE}."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    "RFC8037-A.4-EdDSA": Vector(
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
}
RFC7797 = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19"
"""Of 4.2: a header with `b64` and `crit`."""


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_the_signature_holds(vector: Vector) -> None:
    signed, _, signature = vector.token.encode().rpartition(b".")
    header = read_header(signed.partition(b".")[0])
    key = key_set([vector.key]).find(header)
    assert key.holds(header.algorithm, base64url(signature), signed)
    assert not key.holds(header.algorithm, base64url(signature), signed + b"A")


@pytest.mark.parametrize("name", ["RFC7515-A.2-RS256", "RFC7515-A.3-ES256"])
def test_the_claims_are_read(name: str) -> None:
    claims = parse(VECTORS[name].token).claims
    assert dict(claims) == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


def test_a_payload_that_is_no_json_is_no_token() -> None:
    with pytest.raises(TokenRefused, match="is not JSON"):
        parse(VECTORS["RFC8037-A.4-EdDSA"].token)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        # RFC 7515 A.5, RFC 7519 6.1: unsecured
        (f"eyJhbGciOiJub25lIn0.{JOE}.", "token.algorithm_refused"),
        # RFC 7515 A.1: HMAC
        (
            f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "token.algorithm_refused",
        ),
        # RFC 7515 Appendix E: the negative test case for crit
        (
            base64.urlsafe_b64encode(
                b'{"alg":"none",\r\n "crit":["http://example.invalid/UNDEFINED"],\r\n'
                b' "http://example.invalid/UNDEFINED":true\r\n}'
            )
            .rstrip(b"=")
            .decode()
            + ".RkFJTA.",
            "token.header_refused",
        ),
        # RFC 7797 4.2, with the payload detached
        (f"{RFC7797}..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY", "token.header_refused"),
    ],
    ids=["unsecured", "hmac", "crit", "b64"],
)
def test_what_the_rfcs_have_and_we_do_not_take(token: str, code: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        parse(token)
    assert caught.value.code == code


def test_the_key_set_of_rfc_7517_holds_one_key_that_verifies() -> None:
    """A.1: of its two keys the first, though on a good curve, is for encryption."""
    first = {
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "use": "enc",
        "kid": "1",
    }
    keys = key_set([first, {**VECTORS["RFC7515-A.2-RS256"].key, "alg": "RS256", "kid": "2011-04-29"}])
    assert [key.kid for key in keys.keys] == ["2011-04-29"]
    assert parse_key({**first, "use": "sig"}).algorithms == {"ES256"}


def test_a_modulus_with_the_mark_of_broken_chips_is_refused() -> None:
    """CVE-2017-15361: a product of powers of 65537 modulo the small primes."""
    product = 11 * 13 * 17 * 19 * 37 * 53 * 61 * 71 * 73 * 79 * 97 * 103 * 107 * 109 * 127 * 151 * 157
    start = (1 << 2047) // product * product
    modulus = next(n for n in (start + product * i + pow(65537, 7, product) for i in (1, 2)) if n % 2)
    data = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    with pytest.raises(ValueError, match="CVE-2017-15361"):
        parse_key({"kty": "RSA", "e": "AQAB", "n": base64.urlsafe_b64encode(data).rstrip(b"=").decode()})
