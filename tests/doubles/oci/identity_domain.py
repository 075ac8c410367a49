"""An identity domain of OCI, as strict as its documentation says about the token exchange.

https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/json_web_token_exchange.htm. Rules are judged by code
of its own, apart from the product's.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.doubles.github_oidc import signing_key
from tests.doubles.oci.serving import Answer, Fault, Request, json_answer

CLIENT_ID = "4f0c1d2e3b5a49788c6d7e8f90a1b2c3"
CLIENT_SECRET = "idcscs-" + "9Zk4" * 8
_PARAMETERS = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "requested_token_type": "urn:oci:token-type:oci-upst",
    "subject_token_type": "jwt",
}


class _RefusedError(Exception):
    """`error` and `error_description` of the answer."""


@dataclass
class IdentityDomain:
    """The domain: its script before, what it saw afterwards."""

    jwks: Callable[[str], Mapping[str, Any]]
    """The keys behind a `publicKeyEndpoint`."""
    trusts: list[dict[str, Any]] = field(default_factory=list)
    """As they are posted to `/admin/v1/IdentityPropagationTrusts`."""
    clients: dict[str, str] = field(default_factory=lambda: {CLIENT_ID: CLIENT_SECRET})
    users: dict[str, str] = field(default_factory=dict)
    """Id and name of each service user."""
    lifetime: int = 3600
    """Seconds of a session."""
    now: Callable[[], float] = time.time
    session_changes: dict[str, Any] = field(default_factory=dict)
    """Claims of the session token that are not what they should be; None takes one out."""
    give: Any = None
    """This instead of the session token."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, request: Request) -> Answer:
        if request.line != "POST /oauth2/v1/token":
            return Answer(404)
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _error(400, "invalid_request", "The content type is not supported.")
        client = self._client(request.headers.get("authorization", ""))
        if client is None:
            return _error(401, "invalid_client", "Client authentication failed.")
        try:
            token = self._exchange(client, dict(_unique(request.body)))
        except _RefusedError as refused:
            return _error(400, *refused.args)
        if self.give is not None:
            return json_answer(200, {"token": self.give})
        self.given.append(token)
        return json_answer(200, {"token": token})

    def _client(self, authorization: str) -> str | None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return name if scheme == "Basic" and colon and secret and self.clients.get(name) == secret else None

    def _exchange(self, client: str, form: dict[str, str]) -> str:
        if set(form) != {*_PARAMETERS, "subject_token", "public_key"}:
            raise _RefusedError("invalid_request", "A parameter is missing or not known.")
        for name, value in _PARAMETERS.items():
            if form[name] != value:
                raise _RefusedError("invalid_request", f"The value of {name} is not supported.")
        key = _rsa_key(form["public_key"])
        claimed = jwt.decode(form["subject_token"], options={"verify_signature": False})
        trusts = [trust for trust in self.trusts if trust["issuer"] == claimed.get("iss") and trust.get("active")]
        if len(trusts) != 1:
            raise _RefusedError("invalid_grant", "No active identity propagation trust for the issuer.")
        claims = self._verified(form["subject_token"], trusts[0])
        if client not in trusts[0].get("oauthClients", []):
            raise _RefusedError("unauthorized_client", "The client is not allowed to use this trust.")
        return self._session(self._user(claims, trusts[0]), claims, key)

    def _verified(self, token: str, trust: Mapping[str, Any]) -> dict[str, Any]:
        """The claims, if the issuer signed them and the trust's conditions but for the rules hold."""
        header = jwt.get_unverified_header(token)
        keys = [one for one in self.jwks(trust["publicKeyEndpoint"])["keys"] if one["kid"] == header.get("kid")]
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(keys[0]).key if keys else "",
                algorithms=["RS256"],
                options={"require": ["exp", "iat", "iss", "sub"], "verify_aud": False},
            )
        except jwt.InvalidTokenError as error:
            raise _RefusedError("invalid_grant", f"The subject token is not valid: {error}") from error
        if trust.get("clientClaimName") and claims.get(trust["clientClaimName"]) not in trust["clientClaimValues"]:
            raise _RefusedError("invalid_grant", "The client claim of the token is not one of the trust.")
        for one in trust.get("claimValidations", []):
            if claims.get(one["name"]) != one["value"]:
                raise _RefusedError("invalid_grant", f"The claim {one['name']} is not the one of the trust.")
        return claims

    def _user(self, claims: Mapping[str, Any], trust: Mapping[str, Any]) -> str:
        """The service user of the first rule that matches."""
        if trust.get("allowImpersonation") is not True:
            raise _RefusedError("invalid_grant", "No user with this name.")
        for one in trust["impersonationServiceUsers"]:
            claim, operator, value = one["rule"].split(" ", 2)
            said = claims.get(claim.strip('"'))
            if isinstance(said, str) and (value in said if operator == "co" else _like(value, said)):
                if one["value"] not in self.users:
                    raise _RefusedError("invalid_grant", "The service user does not exist.")
                return str(one["value"])
        raise _RefusedError("invalid_grant", "No impersonation rule matched.")

    def _session(self, user: str, claims: Mapping[str, Any], key: rsa.RSAPublicKey) -> str:
        now = int(self.now())
        jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key)), "kid": "asw", "alg": "RS256", "use": "sig"}
        session = {
            "iss": "authService.oracle.com",
            "sub": user,
            "ttype": "login",
            "source_authn_prin": claims["sub"],
            "jwk": json.dumps(jwk),
            "iat": now,
            "exp": now + self.lifetime,
            **self.session_changes,
        }
        session = {name: value for name, value in session.items() if value is not None}
        return jwt.encode(session, signing_key("oci"), "RS256", headers={"kid": "asw_1"})

    def principal(self, token: str) -> tuple[str, rsa.RSAPublicKey] | None:
        """Whose session this is, and the key that signs its requests; None where the token is none or is over."""
        try:
            # The times are judged by the clock of the play.
            key = signing_key("oci").public_key()
            claims = jwt.decode(token, key, ["RS256"], options={"verify_exp": False, "verify_iat": False})
            bound = jwt.PyJWK(json.loads(claims["jwk"])).key
        except (jwt.InvalidTokenError, jwt.PyJWTError, KeyError, ValueError):
            return None
        return (claims["sub"], bound) if claims["exp"] > self.now() else None


def _unique(body: bytes) -> list[tuple[str, str]]:
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs), "a parameter stands twice"
    return pairs


def _rsa_key(text: str) -> rsa.RSAPublicKey:
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _RefusedError("invalid_request", "The public key cannot be read.") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise _RefusedError("invalid_request", "The public key is no RSA key of 2048 bits.")
    return key


def _like(pattern: str, text: str) -> bool:
    """`*` stands for any text: matched by walking, so that a mistake elsewhere is not repeated here."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    text = text[len(first) :]
    for part in filter(None, rest[:-1]):
        _, found, text = text.partition(part)
        if not found:
            return False
    return text.endswith(rest[-1])


def _error(status: int, error: str, description: str) -> Answer:
    return json_answer(status, {"error": error, "error_description": description})
