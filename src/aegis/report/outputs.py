"""What a step hands to later steps: the files behind `GITHUB_OUTPUT` and `GITHUB_STEP_SUMMARY`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import Verdict
from aegis.report.escape import encodable

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def of_verdict(verdict: Verdict, files: Mapping[str, Path]) -> dict[str, str]:
    """The documented outputs of every gate. `files` is what `aegis.report.write.write_all` gave back."""
    sarif = files.get("verdict.sarif")
    return {
        "result": verdict.result,
        "decision": verdict.decision,
        "reason": verdict.reason,
        "findings": str(len(verdict.findings)),
        "verdict": str(files["verdict.json"]),
        "sarif": str(sarif) if sarif else "",
        "summary": str(files["summary.md"]),
    }


def render(values: Mapping[str, str], token: Callable[[], str] = lambda: secrets.token_hex(16)) -> str:
    """The lines for `GITHUB_OUTPUT`; who chose a value cannot know its delimiter, so cannot set a second output."""
    return "".join(_entry(name, encodable(value), f"aegis_{token()}") for name, value in values.items())


def append(path: Path, text: str) -> None:
    """Add to a file that the runner made; it is never created here."""
    try:
        with path.open("r+b") as file:
            file.seek(0, 2)
            file.write(text.encode())
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write {path}: {error.strerror}",
            expected="the file that GitHub's runner made for this step",
            remedy="Run it as a step of a workflow, or without GITHUB_OUTPUT and GITHUB_STEP_SUMMARY.",
        ) from error


def _entry(name: str, value: str, delimiter: str) -> str:
    if not _NAME.fullmatch(name) or delimiter in value:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"output {name!r} cannot be written",
            expected="a name of small letters, digits and dashes, and a value without the delimiter",
            remedy="Report it with the command that you ran.",
        )
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
