"""Keyless signing from the command line: this workflow's own OIDC token, and a Sigstore's services."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from aegis.adapters import sigstore_signing
from aegis.adapters.github.oidc import Minter, minter_of
from aegis.cli.files import read_file
from aegis.cli.masking import masker
from aegis.cli.surroundings import read_event


def signer(trust_config: Path | None) -> Callable[[bytes], bytes]:
    """Signs the bytes of small files, each with a new token; that there can be one is known at once."""
    services, minter = _read(trust_config), _minter()

    def sign(content: bytes) -> bytes:
        token = minter.mint(sigstore_signing.AUDIENCE)
        return sigstore_signing.sign_digest(hashlib.sha256(content).digest(), token=token, trust_config=services)

    return sign


def sign_digest(digest: bytes, trust_config: Path | None) -> bytes:
    """A bundle over the file that has this SHA-256."""
    return sigstore_signing.sign_digest(digest, token=_token(), trust_config=_read(trust_config))


def sign_statement(payload: bytes, trust_config: Path | None) -> bytes:
    """A bundle around an in-toto statement."""
    return sigstore_signing.sign_statement(payload, token=_token(), trust_config=_read(trust_config))


def _token() -> str:
    """For this one signature."""
    return _minter().mint(sigstore_signing.AUDIENCE)


def _minter() -> Minter:
    """Outside a workflow there is none, and the error says so."""
    return minter_of(os.environ, read_event(os.environ).payload, mask=masker(os.environ))


def _read(trust_config: Path | None) -> bytes | None:
    return read_file(trust_config) if trust_config is not None else None
