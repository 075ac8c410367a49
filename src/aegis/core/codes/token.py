"""Reasons of the validation of OIDC tokens."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = ()
