"""Where a deployment keeps things: read from the environment once, and from nowhere else.

Who may sign what stands in the policy file, which is reviewed; this is only the place where it runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from aegis.core.errors import UsageError

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One deployment."""

    policy: Path
    """AEGIS_POLICY: the policy file; keys and trust roots are read beside it, and nowhere else."""
    data: Path
    """AEGIS_DATA: private folder of kept models (`models/`), audit log (`audit/`) and embedded database."""
    database_url: str = field(repr=False)
    """DATABASE_URL: `postgresql://…`, or by default SQLite in `data`. May hold a password."""
    audit: Literal["disk", "postgresql"]
    """AEGIS_AUDIT: by default where the database is."""
    audit_key: Path
    """AEGIS_AUDIT_KEY: the log's Ed25519 key (PEM, PKCS 8), made on first use where it is the default."""
    audit_origin: str
    """AEGIS_AUDIT_ORIGIN: the log's name, unique to this deployment."""
    auth: Path | None
    """AEGIS_AUTH: the file of issuers and roles; without it the API refuses every token."""
    cosign_pub_key: str | None
    """COSIGN_PUB_KEY: PEM, base64 of it, or a path beside the policy."""
    handoff: Literal["sealed", "disk"]
    """AEGIS_HANDOFF: give models out in sealed memory, or as open files on disk where they are too large for that."""
    kept_bytes: int
    """AEGIS_KEPT_BYTES: how much of `models/` is kept before the longest unused model goes."""
    service: str
    """AEGIS_SERVICE: this process's name as an actor."""
    alert_webhook: str | None = field(repr=False)
    """AEGIS_ALERT_WEBHOOK: gets a JSON document for each refused model. May hold a secret path."""
    alertmanager: str | None
    """AEGIS_ALERTMANAGER: base address of an Alertmanager."""
    alert_repository: str | None
    """AEGIS_ALERT_REPOSITORY: `owner/name` for an issue, with AEGIS_ALERT_TOKEN."""
    alert_token: str | None = field(repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Those of this process. Raises UsageError `runtime.setting_invalid`."""
        data = Path(environ.get("AEGIS_DATA") or ".aegis").absolute()
        url = environ.get("DATABASE_URL") or f"sqlite:///{data}/aegis.db"
        on_postgres = url.startswith(("postgresql:", "postgres:", "postgresql+psycopg:"))
        return cls(
            policy=Path(environ.get("AEGIS_POLICY") or "aegis.yml").absolute(),
            data=data,
            database_url=url,
            audit=_one_of(environ, "AEGIS_AUDIT", ("postgresql", "disk") if on_postgres else ("disk", "postgresql")),
            audit_key=Path(environ.get("AEGIS_AUDIT_KEY") or data / "audit.key").absolute(),
            audit_origin=environ.get("AEGIS_AUDIT_ORIGIN") or "aegis.local/audit",
            auth=Path(environ["AEGIS_AUTH"]).absolute() if environ.get("AEGIS_AUTH") else None,
            cosign_pub_key=environ.get("COSIGN_PUB_KEY") or None,
            handoff=_one_of(environ, "AEGIS_HANDOFF", ("sealed", "disk")),
            kept_bytes=_size(environ, "AEGIS_KEPT_BYTES", 100 << 30),
            service=environ.get("AEGIS_SERVICE") or "aegis",
            alert_webhook=environ.get("AEGIS_ALERT_WEBHOOK") or None,
            alertmanager=environ.get("AEGIS_ALERTMANAGER") or None,
            alert_repository=environ.get("AEGIS_ALERT_REPOSITORY") or None,
            alert_token=environ.get("AEGIS_ALERT_TOKEN") or None,
        )


def _one_of(environ: Mapping[str, str], name: str, words: tuple[Word, ...]) -> Word:
    """The first is the default."""
    given = environ.get(name) or words[0]
    for word in words:
        if given == word:
            return word
    raise _invalid(name, given, f"one of {', '.join(map(str, words))}")


def _size(environ: Mapping[str, str], name: str, default: int) -> int:
    given = environ.get(name) or str(default)
    if not given.isascii() or not given.isdecimal() or len(given) > 18:
        raise _invalid(name, given, "a number of bytes")
    return int(given)


def _invalid(name: str, given: str, expected: str) -> UsageError:
    return UsageError(
        "runtime.setting_invalid",
        f"{name} is {given[:100]!r}",
        expected=expected,
        remedy=f"correct the variable {name} (docs/runtime.md lists them all)",
    )
