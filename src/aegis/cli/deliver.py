"""Where a verdict goes: a terminal, a folder, a workflow."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from aegis.adapters.github import context as github_context
from aegis.cli.surroundings import read_event, read_input
from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.ports.code_scanning import Analysis, CodeScanning
from aegis.core.verdict import Verdict, exit_code
from aegis.report import annotations as workflow
from aegis.report import json_report, markdown, outputs, sarif, text, write


class Delivery(Protocol):
    """Where a workflow wants its reports."""

    @property
    def output(self) -> Path | None:
        """The folder for them."""
        ...

    @property
    def upload(self) -> bool:
        """Whether code scanning gets them too."""
        ...


def rendered(verdict: Verdict, form: str) -> bytes:
    """The verdict in one of the forms that `--format` names."""
    match form:
        case "json":
            return json_report.render(verdict)
        case "sarif":
            return sarif.render(verdict)
        case "markdown":
            return markdown.render(verdict).encode()
        case _:
            return text.render(verdict).encode()


def to_terminal(verdict: Verdict, form: str) -> None:
    """Print it."""
    _print(rendered(verdict, form))


def _print(content: bytes) -> None:
    """Write to standard output in UTF-8, whatever the locale says. Raises BrokenPipeError where nobody reads."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write to standard output: {error.strerror}",
            expected="an output that takes the report",
            remedy="make room for it, or use `--output DIR`",
        ) from error


def warn(title: str, text: str) -> None:
    """Say in a workflow what changes no verdict."""
    _print(workflow.command("warning", text, title=title).encode() + b"\n")


def to_folder(verdict: Verdict, folder: Path, root: Path | None = None) -> Mapping[str, Path]:
    """Write all its forms."""
    return write.write_all(verdict, folder, root)


def to_github(verdict: Verdict, options: Delivery, environ: Mapping[str, str]) -> int:
    """Files, annotations, step summary, outputs, code scanning; the exit code is the verdict's.

    The files come first: whatever fails after them, the launcher finds a verdict that says what was decided.
    """
    workspace = Path(environ.get("GITHUB_WORKSPACE") or ".")
    files: Mapping[str, Path] = {}
    if options.output is not None:
        files = to_folder(verdict, options.output, workspace)
    _print("\n".join([text.render(verdict).rstrip(), *workflow.render(verdict), ""]).encode())
    if file := environ.get("GITHUB_STEP_SUMMARY"):
        outputs.append(Path(file), markdown.render(verdict))
    if files and (file := environ.get("GITHUB_OUTPUT")):
        outputs.append(Path(file), outputs.render(outputs.of_verdict(verdict, files)))
    if options.upload:
        _upload(verdict, environ)
    return exit_code(verdict)


def _upload(verdict: Verdict, environ: Mapping[str, str]) -> None:
    """Hand the SARIF file to code scanning. That it was not taken changes no verdict, and is said."""
    try:
        problem = _try_upload(verdict, environ)
    except AegisError as error:
        problem = f"{error.problem}; {error.remedy}"
    if problem:
        warn("Aegis: upload", f"Code scanning: {problem}")


def _try_upload(verdict: Verdict, environ: Mapping[str, str]) -> str | None:
    token = read_input("github-token", environ)
    change = github_context.pull_request(environ, read_event(environ).payload)
    repository, commit, ref = verdict.source.repository, verdict.source.commit, github_context.ref(environ)
    if not token:
        return "no github-token"
    if change is not None and change.restricted:
        return "this pull request comes from a fork or Dependabot, whose token can't write"
    if not (repository and commit and ref):
        return "the run names no repository, commit or ref"
    # An HTTP client costs 20 ms of CPU, which only an upload has to pay.
    from aegis.adapters.github.code_scanning import PUBLIC_API, GitHub

    client: CodeScanning = GitHub(token, environ.get("GITHUB_API_URL") or PUBLIC_API)
    receipt = client.upload(
        Analysis(sarif=sarif.render(verdict), repository=repository, commit=commit, ref=ref, started=verdict.started)
    )
    return None if receipt.state == "complete" else "GitHub took it and had not read it when we stopped asking"
