"""What a probe gets of this process's environment, and what of it must not come out again.

Variables whose names look like secrets are left out unless the catalogue names them. The values of all of them, given
or not, are struck out of whatever a probe prints, and may stand in no file of the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit

_SECRET: Final = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|SECRETS|PASSWORD|PASSWD|PASSPHRASE|PASS|CREDENTIAL|CREDENTIALS|KEY|KEYS|PAT|DSN|COOKIE)(?:_|$)"
    r"|KUBECONFIG|DATABASE_URL|PGPASS",
)
_SHORTEST: Final = 4
"""Characters: words hold a shorter value by chance, and where it is struck out, it shows."""
STRUCK_OUT: Final = b"***"


def looks_secret(name: str) -> bool:
    """Whether a variable of this name is taken for a secret."""
    return _SECRET.search(name.upper()) is not None


def given(environ: Mapping[str, str], allowed: Collection[str]) -> dict[str, str]:
    """The environment of a probe; `allowed` are the secrets that it needs."""
    return {name: value for name, value in environ.items() if name in allowed or not looks_secret(name)}


def secrets_of(environ: Mapping[str, str], allowed: Collection[str] = ()) -> tuple[bytes, ...]:
    """Every value that must not come out, the longest first; also the passwords in addresses of other variables."""
    found: set[str] = set()
    for name, value in environ.items():
        if name in allowed or looks_secret(name):
            found |= _forms(value)
        elif "://" in value:
            found |= _forms(_password(value))
    return tuple(sorted((text.encode("utf-8", "surrogateescape") for text in found), key=lambda s: (-len(s), s)))


def masked(output: bytes, secrets: Iterable[bytes]) -> bytes:
    """The output without them. `secrets` the longest first, as one may hold another."""
    for secret in secrets:
        output = output.replace(secret, STRUCK_OUT)
    return output


def _forms(value: str) -> set[str]:
    """A value as it may be printed: as it is, in an address, and each line of several."""
    whole = value.strip()
    texts = {whole, quote(whole, safe=""), *(line.strip() for line in whole.splitlines() if len(line.strip()) >= 16)}
    password = _password(whole) if "://" in whole else ""
    texts |= {password, quote(password, safe="")}
    return {text for text in texts if len(text) >= _SHORTEST and not text.startswith("-----")}


def _password(address: str) -> str:
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""
