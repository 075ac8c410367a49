"""What the refusals of an OCI identity domain mean, and what a person can do about each.

Errors of its token endpoint have the form of RFC 6749 5.2.
"""

from __future__ import annotations

import re

from aegis.adapters.http.call import RETRIED, Answer
from aegis.core.errors import CouldNotDecide
from aegis.identity.claims import Claims
from aegis.identity.oci_trust import explain
from aegis.identity.oci_trust_document import PropagationTrust

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_TOLD = ("iss", "aud", "sub", "repository_id", "ref", "environment")
"""What trusts ask for. None of it is secret: it stands in the workflow's own log."""


def refused_by_domain(answer: Answer, claims: Claims, trust: PropagationTrust | None) -> CouldNotDecide:
    """What an answer other than 200 means for the person who reads it."""
    error = answer.json().get("error")
    word = error if isinstance(error, str) and _WORD.fullmatch(error) else ""
    said = f"the identity domain answered {answer.status} {word}".rstrip() + _description(answer)
    if answer.status in RETRIED:
        return unreachable(said)
    if 300 <= answer.status < 400:
        return _refused(
            said,
            "an answer without a redirect, which would carry the client's secret elsewhere",
            "Set `verify.oci.domain` to the domain's own address, as its details page shows it.",
        )
    if word in {"invalid_client", "unauthorized_client"} or (answer.status == 401 and not word):
        return CouldNotDecide(
            "verify.oci_client_refused",
            said,
            expected="a client id and secret that the domain knows, of an active application with the token exchange",
            remedy="Copy id and secret of the confidential application into the environment's secrets again.",
        )
    if trust is not None:
        differing = [check for check in explain(claims, trust) if not check.holds]
        if differing:
            return _refused(
                "\n  ".join([said, *map(str, differing)]),
                "a token that the domain's identity propagation trust allows",
                differing[0].fix,
            )
    told = ((name, claims.text(name)) for name in _TOLD)
    described = ", ".join(f"{name}={value[:200]!r}" for name, value in told if value is not None)
    return _refused(
        f"{said}\n  the token says: {described}",
        "an active identity propagation trust of the domain that allows this token and names this client",
        "`aegis credentials trust --cloud oci` prints one; `aegis credentials doctor` compares it with the token.",
    )


def unreachable(problem: str) -> CouldNotDecide:
    """No answer, or none that can be used."""
    return CouldNotDecide(
        "verify.oci_unreachable",
        problem,
        expected="a session token from the identity domain",
        remedy="Run it again; check that the runner reaches the address in `verify.oci.domain`.",
    )


def _description(answer: Answer) -> str:
    """The domain's own words, cut short and on one line; secrets were taken out when the answer was read."""
    text = answer.json().get("error_description")
    if not isinstance(text, str):
        return ""
    return ": " + "".join(char if char.isprintable() else " " for char in text)[:200]


def _refused(problem: str, expected: str, remedy: str) -> CouldNotDecide:
    return CouldNotDecide("verify.oci_exchange_refused", problem, expected=expected, remedy=remedy)
