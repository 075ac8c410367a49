"""What was found of past verdicts: those that could be read, and everything that could not, by name."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.verdict import Verdict
from aegis.signatures.verdict_document import read_verdict

NAME = "verdict.json"
"""The one name that is looked for; every gate writes it."""
_CLOCKS_DIFFER = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Past:
    """One verdict that was read."""

    verdict: Verdict
    finished: datetime.datetime
    sha256: str
    """Of its bytes, hex."""
    place: str
    """Where it was found, for people."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that should have been a verdict, or might have held one."""

    place: str
    code: str
    problem: str


@dataclass(slots=True)
class Collected:
    """Filled by whoever finds something; `history` makes facts of it."""

    now: datetime.datetime
    since: datetime.datetime | None = None
    """Verdicts that ended before are counted, and left out."""
    pasts: list[Past] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a reader should know and nobody did wrong, e.g. artifacts that have expired."""
    older: int = 0
    twice: int = 0
    """Copies of a verdict that is there already."""
    _seen: set[str] = field(default_factory=set)

    def take(
        self, place: str, content: Callable[[], bytes], fits: Callable[[Verdict], str | None] | None = None
    ) -> None:
        """Read one file. Whatever is wrong with it, or with having it, is kept as `Unread`.

        `fits`: why a verdict does not belong where it was found, if it does not.
        """
        try:
            data = content()
            verdict = read_verdict(data, place)
            finished = _moment(verdict.finished)
            problem = fits(verdict) if fits is not None else None
            if problem is not None or finished > self.now + _CLOCKS_DIFFER:
                raise _unfit(problem or f"it ended at {verdict.finished}, which is in the future")
        except AegisError as error:
            self.refuse(place, error)
            return
        digest = hashlib.sha256(data).hexdigest()
        if digest in self._seen:
            self.twice += 1
            return
        self._seen.add(digest)
        if self.since is not None and finished < self.since:
            self.older += 1
            return
        self.pasts.append(Past(verdict, finished, digest, place))

    def refuse(self, place: str, error: AegisError) -> None:
        """Keep what could not be read."""
        self.unread.append(Unread(place, error.code, error.problem))

    @property
    def complete(self) -> bool:
        """Whether everything that was found was read."""
        return not self.unread

    def newest_first(self) -> Iterator[Past]:
        """The verdicts, of equal times in the order of their digests."""
        yield from sorted(self.pasts, key=lambda past: (past.finished, past.sha256), reverse=True)


def _moment(text: str) -> datetime.datetime:
    """RFC 3339 in UTC, as the schema has it."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _unfit(f"it ended at {text[:60]!r}, which is no time")
    return moment


def _unfit(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "report.verdict_unfit",
        problem,
        expected="a verdict of the run that it was found with, and of the past",
        remedy="Look who put it there; nothing of it counts.",
    )
