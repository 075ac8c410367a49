"""The first words of every report: the answer, and whose cause it is."""

from __future__ import annotations

from aegis.core.codes import CODES
from aegis.core.verdict import Verdict

_UNVERIFIED = "COULD NOT VERIFY"
"""What the backup-check gate says where it has no answer."""


def observed(verdict: Verdict) -> bool:
    """Reported only. A mode that is wrong itself (its end has passed) is no longer one."""
    return verdict.observe and verdict.decision != "misconfigured"


def answer(verdict: Verdict) -> str:
    """The answer in capitals. `observe` never reads as a pass."""
    if observed(verdict):
        return "OBSERVED, NOT ENFORCED"
    if verdict.result == "pass":
        return "PASS WITH WAIVER" if verdict.waivers else "PASS"
    if verdict.result == "fail":
        return "FAIL"
    return _UNVERIFIED if verdict.decision == _UNVERIFIED else "COULD NOT DECIDE"


def cause(verdict: Verdict) -> str:
    """Whose cause it is, in one sentence that says what to do."""
    if observed(verdict):
        return "`mode: observe` only reports; this is not a pass, whatever is or is not listed below."
    if verdict.result == "pass":
        return "Nothing stands in the way." if verdict.reason == "core.passed" else f"{title(verdict.reason)}."
    if verdict.decision == "misconfigured":
        return "Your change: the arguments or the policy are wrong, so nothing was judged."
    if verdict.result == "error":
        return "Could not decide: nobody's fault until it is run again (re-run), and no pass until then."
    causes = {finding.cause for finding in verdict.findings}
    if causes == {"artifact"}:
        whose = "The backups" if verdict.gate == "backup-check" else "Someone else's artifact"
        return f"{whose}: your change is not the cause."
    if causes == {"could-not-decide"}:
        return "Could not decide: a part of the evidence is missing (re-run)."
    return "Your change: mend the findings below."


def title(code: str) -> str:
    """The registry's title of a code, or the code itself."""
    known = CODES.get(code)
    return known.title if known else code


def remedies(verdict: Verdict) -> list[tuple[str, str]]:
    """What to do, once for each rule in the order of the findings; without findings, the reason's remedy.

    Remedies of one rule differ only in the places that they name, so the first stands for all; each finding has its own
    in `verdict.json` and SARIF.
    """
    found: dict[str, dict[str, None]] = {}
    for finding in verdict.findings:
        found.setdefault(finding.rule, {}).setdefault(finding.remedy)
    known = CODES.get(verdict.reason)
    if not found and verdict.result != "pass" and known is not None:
        return [(known.id, known.remedy)]
    return [(rule, _first(list(texts))) for rule, texts in found.items()]


def _first(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{texts[0]} (and {len(texts) - 1} more like it)"
