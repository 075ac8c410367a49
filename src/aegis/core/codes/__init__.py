"""The registry of reason codes: `<gate>.<cause>`, stable, one meaning each.

A code is a finding's rule, the `ruleId` in SARIF, the reason of a verdict and the `code` of an `AegisError`.
`docs/reasons.md` is generated from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis.core.codes import (
    acceptance,
    audit,
    backup_check,
    canary,
    evidence,
    fleet,
    render,
    report,
    runtime,
    scaffold,
    scan,
    shared,
    token,
    verify,
)
from aegis.core.codes.code import Code

__all__ = ["CODES", "Code"]

CODES: Mapping[str, Code] = MappingProxyType(
    {
        code.id: code
        for table in (
            shared,
            scan,
            verify,
            canary,
            backup_check,
            runtime,
            audit,
            token,
            scaffold,
            render,
            report,
            evidence,
            acceptance,
            fleet,
        )
        for code in table.TABLE
    }
)
"""Every code by its id, a chapter a gate."""
