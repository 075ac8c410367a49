"""A7 in staging: the service refuses forged tokens, its ExternalSecrets are synced, and a write has its actor.

The forged tokens are made of the real one. The fault: the real one stands among them.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.probe import Probe, probing  # noqa: E402 - probes run without being installed
from acceptance.staging.tools import Tools, ask, entries_of, section, staging_of, token_of  # noqa: E402
from aegis.acceptance.staging import Api, Cluster  # noqa: E402

FAULTS = {"valid-among-forged": "the real token stands in the list of forged ones"}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe:
        staging = staging_of(probe)
        api, cluster = section(staging.api, "api"), section(staging.cluster, "cluster")
        token = token_of(api)
        real = ask(api, "GET", "/v1/models", token=token)
        probe.check(
            "real-token-accepted", real.status == 200, f"{real.status} {real.code}".strip(),
            reason=real.code or "probe.token_refused",
        )  # fmt: skip
        tokens: dict[str, str | None] = {**forged(token), "none": None}
        if probe.fault == "valid-among-forged":
            tokens["a token that nobody forged"] = token
        _refused(probe, api, tokens)
        _synced(probe, Tools(probe), cluster)
        _in_whose_name(probe, api, token)


def forged(token: str) -> Mapping[str, str]:
    """By what is wrong with each."""
    header, payload, signature = token.split(".")
    claims, head = _read(payload), _read(header)
    other = _part({**claims, "sub": "mallory"})
    unsigned = _part({**head, "alg": "none"})
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    return {
        "unsigned": f"{unsigned}.{payload}.",
        "unsigned, with the old signature": f"{unsigned}.{payload}.{signature}",
        "signature left out": f"{header}.{payload}.",
        "one character of the signature": f"{header}.{payload}.{flipped}",
        "another subject": f"{header}.{other}.{signature}",
        "another time": f"{header}.{_part({**claims, 'exp': 4102444800})}.{signature}",
        "another audience": f"{header}.{_part({**claims, 'aud': 'other'})}.{signature}",
        "another key": f"{_part({**head, 'kid': 'other'})}.{payload}.{signature}",
        "a key of its own": f"{_part({**head, 'jwk': {'kty': 'oct', 'k': 'AAAA'}})}.{payload}.{signature}",
        "no token": "mallory",
    }


def _refused(probe: Probe, api: Api, tokens: Mapping[str, str | None]) -> None:
    answers = {name: ask(api, "GET", "/v1/models", token=token).status for name, token in tokens.items()}
    let_in = sorted(name for name, status in answers.items() if status != 401)
    probe.facts["tokens"] = answers
    probe.check(
        "forged-tokens-refused",
        not let_in,
        f"not refused with 401: {', '.join(let_in)}" if let_in else f"{len(answers)} of {len(answers)} refused",
        reason="probe.forged_token_accepted",
    )


def _synced(probe: Probe, tools: Tools, cluster: Cluster) -> None:
    """External Secrets says so itself (`Ready`), of each that the configuration names."""
    open_ones = []
    for name in cluster.external_secrets:
        where = ["kubectl", "--context", cluster.context, "-n", cluster.namespace]
        found = tools.json(
            "externalsecret", [*where, "get", f"externalsecrets.external-secrets.io/{name}", "-o", "json"]
        )
        conditions = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}
        if conditions.get("Ready") != "True":
            open_ones.append(name)
    probe.check(
        "external-secrets-synced",
        bool(cluster.external_secrets) and not open_ones,
        f"not ready: {', '.join(open_ones)}" if open_ones else f"{len(cluster.external_secrets)} are ready",
        reason="probe.secret_missing",
    )


def _in_whose_name(probe: Probe, api: Api, token: str) -> None:
    """A write, and whose it is in the audit log: the subject of the token that asked for it."""
    correlation = f"acceptance-{secrets.token_hex(8)}"
    ask(api, "POST", f"/v1/models/{api.verified}/prepare", token=token, correlation=correlation)
    actors = {each["entry"]["actor"].get("subject") for each in entries_of(api, correlation)}
    subject = _read(token.split(".")[1])["sub"]
    probe.check(
        "every-write-has-an-actor",
        actors == {subject},
        f"{len(actors)} actor(s), {'that of the token' if actors == {subject} else 'another than the token has'}",
        reason="probe.write_without_actor",
    )


def _read(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _part(document: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


if __name__ == "__main__":
    main()
