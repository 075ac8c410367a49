"""The first words of every report: the answer, and whose cause it is."""

from __future__ import annotations

from aegis.core.codes import CODES
from aegis.core.verdict import Verdict


def observed(verdict: Verdict) -> bool:
    """Reported only. A mode that is wrong itself (its end has passed) is no longer one."""
    return verdict.observe and verdict.decision != "misconfigured"


def answer(verdict: Verdict) -> str:
    """The answer in capitals. `observe` never reads as a pass."""
    if observed(verdict):
        return "OBSERVED, NOT ENFORCED"
    if verdict.result == "pass":
        return "PASS WITH WAIVER" if verdict.waivers else "PASS"
    return "FAIL" if verdict.result == "fail" else "COULD NOT DECIDE"


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
        return "Someone else's artifact: your change is not the cause."
    if causes == {"could-not-decide"}:
        return "Could not decide: a part of the evidence is missing (re-run)."
    return "Your change: mend the findings below."


def title(code: str) -> str:
    """The registry's title of a code, or the code itself."""
    known = CODES.get(code)
    return known.title if known else code


def remedies(verdict: Verdict) -> list[tuple[str, str]]:
    """What to do: each rule's remedy once, in the order of the findings; without findings, that of the reason."""
    found = dict.fromkeys((finding.rule, finding.remedy) for finding in verdict.findings)
    known = CODES.get(verdict.reason)
    if not found and verdict.result != "pass" and known is not None:
        return [(known.id, known.remedy)]
    return list(found)
