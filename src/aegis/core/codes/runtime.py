"""Reasons of the runtime: loading models, and its API."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "runtime.setting_invalid",
        "Setting not understood",
        "A setting that means something else than its author believes would run another deployment.",
        "Correct the environment variable; docs/runtime.md lists them all.",
    ),
)
