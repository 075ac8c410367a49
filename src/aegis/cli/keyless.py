"""Keyless signing from the command line: this workflow's own OIDC token, and a Sigstore's services."""

from __future__ import annotations

import os
from pathlib import Path

from aegis.adapters import sigstore_signing
from aegis.adapters.github_oidc import minter_of
from aegis.cli.files import read_file
from aegis.cli.masking import masker
from aegis.cli.surroundings import read_event


def sign_digest(digest: bytes, trust_config: Path | None) -> bytes:
    """A bundle over the file that has this SHA-256."""
    return sigstore_signing.sign_digest(digest, token=_token(), trust_config=_read(trust_config))


def sign_statement(payload: bytes, trust_config: Path | None) -> bytes:
    """A bundle around an in-toto statement."""
    return sigstore_signing.sign_statement(payload, token=_token(), trust_config=_read(trust_config))


def _token() -> str:
    """For this one signature; outside a workflow there is none, and the error says so."""
    minter = minter_of(os.environ, read_event(os.environ).payload, mask=masker(os.environ))
    return minter.mint(sigstore_signing.AUDIENCE)


def _read(trust_config: Path | None) -> bytes | None:
    return read_file(trust_config) if trust_config is not None else None
