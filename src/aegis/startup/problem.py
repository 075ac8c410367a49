"""What stops a start-up, said in every place where somebody looks: log, annotation, step summary, outputs.

The twin of `aegis.core.errors`, which cannot be imported before anything is installed.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

MISCONFIGURED = 2
"""Exit code: the consumer's workflow or inputs are wrong; nothing was judged."""
COULD_NOT_DECIDE = 3
"""Exit code: something failed that is nobody's change; run it again."""


class StartupProblem(Exception):  # noqa: N818 - the same reading as CouldNotDecide, whose twin it is
    """Why the gate cannot be started, with a code of the registry."""

    def __init__(
        self, code: str, problem: str, *, expected: str, remedy: str, exit_code: int = COULD_NOT_DECIDE
    ) -> None:
        """Say what was wrong (with the value), what was expected, and what to do next."""
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.expected = expected
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        """One paragraph for people."""
        return f"{self.problem}\n  expected: {self.expected}\n  next: {self.remedy}"


def announce(problem: StartupProblem, environ: Mapping[str, str]) -> int:
    """Tell it wherever the surroundings can show it, and give back the exit code."""
    if environ.get("GITHUB_ACTIONS") == "true":
        text = f"{problem.problem} Expected: {problem.expected}. Next: {problem.remedy}"
        print(f"::error title=Aegis%3A {_property(problem.code)}::{_data(text)}", flush=True)
    else:
        print(f"aegis: {problem} [{problem.code}]", file=sys.stderr, flush=True)
    _append(environ.get("GITHUB_STEP_SUMMARY"), _summary(problem))
    _append(environ.get("GITHUB_OUTPUT"), _outputs(problem))
    return problem.exit_code


def notice(text: str, environ: Mapping[str, str]) -> None:
    """Something that the reader should know and that stops nothing."""
    if environ.get("GITHUB_ACTIONS") == "true":
        print(f"::notice title=Aegis::{_data(text)}", flush=True)
    else:
        print(f"aegis: {text}", file=sys.stderr, flush=True)


def _summary(problem: StartupProblem) -> str:
    cause = "the workflow's configuration" if problem.exit_code == MISCONFIGURED else "could not decide (run it again)"
    return (
        f"### Aegis: error, whose cause is {cause}\n\n{_code_block(problem.problem)}\n\n"
        f"Expected: {_code_span(problem.expected)}  \nNext: {_code_span(problem.remedy)}  \n"
        f"Reason: `{problem.code}`\n\n"
    )


def _outputs(problem: StartupProblem) -> str:
    decision = "misconfigured" if problem.exit_code == MISCONFIGURED else "could-not-decide"
    values = {"result": "error", "decision": decision, "reason": problem.code}
    # of several values of one name the last counts: what a gate said before it broke off is taken back
    values |= dict.fromkeys(("verdict", "sarif", "summary", "findings", "gates"), "")
    return "".join(heredoc(name, value) for name, value in values.items())


def heredoc(name: str, value: str) -> str:
    """One output in GitHub's multi-line form; the random delimiter cannot be guessed by a value.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings
    """
    delimiter = f"aegis_{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _append(path: str | None, text: str) -> None:
    if path:
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:  # e.g. a full disk: the exit code still says it
            print(f"aegis: {path} cannot be written: {error.strerror}", file=sys.stderr, flush=True)


def _data(text: str) -> str:
    """Escape a workflow command's message, as the runner's toolkit does (`escapeData`)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _code_block(text: str) -> str:
    """Indented code: nothing inside it is Markdown, whatever it holds."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _code_span(text: str) -> str:
    return "`` " + " ".join(text.replace("`", "'").split()) + " ``"
