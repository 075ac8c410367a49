"""What a watch read from its store, as a file: to be judged again, by the same policy or another one.

JSON lines, each written the moment it is known, so that a watch that is killed leaves what it saw until then:

    {"schema": …, "namespace": …, "name": …, "canary": …, "stable": …}    whose it is; stable null: a first version
    {"weight": 0.2}                 the canary's share of traffic by configuration from here on; null: not told
    {"now": 1700000000.0}           a look begins, by the store's clock
    {"query": …, "new": [[0, {labels}, [[time, "value"], …]], [1, null, …], …]}
    {"failed": "why"}               the store did not answer any more at this look

`new` holds the samples that the look before did not have, of series by number; a series has its labels where it is seen
first. So every look of a replay sees the samples that the watch saw then, and none that came later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.policy import CanaryPolicy
from aegis.core.ports.metrics import Metrics, Series
from aegis.core.typed import convert
from aegis.gates.canary.planned import plan_of
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.watching import Looked, Watched, look
from aegis.signatures import strict_json

SCHEMA: Final = "aegis-canary-recording/v1"
MAX_BYTES: Final = 256 << 20
"""Of a recording: an hour of 1,000 series, scraped every ten seconds, is about 10 MB."""
_Samples = list[tuple[float, str]]


class Recorder:
    """A store that notes what it is asked and what it answers (`aegis.core.ports.metrics.Metrics`)."""

    def __init__(
        self, metrics: Metrics, write: Callable[[str], object], scope: tuple[str, str, str, str | None]
    ) -> None:
        """`write` takes each line. `scope`: namespace, rollout, and the hashes of canary and stable."""
        self._metrics, self._write = metrics, write
        self._numbers: dict[tuple[str, str], int] = {}
        self._before: dict[tuple[str, str], frozenset[tuple[float, float]]] = {}
        self._asked: set[str] = set()
        namespace, name, canary, stable = scope
        self._line({"schema": SCHEMA, "namespace": namespace, "name": name, "canary": canary, "stable": stable})

    def weight(self, share: float | None) -> None:
        """The canary's share of traffic from now on, 0 to 1."""
        self._line({"weight": share})

    def now(self) -> float:
        """A look begins."""
        now = self._metrics.now()
        self._line({"now": now})
        return now

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        """As the store says, noted."""
        try:
            found = self._metrics.samples(selector, window, at)
        except CouldNotDecide as error:
            self._line({"failed": error.problem})
            raise
        new = [noted for series in found if (noted := self._new(selector, series)) is not None]
        if new or selector not in self._asked:
            self._asked.add(selector)
            self._line({"query": selector, "new": new})
        return found

    def _new(self, selector: str, series: Series) -> list[object] | None:
        """The series' number, its labels if it had none yet, and what it did not have at the look before."""
        key = selector, json.dumps(dict(series.labels), sort_keys=True)
        before = self._before.get(key, frozenset())
        self._before[key] = frozenset(series.samples)
        new = [[time, repr(value)] for time, value in series.samples if (time, value) not in before]
        if not new:
            return None
        known = key in self._numbers
        number = self._numbers.setdefault(key, len(self._numbers))
        return [number, None if known else dict(series.labels), new]

    def _line(self, document: object) -> None:
        self._write(json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False) + "\n")


