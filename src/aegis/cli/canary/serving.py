"""The judge that is asked over HTTP: each question is a look at one rollout, from the state that was kept of it.

A question waits for its look no longer than whoever asks does; the look goes on, and the next question gets its
answer. One rollout is looked at by one thread at a time.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from aegis.adapters.http.server import Question, Reply
from aegis.cli.canary.aside import aside
from aegis.cli.canary.run import look
from aegis.cli.canary.state import StateFile
from aegis.cli.files import open_file
from aegis.core.errors import AegisError, CouldNotDecide, Refused, UsageError, crashed
from aegis.gates.canary.planned import plan_of
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.served import Tellings, encoded, problem_of, slow_verdict, verdict_of
from aegis.gates.canary.watching import Watched, decided
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.core.policy import CanaryPolicy
    from aegis.core.ports.metrics import Metrics
    from aegis.gates.canary.watching import Looked

PATIENCE: Final = 5.0
"""Seconds that a question waits for its look; Argo Rollouts gives a web metric 10 by default."""
LOOKS: Final = 4
"""At once, each a thread; more rollouts wait for each other."""
TOLD_AGAIN: Final = 120.0
"""Seconds that a promotion is told again: its answer may have got lost. Whoever asks later has retried the rollout."""
MAX_STATES: Final = 1000
KEPT_SECONDS: Final = 30 * 24 * 3600
"""A state that was not looked at for so long may go: its rollout has ended, or waits for a person."""
MAX_TOKEN: Final = 4096
"""Bytes of the token's file."""
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PATH: Final = re.compile(r"/v1/rollouts/(?P<namespace>[a-z0-9.-]+)/(?P<name>[a-z0-9.-]+)")
_PARAMETERS: Final[Mapping[str, re.Pattern[str]]] = {
    "uid": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "revision": re.compile(r"[1-9][0-9]{0,9}"),
    "step": re.compile(r"0|[1-9][0-9]{0,2}"),
    "canary": re.compile(r"[a-z0-9]{1,63}"),
    "stable": re.compile(r"[a-z0-9]{1,63}"),
}
_WEIGHT: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?")
_EXAMPLE: Final = "/v1/rollouts/NAMESPACE/NAME?uid=UID&revision=N&step=N&canary=HASH&stable=HASH"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about a rollout, checked."""

    rollout: tuple[str, str]
    """Namespace and name."""
    uid: str
    """Of the Rollout object: one that was deleted and made anew is another one."""
    revision: int
    """Of the rollout: a version that was found worse stays so when it is retried, and one that comes back later gets a
    new verdict."""
    step: int
    """Index among the rollout's: what was promoted at one is judged anew at the next, by what is seen there."""
    canary: str
    stable: str
    weight: float | None
    """The canary's share of traffic by configuration, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a judge needs of the machine."""

    clock: Callable[[], float] = time.time
    """Unix seconds."""
    patience: float = PATIENCE


