"""The guards of `aegis.identity.tokens`, each as texts of its source and the same without it.

`without(guard)` gives the package with that one guard taken out, under another name. A case that names a guard proves
nothing unless it ends otherwise there.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aegis.identity.tokens

PACKAGE = "aegis.identity.tokens"
FOLDER = Path(aegis.identity.tokens.__file__).parent


@dataclass(frozen=True)
class Guard:
    """One check, and what stands there without it."""

    module: str
    source: str
    without: str
    also: tuple[tuple[str, str], ...] = ()
    """Further texts, where two lines hold the same thing and it is gone only without both."""


GUARDS = {
    "size": Guard("compact", "if len(token) > MAX_TOKEN:", "if False:"),
    "text": Guard("compact", "if not isinstance(token, str):", "if False:"),
    "segments": Guard("compact", "if len(segments) != 3:", "if False:"),
    "alphabet": Guard("text", 'byte if byte in _ALPHABET else ord("!")', "byte"),
    "padding": Guard(
        "text",
        'byte if byte in _ALPHABET else ord("!")',
        "byte",
        (("if text and text[-1] not in _LAST[len(text) % 4]:", "if False:"),),
    ),
    "strict": Guard("text", "strict_mode=True", "strict_mode=False"),
    "tail": Guard("text", "_LAST[len(text) % 4]", "_ALPHABET"),
    "duplicates": Guard("text", "if len(value) != len(pairs):", "if False:"),
    "constants": Guard("text", "parse_constant=_constant", "parse_constant=float"),
    "finite": Guard("text", "if not math.isfinite(value):", "if False:"),
    "long-integer": Guard("text", "if len(text) > _MAX_NUMBER:", "if False:"),
    "long-float": Guard("text", "float(text) if len(text) <= _MAX_NUMBER else math.inf", "float(text)"),
    "depth": Guard("text", "if depth == 0:", "if False:"),
    "recursion": Guard("text", "except RecursionError:", "except ZeroDivisionError:"),
    "utf-8": Guard("text", 'data.decode("utf-8", "strict")', 'data.decode("utf-8", "replace")'),
    "bom": Guard("text", 'data.decode("utf-8", "strict")', 'data.decode("utf-8-sig", "strict")'),
    "surrogates": Guard("text", 'if b"\\\\u" in data and', "if False and"),
    "object": Guard("text", "if not isinstance(value, dict):", "if False:"),
    "whole": Guard("text", "if end != len(text):", "if False:"),
    "control": Guard("text", "strict=True", "strict=False"),
    "parameters": Guard("compact", "if name not in _PARAMETERS:", "if False:"),
    "algorithms": Guard("compact", " or algorithm not in ALGORITHMS:", ":"),
    "algorithm": Guard("compact", "if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:", "if False:"),
    "algorithm-text": Guard("compact", "not isinstance(algorithm, str) or ", ""),
    "names": Guard("compact", "if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:", "if False:"),
    "type": Guard("claims", "if header.typ not in rule.types:", "if False:"),
    "issuer": Guard(
        "validation",
        "self._issuers.get(issuer, (None, None)) if isinstance(issuer, str) else (None, None)",
        "next(iter(self._issuers.values()))",
    ),
    "issuer-text": Guard("validation", " if isinstance(issuer, str) else (None, None)", ""),
    "audience-form": Guard(
        "claims",
        "if not isinstance(named, tuple) or not all(isinstance(name, str) for name in named):",
        "if False:",
    ),
    "audience-ours": Guard("claims", "if not ours:", "if False:"),
    "audience-alone": Guard("claims", "if not rule.audiences.issuperset(named) and not known:", "if False:"),
    "time-form": Guard(
        "claims",
        "if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LAST_SECOND:",
        "if False:",
    ),
    "time-bool": Guard("claims", "if isinstance(value, bool) or ", "if "),
    "lifetime": Guard("claims", "if not 0 < expires - issued <= rule.max_lifetime:", "if False:"),
    "expiry": Guard("claims", "if now >= end:", "if False:"),
    "start": Guard("claims", "if now < start:", "if False:"),
    "subject": Guard(
        "claims",
        "if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():",
        "if False:",
    ),
    "required": Guard("claims", "if claims.get(name) != value:", "if False:"),
    "kid": Guard("keys", "named = self._named.get(header.kid)", "named = self._named.get(header.kid, self.keys)"),
    "jwk-alg": Guard("keys", 'if "alg" in jwk:', "if False:"),
    "fit": Guard("keys", "if header.algorithm in key.algorithms]", "]"),
    "one-key": Guard("keys", "if len(fitting) == 1:", "if fitting:"),
    "use": Guard("keys", 'if jwk.get("use", "sig") != "sig":', "if False:"),
    "key-ops": Guard("keys", 'if not isinstance(operations, tuple | list) or "verify" not in operations:', "if False:"),
    "private": Guard("keys", "if _PRIVATE & set(jwk):", "if False:"),
    "rsa-bits": Guard("keys", "if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS or modulus % 2 == 0:", "if False:"),
    "exponent": Guard("keys", "if not (1 << 16) < exponent < (1 << 31) or exponent % 2 == 0:", "if False:"),
    "minimal": Guard("keys", "if not data or data[0] == 0:", "if False:"),
    "small-order": Guard("keys", "ed25519_points.check(point)", "pass"),
    "signature": Guard("validation", "if not key.holds(", "if False and not key.holds("),
    "signature-size": Guard("keys", " or len(signature) != self.size:", ":"),
}


@cache
def without(guard: str | None) -> Any:
    """The package without this guard; None: the package itself."""
    if guard is None:
        return aegis.identity.tokens
    name = "without_" + guard.replace("-", "_")
    each = GUARDS[guard]
    with TemporaryDirectory() as folder:
        target = Path(folder, name)
        target.mkdir()
        for path in FOLDER.glob("*.py"):
            text = path.read_text(encoding="utf-8")
            if path.stem == each.module:
                for source, instead in ((each.source, each.without), *each.also):
                    assert text.count(source) == 1, f"{guard}: {source!r} stands {text.count(source)} times"
                    text = text.replace(source, instead)
            (target / path.name).write_text(text.replace(PACKAGE, name), encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            importlib.invalidate_caches()
            return importlib.import_module(name)
        finally:
            sys.path.remove(folder)
