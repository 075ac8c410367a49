"""The choices of `aegis init`: by arguments, by questions on a terminal, and from the record of last time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aegis.core.errors import UsageError
from aegis.scaffold.choices import GATES, Artifact, Choices, check

_PLAIN = (
    "repository", "branch", "environment", "drill_environment", "deploy_environment", "workflows", "aegis", "ref",
    "version", "account", "repository_id", "oci_domain", "oci_region", "store", "prometheus", "rollout", "evidence",
    "terraform",
)  # fmt: skip
_SEVERAL = ("owners", "keys", "databases", "recipients")


def first(
    arguments: argparse.Namespace,
    repository: str | None,
    branch: str,
    *,
    ask: Callable[[str], str] | None = None,
) -> Choices:
    """Of a repository without a record. `ask`: where a person sits at the terminal and named no gates."""
    given = _given(arguments)
    if ask is None and sys.stdin.isatty() and sys.stdout.isatty():
        ask = input
    if "gates" not in given:
        if ask is None:
            raise UsageError(
                "init.value_invalid",
                "no gates are named",
                expected="--gates with some of " + ", ".join(GATES),
                remedy="Name them, e.g. `aegis init --gates scan`.",
            )
        given |= _asked(given, ask)
    return check(Choices(**{"repository": repository, "branch": branch, **given}))


def over(before: Choices, arguments: argparse.Namespace) -> Choices:
    """Those of last time, but for what the arguments name."""
    given = _given(arguments)
    if "ref" in given and "version" not in given:
        given["version"] = None
    return check(replace(before, **given))


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command line names."""
    named = {name: getattr(arguments, name, None) for name in _PLAIN}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    given |= {name: tuple(getattr(arguments, name)) for name in _SEVERAL if getattr(arguments, name) is not None}
    if arguments.gates is not None:
        given["gates"] = _gates(arguments.gates)
    if arguments.artifacts is not None:
        given["artifacts"] = tuple(map(_artifact, arguments.artifacts))
    return given


def _gates(text: str) -> tuple[str, ...]:
    """In our own order, each once; unknown ones stay for the check to name."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = [gate for gate in GATES if gate in words]
    return tuple(known + [word for word in words if word not in GATES])


def _artifact(text: str) -> Artifact:
    name, equals, source = text.partition("=")
    if not equals:
        raise UsageError(
            "init.value_invalid",
            f"{text[:120]!r} as --artifact",
            expected="NAME=SOURCE, e.g. ranking=s3://models/ranking/",
            remedy="Correct the argument.",
        )
    return Artifact(name, source)


_QUESTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "verify": (("artifacts", "an artifact (NAME=s3://bucket/key, a model's ends in /)"),),
    "canary": (("prometheus", "address of Prometheus"), ("rollout", "the Rollout (NAMESPACE/NAME)")),
    "backup-check": (("store", "where backups lie (s3://bucket/prefix/)"), ("databases", "name of the database")),
}


def _asked(given: dict[str, Any], ask: Callable[[str], str]) -> dict[str, Any]:
    """Which gates, and what they need; a word for each, and Enter for none."""
    words = ask(f"Which gates ({', '.join(GATES)})? [scan] ").strip() or "scan"
    answers: dict[str, Any] = {"gates": _gates(words)}
    for gate in answers["gates"]:
        for name, question in _QUESTIONS.get(gate, ()):
            if name not in given and (answer := ask(f"{gate}: {question}: ").strip()):
                answers[name] = (
                    (_artifact(answer),) if name == "artifacts" else (answer,) if name in _SEVERAL else answer
                )
    if "owners" not in given and (
        owner := ask("Who owns policies and workflows (@user or @org/team)? [nobody] ").strip()
    ):
        answers["owners"] = (owner,)
    return answers
