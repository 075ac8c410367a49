"""What `verify` and `find` have in common: who must have signed, how young it must be, and what is told."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.cli.evidence.policy import Policed, Surroundings, read_policy
from aegis.cli.verify.one import trust_of_flags
from aegis.core.errors import AegisError, UsageError
from aegis.core.policy import EvidencePolicy, minutes
from aegis.core.verdict import worst_exit
from aegis.evidence.finding import Held
from aegis.evidence.record import commits_of
from aegis.report.escape import terminal, terminal_block
from aegis.signatures.types import Trust

_SPAN = re.compile(r"[1-9][0-9]{0,3}[mhd]")
_RESULTS: Mapping[int, str] = {0: "pass", 1: "fail"}


@dataclass(slots=True)
class Policies:
    """Reads the policy once, where something of it is needed."""

    arguments: argparse.Namespace
    around: Surroundings
    _read: Policed | None = None

    def __call__(self) -> Policed:
        """The policy in force. Raises UsageError where there is none."""
        if self._read is None:
            self._read = read_policy(self.arguments.path, self.arguments.policy, self.around)
        return self._read

    def section_for(self, prefix: str) -> EvidencePolicy | None:
        """The section, where it is about this very store; None where there is none, or it is about another."""
        try:
            section = self().section
        except UsageError:
            return None
        return section if section.store == prefix else None

    def trust(self) -> Trust:
        """Who must have signed: by the flags, or where there are none by the policy."""
        given = self.arguments
        flags = (given.key, given.certificate_identity, given.certificate_identity_regexp, given.trusted_root)
        if any(flag is not None for flag in (*flags, given.certificate_oidc_issuer)):
            return trust_of_flags(given)
        return self().trust()


def max_age_of(arguments: argparse.Namespace) -> datetime.timedelta | None:
    """How old the newest may be."""
    text = arguments.max_age
    if text is None:
        return None
    if not _SPAN.fullmatch(text):
        raise UsageError(
            "core.wrong_usage",
            f"--max-age is {text[:100]!r}",
            expected="a number of minutes, hours or days, e.g. 26h",
            remedy="correct the argument",
        )
    return datetime.timedelta(minutes=minutes(text))


def told(
    arguments: argparse.Namespace, head: Mapping[str, str], held: Sequence[Held], problems: Sequence[AegisError]
) -> int:
    """Print what was found; the exit code. `head`: what was asked."""
    code = worst_exit([0, *(problem.exit_code for problem in problems)]) if held or problems else 3
    if arguments.format == "json":
        document = {
            **head,
            "result": _RESULTS.get(code, "error"),
            "verdicts": [_fields(each) for each in held],
            "problems": [
                {"code": each.code, "problem": each.problem, "expected": each.expected, "remedy": each.remedy}
                for each in problems
            ],
        }
        sys.stdout.write(json.dumps(document) + "\n")
        return code
    for each in held:
        sys.stdout.write(terminal(_line(each)) + "\n")
    for problem in problems:
        sys.stderr.write(f"aegis: {problem.code}: {terminal_block(str(problem))}\n")
    return code


def _line(each: Held) -> str:
    said, signed = each.said, each.signed_by
    return (
        f"{said.gate:<12}  {said.result:<6}  {said.finished}  signed by {signed.signer} ({signed.method})  "
        f"sha256:{each.entry.sha256}"
    )


def _fields(each: Held) -> Mapping[str, Any]:
    said, signed = each.said, each.signed_by
    found: dict[str, Any] = {
        "gate": said.gate,
        "result": said.result,
        "verdict": said.verdict,
        "reason": said.reason,
        "finished": said.finished,
        "signer": signed.signer,
        "method": signed.method,
        "key": signed.key,
        "identity": signed.identity,
        "issuer": signed.issuer,
        "signed_at": signed.signed_at,
        "object": each.entry.key,
        "bundle": each.entry.sha256,
        "document": said.document,
        "statement": said.statement.sha256,
    }
    if each.verdict is not None:
        source = each.verdict.source
        found |= {
            "commits": list(commits_of(each.verdict)),
            "repository": source.repository,
            "run_url": source.run_url,
            "actor": source.actor,
            "policy": each.verdict.policy.origin,
            "findings": len(each.verdict.findings),
        }
    return found
