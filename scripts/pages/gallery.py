"""docs/gallery: of each reason code one real answer, as a person sees it.

What tests have seen lies in docs/gallery/recorded (`scripts/record_gallery.py` writes it there). The pages show it by
the program's own renderer: a gate's answer as the summary of its step, a tool's as the message on a terminal.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from aegis.cli.doctor.command import line_of
from aegis.cli.main import message_of
from aegis.core import errors
from aegis.core.codes import CODES, Code
from aegis.core.errors import AegisError
from aegis.core.outcome import Outcome, Run, conclude, fingerprint_of, refuse
from aegis.core.policy import Policy
from aegis.core.policy_in_force import InForce
from aegis.core.verdict import Finding, Source, Tool, Verdict, exit_code
from aegis.report import markdown
from aegis.report.headline import answer
from aegis.scaffold.doctor import Weakness

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "gallery"
RECORDED = FOLDER / "recorded"
GATES = {"scan": "scan", "verify": "verify", "canary": "canary", "backup_check": "backup-check"}
"""Prefix of a code → the gate that answers by it."""
TOOLS = frozenset(
    {
        "backup_check.listed_only",
        "canary.judge_full",
        "canary.listen_refused",
        "canary.look_slow",
        "canary.not_served",
        "canary.question_denied",
        "canary.question_invalid",
        "canary.question_unknown",
        "canary.recording_invalid",
        "canary.recording_other",
        "scan.catalogue_unchecked",
        "verify.private_key_invalid",
        "verify.store_forked",
    }
)
"""Codes of gates that no gate answers by: tools and services beside them do."""
QUIET = frozenset({"audit", "runtime", "token"})
"""Prefixes of what a service says in its log, rather than a command on a terminal."""
_NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
_RUN = Run(
    gate="",
    subject=(),
    source=Source(),
    tool=Tool(name="aegis-gates", version="1.0.0", digest="0" * 64),
    started=_NOW,
    reproduce="",
)


def recorded() -> dict[str, dict[str, Any]]:
    """Code → what a test has seen of it."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(RECORDED.glob("*.json")):
        found |= json.loads(file.read_text("utf-8"))
    return found


def pages() -> Iterator[tuple[Path, str]]:
    """Each page with its text. A code without an example has a section that says so; a test refuses it."""
    examples = recorded()
    groups = [(prefix, list(codes)) for prefix, codes in groupby(CODES.values(), key=lambda code: code.gate)]
    yield FOLDER / "README.md", _index(groups)
    for prefix, codes in groups:
        yield FOLDER / f"{prefix}.md", _page(prefix, codes, examples)


def _index(groups: list[tuple[str, list[Code]]]) -> str:
    lines = [
        "# Gallery",
        "",
        "One real answer for each [reason](../reasons.md): the summary of a gate's step, or a tool's message on a",
        "terminal. Each was recorded from the test that is named below it; paths, digests and times are replaced.",
        "What to do about one stands in [troubleshooting](../troubleshooting.md).",
        "",
        "`scripts/record_gallery.py` records, `make docs` writes these pages.",
        "",
        "| page | reasons |",
        "|---|---|",
        *(f"| [{prefix}]({prefix}.md) | {len(codes)} |" for prefix, codes in groups),
        "",
    ]
    return "\n".join(lines)


def _page(prefix: str, codes: list[Code], examples: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"# Gallery: {prefix}",
        "",
        "This page is generated from docs/gallery/recorded; `make docs` writes it anew.",
        "",
    ]
    for code in codes:
        lines += [f"## {code.id}", ""]
        example = examples.get(code.id)
        lines += _shown(code, example) if example is not None else ["No example is recorded."]
        lines += [""]
    return "\n".join(lines)


def _shown(code: Code, example: Mapping[str, Any]) -> list[str]:
    if "weakness" in example:
        said = line_of(msgspec.convert(example["weakness"], Weakness))
        shown, kind = _block(said), "`aegis doctor` prints (exit code 1)"
    elif "printed" in example:
        status = example["printed"]["exit"]
        shown, kind = (
            _block(example["printed"]["text"]),
            "On the terminal" + ("" if status is None else f" (exit code {status})"),
        )
    elif (verdict := verdict_of(code, example)) is not None:
        shown = [f"> {line}".rstrip() for line in markdown.render(verdict).rstrip("\n").splitlines()]
        kind = f"The step's summary ({answer(verdict)}, exit code {exit_code(verdict)})"
    else:
        error = error_of(code, example["error"])
        text = message_of(error)
        if code.gate in QUIET:
            shown, kind = _block(text.removeprefix("aegis: ")), "The service says"
        else:
            shown, kind = _block(text), f"On the terminal (exit code {error.exit_code})"
    return [f"{kind}; recorded from `{example['test']}`:", "", *shown]


def _block(text: str) -> list[str]:
    return ["```text", *text.rstrip("\n").splitlines(), "```"]


def error_of(code: Code, record: Mapping[str, str]) -> AegisError:
    """The error, as it was raised."""
    kind: type[AegisError] = getattr(errors, record["kind"])
    return kind(code.id, record["problem"], expected=record["expected"], remedy=record["remedy"])


def verdict_of(code: Code, example: Mapping[str, Any]) -> Verdict | None:
    """The gate's answer: as recorded, or as the gate gives it on that error. None for what is printed by a tool."""
    if "verdict" in example:
        return msgspec.convert(example["verdict"], Verdict)
    run = replace(_RUN, gate=GATES.get(code.gate, "scan"))
    if "finding" in example:
        finding = msgspec.convert(example["finding"], Finding)
    elif "error" not in example or code.gate not in GATES or code.id in TOOLS:
        return None
    else:
        error = error_of(code, example["error"])
        if not isinstance(error, errors.Refused):
            return refuse(run, error, _NOW)
        finding = Finding(
            rule=code.id,
            message=f"{error.problem} (expected: {error.expected})",
            remedy=error.remedy,
            fingerprint=fingerprint_of(code.id, error.problem),
            cause="your-change" if code.gate == "canary" else "artifact",
        )
    in_force = InForce(Policy(version=1), "aegis.yml", "")
    return conclude(run, Outcome(findings=(finding,)), in_force, {}, _NOW)
