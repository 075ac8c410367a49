"""The workflows of a repository as facts: triggers, jobs, and which of them run a gate.

What stands in a workflow is anybody's text: what has not the form that GitHub's syntax gives it counts as not there.
https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aegis.core.strict_yaml import Document, Kind, compose
from aegis.scaffold.choices import GATES

FOLDER = ".github/workflows/"
CALLED = {**{f"{FOLDER}{gate}.yml": gate for gate in GATES}, f"{FOLDER}gates.yml": "verdict"}
"""The workflows of Aegis that others call, and the job of each that decides."""
_KIND = Kind("doctor.workflow_unreadable", "GitHub's workflow syntax", "`on:` and `jobs:`")
_USES = re.compile(r"(?P<repository>[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)(?P<path>/[^@\s]+)?@(?P<ref>\S+)")


@dataclass(frozen=True, slots=True)
class Use:
    """One `uses:` of a step or a job."""

    text: str
    line: int
    repository: str = ""
    """Empty for what lies in this repository, and for images."""
    path: str = ""
    ref: str = ""
    gates: tuple[str, ...] = ()
    """That it runs."""

    @property
    def pinned(self) -> bool:
        """By a commit or a digest; what lies in the repository itself is as the commit."""
        local = self.text.startswith(("./", "$/"))
        return local or re.fullmatch(r"[0-9a-f]{40}", self.ref) is not None or "@sha256:" in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job."""

    id: str
    line: int
    name: str | None
    """None: GitHub shows the id."""
    uses: tuple[Use, ...]
    keys: Mapping[str, Any] = field(repr=False)
    """As written."""
    gates: tuple[str, ...] = ()

    @property
    def check(self) -> str | None:
        """The name of its check; None where it is not the same in every run.

        A workflow that is called reports its own job's name behind that of the job that calls it.
        """
        shown = self.name if self.name is not None else self.id
        if "${{" in shown or "matrix" in _mapping(self.keys.get("strategy")):
            return None
        return f"{shown} / {CALLED[self.uses[0].path]}" if self.calls_ours else shown

    @property
    def calls_ours(self) -> bool:
        """Whether it calls a workflow of Aegis, which takes its environment as an input."""
        return any(use.gates and use.path in CALLED and use.text == self.keys.get("uses") for use in self.uses[:1])

    @property
    def environment(self) -> str | None:
        """Its name; None where there is none, or none that can be told."""
        found = _mapping(self.keys.get("with")).get("environment") if self.calls_ours else self.keys.get("environment")
        name = found.get("name") if isinstance(found, dict) else found
        return name if isinstance(name, str) and name and "${{" not in name else None

    @property
    def local(self) -> bool:
        """Whether it calls a workflow of this repository, whose own jobs are looked at there."""
        return str(self.keys.get("uses", "")).startswith(("./", "$/"))

    @property
    def steps(self) -> tuple[dict[str, Any], ...]:
        """Those that have a step's form."""
        given = self.keys.get("steps")
        return tuple(step for step in given if isinstance(step, dict)) if isinstance(given, list) else ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The jobs before it."""
        return _words(self.keys.get("needs"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One file below `.github/workflows`."""

    path: str
    triggers: Mapping[str, Any]
    """Each event with its filters."""
    lines: Mapping[str, int]
    """Of the triggers."""
    jobs: tuple[Job, ...]
    keys: Mapping[str, Any] = field(repr=False)

    def permissions(self, job: Job) -> Any:
        """Of a job's token, as written; None where nobody says."""
        return job.keys.get("permissions", self.keys.get("permissions"))

    def judging(self) -> tuple[Job, ...]:
        """The jobs that run gates."""
        return tuple(job for job in self.jobs if job.gates)


def read(path: str, data: bytes, aegis: str, named: Iterable[str]) -> Workflow:
    """One workflow. `aegis`: repository of the actions; `named`: the gates of the policy, which the root action runs.

    UsageError `doctor.workflow_unreadable` for what GitHub could not read either, and for aliases.
    """
    document = Document(path, _KIND)
    keys = _mapping(compose(data, document))

    def line(*at: str | int) -> int:
        return document.keys.get(at, document.marks.get(at, (1, 1)))[0]

    given = keys.get("on")
    triggers = _mapping(given) or dict.fromkeys(_words(given))
    jobs = []
    for name, job in _mapping(keys.get("jobs")).items():
        written = _mapping(job)
        uses = tuple(
            replace(use, gates=tuple(_gates(use, inputs, aegis, named))) for use, inputs in _uses(written, name, line)
        )
        jobs.append(
            Job(
                id=name,
                line=line("jobs", name),
                name=written["name"] if isinstance(written.get("name"), str) else None,
                uses=uses,
                keys=written,
                gates=tuple(dict.fromkeys(gate for use in uses for gate in use.gates)),
            )
        )
    lines = {event: line("on", event) for event in triggers}
    return Workflow(path=path, triggers=triggers, lines=lines, jobs=tuple(jobs), keys=keys)