@dataclass(slots=True)
class Judge:
    """Answers questions; used by one event loop. A look that is not over when that ends is not waited for."""

    policies: Mapping[tuple[str, str], CanaryPolicy]
    """By the namespace and name of their rollouts."""
    server: Callable[[CanaryPolicy], Metrics] = field(repr=False)
    """The Prometheus of a policy."""
    folder: Path
    """Of the states."""
    version: str
    token: Path | None = None
    """The file of what a question must bring as its bearer token; None: none."""
    means: Means = field(default_factory=Means)
    _looks: asyncio.Semaphore = field(init=False, repr=False, default_factory=lambda: asyncio.Semaphore(LOOKS))
    _flights: dict[Asked, asyncio.Future[Looked]] = field(init=False, default_factory=dict)
    _tellings: Tellings = field(init=False)
    _rooms: Lock = field(init=False, repr=False, default_factory=Lock)
    """One thread at a time removes states."""

    def __post_init__(self) -> None:
        """With nothing told yet."""
        self._tellings = Tellings(sorted(self.policies))

    async def answer(self, question: Question) -> Reply:
        """Whatever happens, an answer; one without a verdict has a status that Argo Rollouts counts as an error."""
        try:
            if question.path == "/healthz":
                return Reply(200, encoded({"status": "alive"}))
            if question.path == "/readyz":
                return self._ready()
            if question.path == "/metrics":
                return Reply(200, self._tellings.exposition(self.version).encode(), METRICS_TYPE)
            self._check_token(question)
            return await self._judged(asked_of(question, self.policies))
        except _Unanswered as error:
            return self._refused(error.reason, error.status)
        except AegisError as error:
            return self._refused(error, 503)
        except Exception as error:  # a defect is no verdict either
            return self._refused(crashed(error), 500)

    def refuse(self, status: int, problem: str) -> Reply:
        """The answer to what is no question."""
        return self._refused(_no_question(problem).reason, status)

    def _refused(self, error: AegisError, status: int) -> Reply:
        self._tellings.failed(error.code)
        _say(f"{status} {error.code}: {error.problem}")
        headers = {401: (("WWW-Authenticate", "Bearer"),), 405: (("Allow", "GET"),)}.get(status, ())
        return Reply(status, encoded(problem_of(error, status)), "application/problem+json", headers)

    def _ready(self) -> Reply:
        """Whether states can be kept. A Prometheus that is down is no reason: the policy says what that means."""
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise CouldNotDecide(
                "core.output_unwritable",
                f"the folder of states {str(self.folder)!r} cannot be written",
                expected="a folder that can be written",
                remedy="Look at the volume that is mounted there.",
            )
        return Reply(200, encoded({"status": "ready"}))

    def _check_token(self, question: Question) -> None:
        if self.token is None:
            return
        wanted = read_token(self.token)
        scheme, _, given = question.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), wanted):
            return
        raise _Unanswered(
            401,
            Refused(
                "canary.question_denied",
                "the question brings no token, or a wrong one",
                expected="the header `Authorization: Bearer TOKEN`",
                remedy="Give the web metric this header, with the token from the judge's secret.",
            ),
        )

    async def _judged(self, asked: Asked) -> Reply:
        flight = self._flights.get(asked)
        if flight is None:
            flight = asyncio.ensure_future(self._flight(asked))
            self._flights[asked] = flight
            flight.add_done_callback(lambda done: self._landed(asked, done))
        done, _ = await asyncio.wait({flight}, timeout=self.means.patience)
        now = self.means.clock()
        if not done:
            problem = f"the look takes longer than {self.means.patience:g} s; it goes on, and the next question asks it"
            verdict, seen = slow_verdict("canary.look_slow", problem), False
        else:
            looked = flight.result()
            verdict = verdict_of(looked, plan_of(self.policies[asked.rollout], first=False))
            seen = looked.fault is None
        self._tellings.answered(asked.rollout, asked.revision, verdict, now, seen=seen)
        _say(f"{'/'.join(asked.rollout)} revision {asked.revision}: {verdict['verdict']} ({verdict['reason']})")
        return Reply(200, encoded(verdict))

    async def _flight(self, asked: Asked) -> Looked:
        async with self._looks:
            return await aside(lambda: self._look(asked))

    def _landed(self, asked: Asked, flight: asyncio.Future[Looked]) -> None:
        del self._flights[asked]
        if not flight.cancelled():
            flight.exception()  # it was told to whoever waited; where nobody did, the next question meets it again

    def _look(self, asked: Asked) -> Looked:
        """In a thread."""
        watched, now = _watched(asked, self.policies[asked.rollout], self.server), self.means.clock()
        revision = f"{asked.uid}-{asked.revision}"
        state = self.folder / f"{revision}-{asked.step}.json"
        for other in sorted({*self.folder.glob(f"{revision}-*.json")} - {state}):
            if (told := decided(watched, StateFile(other).read())) is not None and told[0] == "abort":
                state = other  # what was found worse at one step is so at each
        with self._rooms:
            if not state.exists():
                _make_room(self.folder, now)
        with StateFile.opened(state) as file:
            told = decided(watched, file.read())
            if told is not None and told[0] == "promote" and not 0 <= now - told[1] <= TOLD_AGAIN:
                file.path.unlink()
            return look(watched, file, now)


class _Unanswered(Exception):  # noqa: N818 - it carries an error to its place
    """A question without an answer, and its HTTP status."""

    def __init__(self, status: int, reason: AegisError) -> None:
        super().__init__(status)
        self.status, self.reason = status, reason


