"""What each command's token must be allowed to do, as GitHub names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rights:
    """Of a classic token, which tells its scopes, and of a fine-grained one, which does not."""

    scopes: frozenset[str]
    fine_grained: str
    role: str
    """What its owner must be in a repository: `push` or `admin`; empty: one who may read."""

    @property
    def said(self) -> str:
        """For people."""
        return f"classic: {', '.join(sorted(self.scopes))}; fine-grained: {self.fine_grained}"


RIGHTS: Mapping[str, Rights] = MappingProxyType(
    {
        "init": Rights(
            frozenset({"repo", "workflow"}), "Contents, Pull requests and Workflows (write), Metadata (read)", "push"
        ),
        "scan": Rights(frozenset({"repo"}), "Contents and Metadata (read)", ""),
        "protect": Rights(
            frozenset({"repo"}),
            "Administration (write), Contents and Metadata (read); for one ruleset of all, Administration (write) of "
            "the organisation, classic: admin:org",
            "admin",
        ),
        "doctor": Rights(
            frozenset({"repo"}),
            "Administration, Actions, Environments, Contents and Metadata (read); with --no-settings Contents and "
            "Metadata (read)",
            "admin",
        ),
    }
)
"""By command. A classic token has no right to read alone."""