class _Head(Struct, frozen=True, forbid_unknown_fields=True):
    schema: Literal["aegis-canary-recording/v1"]
    namespace: str
    name: str
    canary: str
    stable: str | None


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the others."""

    now: Annotated[float, Meta(gt=0, le=1e12)] | None = None
    query: str | None = None
    new: list[tuple[int, dict[str, str] | None, _Samples]] = []
    weight: Annotated[float, Meta(ge=0, le=1)] | None = None
    failed: str | None = None

    @property
    def of_a_look(self) -> bool:
        """Whether it tells what a look was answered."""
        return self.query is not None or self.failed is not None


@dataclass(slots=True)
class Recording:
    """A recording, played look by look (`aegis.core.ports.metrics.Metrics`)."""

    namespace: str
    name: str
    canary: str
    stable: str | None
    lines: Sequence[_Line] = field(repr=False)
    weight: float | None = None
    """The canary's share of traffic at the present look."""
    _next: int = 0
    _now: float = 0.0
    _failed: str | None = None
    _series: dict[int, tuple[dict[str, str], dict[float, float]]] = field(default_factory=dict, repr=False)
    _by_query: dict[str, list[int]] = field(default_factory=dict, repr=False)

    @property
    def rollout(self) -> str:
        """Whose the evidence is, as a watch calls it."""
        over = "no stable version" if self.stable is None else self.stable
        return f"{self.namespace}/{self.name}: {self.canary} over {over}"

    def advance(self) -> bool:
        """Go on to the next look; False after the last one."""
        while self._next < len(self.lines) and self.lines[self._next].now is None:
            self.weight = self.lines[self._next].weight
            self._next += 1
        if self._next == len(self.lines):
            return False
        self._now = self.lines[self._next].now or 0.0
        self._next += 1
        self._failed = None
        while self._next < len(self.lines) and (line := self.lines[self._next]).of_a_look:
            self._failed = line.failed
            if line.query is not None:
                self._take(line.query, line.new)
            self._next += 1
        return True

    def _take(self, query: str, new: Sequence[tuple[int, dict[str, str] | None, _Samples]]) -> None:
        known = self._by_query.setdefault(query, [])
        for number, labels, samples in new:
            if labels is not None:
                known.append(number)
                self._series[number] = labels, {}
            if number not in known:
                raise _invalid(f"the series {number} of {query[:200]!r} has no labels")
            self._series[number][1].update({time: _number(value) for time, value in samples})

    def now(self) -> float:
        """The time of the present look."""
        return self._now

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        """What the watch had seen by then."""
        if self._failed is not None:
            raise CouldNotDecide(
                "canary.prometheus_unavailable",
                f"the watch had no answer either at this look: {self._failed}",
                expected="the store's answers",
                remedy="Nothing: it goes on as the watch did.",
            )
        if selector not in self._by_query:
            raise UsageError(
                "canary.recording_other",
                f"the recording has no answer to {selector[:300]!r}",
                expected="a recording of a watch by the same metrics",
                remedy="replay it by the policy that it was made with; alpha, beta, margins and times may differ",
            )
        found = []
        for number in self._by_query[selector]:
            labels, samples = self._series[number]
            inside = tuple((time, samples[time]) for time in sorted(samples) if at - window <= time <= at)
            if inside:
                found.append(Series(labels, inside))
        return tuple(found)


def parse(data: bytes) -> Recording:
    """The recording in a file. Raises UsageError `canary.recording_invalid`."""
    if len(data) > MAX_BYTES:
        raise _invalid(f"it has {len(data)} bytes, more than {MAX_BYTES}")
    first, *rest = data.split(b"\n") if data else [b""]
    # a watch that was killed may have written half of its last line
    whole = rest[:-1]
    head = _typed(first, _Head, 1)
    lines = [_typed(line, _Line, number) for number, line in enumerate(whole, 2)]
    begun = False
    for number, line in enumerate(lines, 2):
        begun = begun or line.now is not None
        if line.of_a_look and (line.now is not None or not begun):
            raise _invalid(f"line {number} is an answer before a look, or with one")
    if not begun:
        raise _invalid("it holds no look")
    return Recording(head.namespace, head.name, head.canary, head.stable, lines)


def replay(policy: CanaryPolicy, recording: Recording) -> Iterator[Looked]:
    """Every look of a recording through the judge of a policy, up to the one that decides, or the last one."""
    scope = Scope(recording.namespace, Hashes(recording.name, recording.canary, recording.stable))
    plan = plan_of(policy, first=recording.stable is None)
    data: bytes | None = None
    while recording.advance():
        watched = Watched(
            metrics=recording,
            policy=policy,
            plan=plan,
            scope=scope,
            rollout=recording.rollout,
            weight=recording.weight,
        )
        looked = look(watched, data, recording.now())
        data = looked.data
        yield looked
        if looked.judgement.decision != "continue":
            return


def _typed(line: bytes, kind: type[Any], number: int) -> Any:
    try:
        return convert(strict_json.parse(line, what=f"line {number}", limit=MAX_BYTES), kind)
    except (AegisError, msgspec.ValidationError, RecursionError) as error:
        problem = error.problem if isinstance(error, AegisError) else str(error)
        raise _invalid(f"line {number}: {problem}") from error


def _number(text: str) -> float:
    """As `repr` writes it: NaN and infinities, too, which JSON does not have."""
    try:
        return float(text)
    except ValueError as error:
        raise _invalid(f"a value is {text[:40]!r}") from error


def _invalid(problem: str) -> UsageError:
    return UsageError(
        "canary.recording_invalid",
        f"the recording cannot be read: {problem}",
        expected="the file that `aegis canary watch --record` wrote",
        remedy="record it anew; a cut-off last line is no fault",
    )
