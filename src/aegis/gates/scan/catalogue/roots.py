"""Root tokens: the few words one of which stands in every literal, so that `git grep` can find candidates.

A root stands at the start of a word of its literal, so a prefilter may demand that no letter or digit stands before it
(`oci` is in `oci-go-sdk`, not in `association`). It lies within one segment, because languages spell the joints between
segments in many ways (`from google import cloud`, in parentheses, over several lines).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import product

from aegis.gates.scan.catalogue.names import normalise
from aegis.gates.scan.model import Surface

UNFILTERED: frozenset[Surface] = frozenset({"command", "scheme"})
"""Surfaces without roots: command lines have their own, and a scheme counts only beside another hit."""

_WORD = re.compile(r"[A-Za-z0-9]+")
_WEAK = frozenset(
    {
        "com",
        "io",
        "org",
        "dev",
        "github",
        "software",
        "aws",
        "go",
        "cloud",
        "sdk",
        "api",
        "client",
        "blob",
        "hashicorp",
        "public",
        "ecr",
        "actions",
        "gcr",
        "ghcr",
        "mcr",
        "airflow",
        "providers",
        "python",
        "apache",
        "microsoft",
        "amazon",
        "smart",
        "open",
        "cli",
        "crypto",
        "sam",
        "oracle",
    }
)
"""Words too common in any repository to find candidates by, unless a literal has nothing better."""


def candidates(surface: Surface, literal: str) -> list[str]:
    """The tokens that may stand for a literal: its strong words, else its strong segments, else its last segment."""
    name = normalise(surface, literal.removesuffix("*")).rstrip("-_")
    segments = [name] if surface == "terraform" else re.split(r"[./:@ ]+", name.strip("@"))
    strong = [word for segment in segments for word in _WORD.findall(segment) if word.lower() not in _WEAK]
    return strong or [segment for segment in segments if segment.lower() not in _WEAK] or segments[-1:]


def covers(root: str, text: str) -> bool:
    """Whether the root stands in the text with no letter or digit before it."""
    return re.search(f"(?<![A-Za-z0-9]){re.escape(root)}", text) is not None


def surface_roots(surface: Surface, literals: Iterable[str]) -> list[str]:
    """A small set of tokens that covers these literals of one surface: the one that covers most first."""
    names = {literal: normalise(surface, literal.removesuffix("*")) for literal in literals}
    tokens = {literal: candidates(surface, literal) for literal in names}
    open_, chosen = set(names), set[str]()
    reach = {
        token: {each for each in names if covers(token, names[each])}
        for token in {token for found in tokens.values() for token in found}
    }
    while open_:
        best = max(reach, key=lambda token: (len(reach[token] & open_), len(token), token))
        chosen.add(best)
        open_ -= reach[best]
    return _without_covered(spelling for token in chosen for spelling in _spellings(surface, token))


def union(roots: Mapping[Surface, Collection[str]]) -> list[str]:
    """The roots of all surfaces that files are searched for, without those that another one covers."""
    return _without_covered(root for surface, found in roots.items() if surface not in UNFILTERED for root in found)


def _spellings(surface: Surface, token: str) -> list[str]:
    """PEP 503 lets a distribution's name be joined by any of three characters."""
    if surface != "pypi":
        return [token]
    return ["".join(parts) for parts in product(*(("-", "_", ".") if each == "-" else (each,) for each in token))]


def _without_covered(tokens: Iterable[str]) -> list[str]:
    found = set(tokens)
    return sorted(token for token in found if not any(covers(other, token) for other in found - {token}))


def command_roots(literals: Iterable[str]) -> list[str]:
    """The first words of the command lines."""
    return sorted({literal.partition(" ")[0] for literal in literals})