def _uses(job: Mapping[str, Any], name: str, line: Callable[..., int]) -> Iterator[tuple[Use, Mapping[str, Any]]]:
    """Each with its inputs."""
    if isinstance(job.get("uses"), str):
        yield _use(job["uses"], line("jobs", name, "uses")), _mapping(job.get("with"))
    steps = job.get("steps")
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        if isinstance(_mapping(step).get("uses"), str):
            yield _use(step["uses"], line("jobs", name, "steps", number, "uses")), _mapping(step.get("with"))


def _use(text: str, line: int) -> Use:
    found = _USES.fullmatch(text)
    if found is None or text.startswith("docker://"):
        return Use(text, line)
    return Use(text, line, found["repository"], (found["path"] or "").strip("/"), found["ref"])


def _gates(use: Use, given: Mapping[str, Any], aegis: str, named: Iterable[str]) -> Iterator[str]:
    if use.repository.lower() != aegis.lower():
        return
    if not use.path:
        if str(given.get("task", "judge")) in ("judge", "merge"):  # a list judges nothing
            only = str(given.get("gate") or "")
            # which of a matrix cannot be told from here
            yield from (gate for gate in named if only in ("", gate) or "${{" in only)
    elif use.path in CALLED:
        gate = use.path.removeprefix(FOLDER).removesuffix(".yml")
        yield from (gate,) if gate in GATES else named
    elif use.path.startswith("actions/") and use.path.removeprefix("actions/") in GATES:
        yield use.path.removeprefix("actions/")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def is_always(job: Job) -> bool:
    """Whether it runs whatever became of the jobs before it."""
    return str(job.keys.get("if", "")).replace("${{", "").replace("}}", "").strip() == "always()"


def collector(workflow: Workflow) -> Job | None:
    """The job at the end that demands success of every job that runs a gate."""
    judging = {job.id for job in workflow.judging()}
    found = [
        job
        for job in workflow.jobs
        if judging and judging <= set(job.needs) and is_always(job) and all(_demands(job, each) for each in judging)
    ]
    return found[-1] if found else None


def _demands(job: Job, other: str) -> bool:
    """Whether a step looks at another job's result, and tells success from what is skipped.

    Whether it does the right thing then, nobody can see from here.
    """
    of_it = re.compile(
        rf"needs\.(?:{re.escape(other)}|\*)\.result|needs\[['\"]{re.escape(other)}['\"]\]\.result|tojson\(\s*needs\s*\)",
        re.IGNORECASE,
    )
    for step in job.steps:
        text = "\n".join(_texts({key: part for key, part in step.items() if key != "name"}))
        condition = str(step.get("if", "always()"))
        tells = "uses" in step or "success" in text or "skipped" in text
        runs = "always()" in condition or of_it.search(condition)
        if tells and runs and of_it.search(text) and step.get("continue-on-error", False) is False:
            return True
    return False


def _texts(value: Any) -> Iterator[str]:
    """Every text in a part of a workflow."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def secrets(value: Any) -> Iterator[str]:
    """What a part of a workflow names of the secrets; `*` where it takes them by an expression, or all of them.

    https://docs.github.com/actions/reference/workflows-and-actions/contexts#secrets-context
    """
    for text in _texts(value):
        for expression in _EXPRESSION.findall(text):
            for found in _SECRET.finditer(expression):
                name = found["name"] or found["quoted"] or "*"
                if name.upper() != "GITHUB_TOKEN":  # which a job has in any case, as far as its permissions go
                    yield name
    if isinstance(value, dict) and value.get("secrets") == "inherit":
        yield "*"


_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_SECRET = re.compile(r"(?<![\w.-])secrets\b(?:\.(?P<name>[\w-]+)|\['(?P<quoted>[^']+)'\])?", re.IGNORECASE)


def deciding(workflow: Workflow) -> tuple[Job, ...]:
    """The jobs whose checks must be required: the one that collects the others', else each that runs a gate."""
    last = collector(workflow)
    return (last,) if last is not None else workflow.judging()


def required_checks(workflows: Iterable[Workflow]) -> tuple[str, ...]:
    """The names of the checks that must be required, of the workflows that run on pull requests."""
    found = (job.check for each in workflows if "pull_request" in each.triggers for job in deciding(each))
    return tuple(sorted({check for check in found if check is not None}))