def _watched(asked: Asked, policy: CanaryPolicy, server: Callable[[CanaryPolicy], Metrics]) -> Watched:
    namespace, name = asked.rollout
    return Watched(
        metrics=server(policy),
        policy=policy,
        plan=plan_of(policy, first=False),
        scope=Scope(namespace, Hashes(name, asked.canary, asked.stable)),
        rollout=f"{namespace}/{name}: {asked.canary} over {asked.stable}",
        weight=asked.weight,
    )


def asked_of(question: Question, policies: Mapping[tuple[str, str], CanaryPolicy]) -> Asked:
    """Raises _Unanswered for what is no question, or none about a rollout of ours."""
    path = _PATH.fullmatch(question.path)
    if path is None:
        raise _Unanswered(404, _unknown(f"there is nothing at {question.path[:200]!r}"))
    rollout = (path["namespace"], path["name"])
    if rollout not in policies:
        raise _Unanswered(404, _unknown(f"no policy here is about the Rollout {'/'.join(rollout)[:200]!r}"))
    given: dict[str, str] = {}
    for name, value in question.query:
        if name in given or name not in {*_PARAMETERS, "weight"}:
            raise _no_question(f"the parameter {name[:40]!r} {'stands twice' if name in given else 'is unknown'}")
        given[name] = value
    for name, form in _PARAMETERS.items():
        if form.fullmatch(given.get(name, "")) is None:
            raise _no_question(f"the parameter {name} is {given.get(name, '')[:80]!r}")
    if given["canary"] == given["stable"]:
        raise _no_question(f"canary and stable are both {given['canary']!r}")
    return Asked(
        rollout,
        given["uid"],
        int(given["revision"]),
        int(given["step"]),
        given["canary"],
        given["stable"],
        _share(given.get("weight")),
    )


def _share(text: str | None) -> float | None:
    if text is None:
        return None
    share = float(text) / 100 if _WEIGHT.fullmatch(text) else 0.0
    if not 0 < share < 1:
        raise _no_question(f"the parameter weight is {text[:40]!r}")
    return share


def _no_question(problem: str) -> _Unanswered:
    return _Unanswered(
        400,
        UsageError(
            "canary.question_invalid",
            problem,
            expected=f"GET {_EXAMPLE}, and weight=PERCENT where a router splits the traffic",
            remedy="Correct the web metric of the AnalysisTemplate and the arguments of the Rollout's analysis.",
        ),
    )


def _unknown(problem: str) -> Refused:
    return Refused(
        "canary.question_unknown",
        problem,
        expected=f"{_EXAMPLE}, of a rollout that the judge's policy names",
        remedy="Correct the URL, or `canary.rollout` in the policy.",
    )


def _make_room(folder: Path, now: float) -> None:
    """Remove states that are over. Raises CouldNotDecide `canary.judge_full` where all are young."""
    states = list(folder.glob("*.json"))
    if len(states) < MAX_STATES:
        return
    old = [each for each in states if each.stat().st_mtime < now - KEPT_SECONDS]
    for each in old:
        each.unlink(missing_ok=True)
        each.with_name(f"{each.name}.lock").unlink(missing_ok=True)
    if not old:
        raise CouldNotDecide(
            "canary.judge_full",
            f"{len(states)} rollouts were looked at within {KEPT_SECONDS // 86400} days",
            expected=f"fewer than {MAX_STATES}",
            remedy="Look who asks; remove the states of rollouts that have ended.",
        )


def read_token(file: Path) -> bytes:
    """What the file holds. Raises UsageError `canary.token_missing`; the text does not stand in it."""
    try:
        with open_file(file) as opened:
            token = opened.read(MAX_TOKEN + 1).strip()
    except OSError:
        token = b""
    if not re.fullmatch(rb"[!-~]{16,4096}", token):
        raise UsageError(
            "canary.token_missing",
            f"the file {str(file)!r} holds no token",
            expected="16 to 4096 printable characters without spaces",
            remedy="Mount the secret, or correct --token-file.",
        )
    return token


def _say(text: str) -> None:
    """On stderr, one line."""
    sys.stderr.write(f"{terminal(text)}\n")
    sys.stderr.flush()
