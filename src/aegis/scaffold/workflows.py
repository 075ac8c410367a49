"""The workflows of a repository: which of them its choices ask for, and the values that their templates take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from aegis.scaffold.choices import Choices

CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
UPLOAD = "actions/upload-artifact@330a01c490aca151604b8cf639adc76d48f6c5d4 # v5.0.0"
DOWNLOAD = "actions/download-artifact@018cc2cf5baa6db3ef3c5f8a56943fffe632ef53 # v6.0.0"
_AVOIDED = frozenset({0, 15, 30, 45})
"""Minutes at which everybody's schedules begin, so that GitHub delays or drops runs
(https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule)."""
_LATER = 18
"""Minutes between the schedules of one repository, as the templates add them."""


def chosen(choices: Choices) -> Iterator[str]:
    """The names of the workflows, without `.yml`."""
    if choices.workflows == "one" and {"scan", "verify"} & set(choices.gates):
        yield "aegis"
    if choices.workflows == "each" and "scan" in choices.gates:
        yield "sdk-scan"
    if "verify" in choices.gates:
        if choices.workflows == "each":
            yield from (f"verify-model-signatures-{cloud}-oidc" for cloud in choices.clouds)
        if not choices.keys:
            yield "sign-model"
    if "canary" in choices.gates:
        yield "canary"
    if "backup-check" in choices.gates:
        yield from ("backup-check", "backup")
    if choices.terraform:
        yield "terraform"


def values(choices: Choices, *, minute: int | None = None) -> Mapping[str, Any]:
    """What the templates may use. `minute`: of schedules; none: one of the repository's own."""

    def action(name: str) -> str:
        path = f"{choices.aegis}/actions/{name}" if name else choices.aegis
        return f"{path}@{choices.ref}" + (f" # {choices.version}" if choices.version else "")

    return {
        "choices": choices,
        "branch": choices.branch,
        "environment": choices.environment,
        "drill_environment": choices.drill_environment,
        "deploy_environment": choices.deploy_environment,
        "minute": minute_of(choices.repository or "") if minute is None else minute,
        "checkout": CHECKOUT,
        "upload": UPLOAD,
        "download": DOWNLOAD,
        "scan": action("scan"),
        "verify": action("verify"),
        "canary": action("canary"),
        "backup_check": action("backup-check"),
        "root": action(""),
        "aegis_repository": choices.aegis,
        "aegis_ref": choices.ref + (f" # {choices.version}" if choices.version else ""),
        "credentials": "verify" in choices.gates,
        "evidence": choices.evidence,
    }


def minute_of(repository: str) -> int:
    """A minute that differs from repository to repository, and is none at which everybody begins."""
    fine = [minute for minute in range(1, 60 - _LATER) if not {minute, minute + _LATER} & _AVOIDED]
    return fine[int.from_bytes(hashlib.sha256(repository.encode()).digest()[:4]) % len(fine)]
