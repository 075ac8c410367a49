"""An identity propagation trust as it stands in an identity domain of OCI.

It names the issuer, the clients that may exchange tokens, and rules that map subjects to service users. Fields:
https://docs.oracle.com/en-us/iaas/api/#/en/identity-domains/v1/IdentityPropagationTrust; rules:
https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/json_web_token_exchange.htm
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis.core.errors import UsageError
from aegis.identity.documents import UnclearError, parse_object

_RULE = re.compile(r"""["']?(?P<claim>[A-Za-z0-9_.:/-]+)["']?\s+(?P<operator>eq|co)\s+(?P<value>.+)""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which tokens become which service user."""

    text: str
    claim: str
    operator: str
    """`eq`, where `*` matches any text, or `co`, which looks for a part."""
    value: str

    def matches(self, said: str | None) -> bool:
        """Whether a claim's value satisfies it."""
        if said is None:
            return False
        if self.operator == "co":
            return self.value in said
        parts = (re.escape(part) for part in self.value.split("*"))
        return re.fullmatch(".*".join(parts), said, re.DOTALL) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagationTrust:
    """A trust as it stands in the domain."""

    issuer: str
    active: bool
    kind: str
    clients: tuple[str, ...]
    client_claim: str | None
    client_values: tuple[str, ...]
    impersonates: bool
    rules: tuple[Rule, ...]
    validations: tuple[tuple[str, str], ...]
    """Claims that a token must have with exactly this value."""


def parse_trust(text: str | bytes) -> PropagationTrust:
    """Read a trust in the form of the REST API, or as the CLI prints it. `UsageError` `verify.trust_policy_invalid`."""
    try:
        document = parse_object(text)
    except UnclearError as error:
        raise _unreadable(str(error)) from None
    data = document.get("data", document)
    if not isinstance(data, dict):
        raise _unreadable("its `data` is no object")
    # The API writes impersonationServiceUsers, the CLI impersonation-service-users.
    fields = {name.replace("-", "").replace("_", "").lower(): value for name, value in data.items()}
    if len(fields) != len(data):
        raise _unreadable("it names a field twice")
    if fields.get("impersonationserviceusers") is None and fields.get("allowimpersonation") is True:
        raise _unreadable(
            "it has no impersonationServiceUsers, which the domain leaves out unless they are asked for "
            "(`--attribute-sets all`)"
        )
    return PropagationTrust(
        issuer=_text(fields, "issuer"),
        active=_flag(fields, "active"),
        kind=_text(fields, "type"),
        clients=_texts(fields, "oauthclients"),
        client_claim=_text(fields, "clientclaimname") if fields.get("clientclaimname") is not None else None,
        client_values=_texts(fields, "clientclaimvalues"),
        impersonates=_flag(fields, "allowimpersonation"),
        rules=tuple(_rule(_text(one, "rule")) for one in _objects(fields, "impersonationserviceusers")),
        validations=tuple((_text(one, "name"), _text(one, "value")) for one in _objects(fields, "claimvalidations")),
    )


def _rule(text: str) -> Rule:
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise _unreadable(f"it has the rule {text[:200]!r}, which is not `CLAIM eq VALUE` or `CLAIM co VALUE`")
    value = found["value"].strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return Rule(text, found["claim"], found["operator"], value)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise _unreadable(f"its {name!r} is no text")
    return value


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _unreadable(f"its {name!r} is neither true nor false")
    return value is True


def _texts(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = fields.get(name)
    if values is not None and not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
        raise _unreadable(f"its {name!r} is no list of texts")
    return tuple(values or ())


def _objects(fields: Mapping[str, Any], name: str) -> tuple[dict[str, Any], ...]:
    values = fields.get(name)
    if values is not None and not (isinstance(values, list) and all(isinstance(value, dict) for value in values)):
        raise _unreadable(f"its {name!r} is no list of objects")
    return tuple(values or ())


def _unreadable(problem: str) -> UsageError:
    return UsageError(
        "verify.trust_policy_invalid",
        f"the identity propagation trust cannot be read: {problem[:300]}",
        expected="one JSON object with issuer, active, oauthClients and impersonationServiceUsers",
        remedy="Pass what `oci identity-domains identity-propagation-trust get --attribute-sets all "
        "--identity-propagation-trust-id ID --endpoint DOMAIN` prints.",
    )
