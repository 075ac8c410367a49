"""What looks like a token or a secret never reaches the log: an entry can't be taken back."""

from __future__ import annotations

import re

_CREDENTIALS = r"""
    (?P<key>-----BEGIN[ A-Z0-9]*PRIVATE[ ]KEY(?:.|\n)*)
    |(?P<jwt>(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)*)
    |(?P<aws>(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9]))
    |(?P<github>(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}))
"""
"""What is a credential wherever it stands."""
_IN_NAMES = re.compile(_CREDENTIALS, re.VERBOSE)
_SHAPES = re.compile(
    _CREDENTIALS
    + r"""
    |(?P<bearer>\b(?i:bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{8,})
    |(?P<secret>(?i:secret|passw(?:or)?d|token|signature|(?:api|access)[_-]?key)["']?\s*[=:]\s*["']?[^\s"'&,;]{6,}["']?)
    |(?P<userinfo>(?<=://)[^\s/@:]*:[^\s/@]+(?=@))
    """,
    re.VERBOSE,
)
_HINTS = (
    "eyj", "private key", "bearer", "basic", "dpop", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
    "github_pat_", "secret", "passw", "token", "signature", "key", "@",
)  # fmt: skip
"""One of these is in each text that `_SHAPES` finds something in: looking for them is much cheaper."""
_AWS_SECRET = re.compile(
    r"(?<![A-Za-z0-9/+=_.:@-])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*[0-9])"
    r"[A-Za-z0-9+][A-Za-z0-9/+]{39}(?![A-Za-z0-9/+=_@-]|\.[A-Za-z0-9])"
)
_AWS_SECRET_LENGTH = 40
_NAMES = re.compile(
    r"(?:^|[._-])(?:authorization|cookie|passw(?:or)?d|secret|token|jwt|credential|api[_-]?key|private[_-]?key"
    r"|access[_-]?key(?:[_-]id)?)s?$",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with `[redacted: <shape>]` where a token, a private key or a password stood.

    Shapes: JSON Web Tokens, `Bearer …`, PEM private keys, keys of AWS (also the 40 characters of a secret one), tokens
    of GitHub, `password=…`, passwords in URLs. What has no shape cannot be seen here: do not pass it.
    """
    lower = text.lower()
    if any(hint in lower for hint in _HINTS):
        text = _SHAPES.sub(_redacted, text)
    return _AWS_SECRET.sub("[redacted: aws]", text) if len(text) >= _AWS_SECRET_LENGTH else text


def redact_name(name: str) -> str:
    """As `redact`, of a name that a valid token gave: `repo:org/my-token:ref:…` and `secret:production` are names."""
    return _IN_NAMES.sub(_redacted, name)


def _redacted(match: re.Match[str]) -> str:
    return f"[redacted: {match.lastgroup}]"


def is_secret_name(name: str) -> bool:
    """Whether what bears this name is a secret by its name alone."""
    return _NAMES.search(name) is not None
