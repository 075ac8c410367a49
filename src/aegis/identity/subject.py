"""GitHub's `sub` claim, in both of its forms.

`repo:OWNER/REPO:CONTEXT`, and since 2026 the immutable `repo:OWNER@OWNERID/REPO@REPOID:CONTEXT`, which repositories
made, renamed or moved since 2026-07-15 get, and which others can choose
(https://docs.github.com/actions/reference/security/oidc). One organisation has both at once, and a rename changes the
form: a trust policy that knows only one of them breaks on that day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SUBJECT = re.compile(r"repo:([^@/:]+)(?:@([0-9]+))?/([^@:/]+)(?:@([0-9]+))?:(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Subject:
    """A parsed `sub`."""

    owner: str
    repository: str
    """Its name without the owner."""
    context: str
    """What follows: `ref:refs/heads/main`, `pull_request`, `environment:NAME`, or what was customised."""
    owner_id: str | None = None
    repository_id: str | None = None

    @property
    def immutable(self) -> bool:
        """Whether it carries the ids, which a renamed repository keeps and a recycled name has not."""
        return self.owner_id is not None

    def __str__(self) -> str:
        """As it stands in the token."""
        owner = f"{self.owner}@{self.owner_id}" if self.owner_id else self.owner
        repository = f"{self.repository}@{self.repository_id}" if self.repository_id else self.repository
        return f"repo:{owner}/{repository}:{self.context}"


def parse_subject(text: str) -> Subject | None:
    """The parts of a `sub`, or of a pattern for it; None where it has neither form (a customised template)."""
    found = _SUBJECT.fullmatch(text)
    if found is None or (found[2] is None) != (found[4] is None):
        return None
    return Subject(found[1], found[3], found[5], found[2], found[4])


def both_forms(owner: str, repository: str, owner_id: str, repository_id: str, context: str) -> tuple[str, str]:
    """The `sub` of one repository and context by name, and with ids."""
    return (
        str(Subject(owner, repository, context)),
        str(Subject(owner, repository, context, owner_id, repository_id)),
    )


def context_of(ref: str | None, environment: str | None) -> str:
    """What GitHub puts after the repository: the environment where the job names one, else the event's ref.

    `ref` None, or one of a pull request: `pull_request`.
    """
    if environment is not None:
        # GitHub writes a colon inside an environment's name as %3A, so that it cannot pass for another context.
        return f"environment:{environment.replace(':', '%3A')}"
    if ref is None or ref.startswith("refs/pull/"):
        return "pull_request"
    return f"ref:{ref}"
