"""Many repositories at once: which of them are meant, what became of each, and what that is together.

A repository that nobody could judge is never well, and never hides the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol


class Repository(Protocol):
    """What is asked about one to know whether it is meant."""

    @property
    def name(self) -> str:
        """Without the organisation."""
        ...

    @property
    def topics(self) -> list[str]:
        """Words that its owner gave it."""
        ...

    @property
    def archived(self) -> bool:
        """Nobody may write to it."""
        ...

    @property
    def disabled(self) -> bool:
        """GitHub has locked it."""
        ...

    @property
    def fork(self) -> bool:
        """It follows another."""
        ...

    @property
    def is_template(self) -> bool:
        """Others are made of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which repositories are meant; empty is all of them."""

    topics: tuple[str, ...] = ()
    """At least one of these."""
    names: tuple[str, ...] = ()
    """Patterns such as `team-*`; at least one must fit."""
    without: tuple[str, ...] = ()
    """Patterns of those that are not meant."""
    forks: bool = False
    templates: bool = False

    def reason_against(self, repository: Repository) -> str | None:
        """Why it is not meant; None where it is."""
        name = repository.name.lower()
        if self.names and not _fits(name, self.names):
            return "its name is not asked for"
        if _fits(name, self.without):
            return "its name is left out"
        if self.topics and not {topic.lower() for topic in self.topics} & {*repository.topics}:
            return "it has none of the topics"
        if repository.archived:
            return "it is archived"
        if repository.disabled:
            return "GitHub has disabled it"
        if repository.fork and not self.forks:
            return "it is a fork"
        if repository.is_template and not self.templates:
            return "it is a template"
        return None


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern.lower()) for pattern in patterns)


class State(StrEnum):
    """What became of a repository."""

    WELL = "well"
    """Nothing to do, nothing found."""
    WOULD_WRITE = "would write"
    """A dry run; something is to do."""
    WRITTEN = "written"
    WAITING = "waiting"
    """Written before; a person has yet to agree."""
    FOUND = "found"
    """Looked at, and something is against it."""
    REFUSED = "refused"
    """Nothing was written, since something stands against it, e.g. a person's word."""
    EXCLUDED = "excluded"
    """Not meant after all: it is empty."""
    ERROR = "error"
    """It could not be said, or not be done."""
    NOT_REACHED = "not reached"
    """The run ended before."""


_AGAINST = frozenset({State.FOUND, State.REFUSED})
_OPEN = frozenset({State.ERROR, State.NOT_REACHED})
FINISHED = frozenset({State.WELL, State.WRITTEN, State.FOUND, State.REFUSED, State.EXCLUDED})
"""What a run that goes on need not do again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one repository."""

    repository: str
    """`owner/name`."""
    state: State
    detail: str
    """For people, in one line."""
    code: str | None = None
    """The reason, where something is against it."""
    commit: str | None = None
    """Of the default branch that was looked at."""
    url: str | None = None
    """Of the pull request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole run."""

    command: str
    organisation: str
    dry_run: bool
    rows: tuple[Row, ...]
    excluded: tuple[tuple[str, str], ...] = ()
    """Repositories that are not meant, and why."""
    unseen: int = 0
    """Repositories that the organisation has and the token does not see."""
    notices: tuple[str, ...] = ()
    difference: tuple[str, ...] = ()
    """Lines of what becomes of the organisation's own settings."""

    @property
    def exit_code(self) -> int:
        """0: all well, written or told; 1: something is against at least one; 3: one is open, or nothing was judged."""
        states = {row.state for row in self.rows} - {State.EXCLUDED}
        if states & _OPEN or self.unseen or not states:
            return 3
        return 1 if states & _AGAINST else 0

    def count(self, state: State) -> int:
        """How many rows."""
        return sum(row.state is state for row in self.rows)


def table(report: Report) -> Iterator[Sequence[str]]:
    """A line a repository, the open ones first, and then what is against one."""
    order = [State.ERROR, State.NOT_REACHED, State.FOUND, State.REFUSED, State.WOULD_WRITE]
    order += [State.WRITTEN, State.WAITING, State.WELL, State.EXCLUDED]
    rank = {state: number for number, state in enumerate(order)}
    for row in sorted(report.rows, key=lambda row: (rank[row.state], row.repository.lower())):
        words = [row.detail, *([f"({row.code})"] if row.code else []), *([row.url] if row.url else [])]
        yield row.repository, row.state.value, " ".join(words)
