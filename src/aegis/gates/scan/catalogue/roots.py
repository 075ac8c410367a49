"""Root tokens: the few words one of which stands in every literal, so that `git grep` can find candidates.

A root is in lower case and to be searched for in any case: some surfaces ignore it. It stands at the start of a word of
its literal, so a prefilter may demand that no letter or digit stands before it (`oci` is in `oci-go-sdk`, not in
`association`). It lies within one segment, because languages spell the joints between
segments in many ways (`from google import cloud`, in parentheses, over several lines).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from aegis.gates.scan.catalogue.names import normalise
from aegis.gates.scan.model import Surface

UNFILTERED: frozenset[Surface] = frozenset({"command", "scheme"})
"""Surfaces without roots: command lines have their own, and a scheme counts only beside another hit."""

STEMS = (
    "adal", "aioboto", "amazon", "applicationinsights", "aws", "azure", "bedrock", "bigquery", "bmc", "boto",
    "dynamo", "firebase", "gcloud", "gcp", "gcs", "gocloud", "google", "msal", "oci", "oracle", "s3",
    "sagemaker", "smithy", "sqs", "textract", "vertex", "windowsazure",
)  # fmt: skip
"""Words that stand for many literals and for little else; a literal without one is found by its longest segment."""

_JOINTS = re.compile(r"[./:@ ]+")
_DISTRIBUTION_JOINTS = ("-", "_", ".")


def roots(literals: Mapping[Surface, Collection[str]]) -> list[str]:
    """A small set of tokens that covers the literals of all surfaces that files are searched for."""
    found: set[str] = set()
    for surface, names in literals.items():
        if surface not in UNFILTERED:
            found |= _roots_of(surface, names)
    return sorted(_needed(found, sorted(found)))


def command_roots(literals: Iterable[str]) -> list[str]:
    """The words to find command lines by: the first, or the module in `python -m module`."""
    return sorted({re.sub(r"^python3? -m ", "", literal).partition(" ")[0] for literal in literals})


def _roots_of(surface: Surface, literals: Iterable[str]) -> set[str]:
    names = sorted({normalise(surface, literal.removesuffix("*")).lower() for literal in literals})
    chosen = _needed({_token(name) for name in names}, names)
    return {spelling for token in chosen for spelling in _spellings(surface, token)}


def _covers(root: str, text: str) -> bool:
    """Whether the root stands in the text with no letter or digit before it."""
    return re.search(f"(?<![a-z0-9]){re.escape(root)}", text) is not None


def _token(name: str) -> str:
    """The word that finds this name: a stem, else its longest segment."""
    stem = next((stem for stem in STEMS if _covers(stem, name)), None)
    return stem or max(_JOINTS.split(name), key=len)


def _needed(tokens: set[str], names: Collection[str]) -> set[str]:
    """The tokens without those that are not needed to cover the names, the most particular given up first."""
    kept = set(tokens)
    for token in sorted(tokens, key=lambda each: (-len(each), each)):
        rest = kept - {token}
        if all(any(_covers(other, name) for other in rest) for name in names if _covers(token, name)):
            kept = rest
    return kept


def _spellings(surface: Surface, token: str) -> list[str]:
    """A distribution's name may be joined by any of three characters (PEP 503)."""
    joints = _DISTRIBUTION_JOINTS if surface == "pypi" and "-" in token else ("-",)
    return [token.replace("-", joint) for joint in joints]
