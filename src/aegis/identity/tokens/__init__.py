"""OIDC tokens: a text comes in, what it proves comes out, or one exception with a reason.

`Validator` judges by an `IssuerRule` and the keys of a `KeySource` for each issuer; `JwksClient` is the source that
asks the issuer, by a fetch that its caller brings. Nothing here opens a connection or a file.
"""

from aegis.identity.tokens.claims import IssuerRule
from aegis.identity.tokens.jwks import Fetched, JwksClient, KeysAt, KeySource
from aegis.identity.tokens.keys import KeySet, key_set, parse_keys
from aegis.identity.tokens.refusal import TokenRefused
from aegis.identity.tokens.validation import Validator, ValidToken

__all__ = [
    "Fetched",
    "IssuerRule",
    "JwksClient",
    "KeySet",
    "KeySource",
    "KeysAt",
    "TokenRefused",
    "ValidToken",
    "Validator",
    "key_set",
    "parse_keys",
]
