"""From uses and everything else that stands against passing to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis.core.codes import CODES
from aegis.core.outcome import fingerprint_of
from aegis.core.verdict import Finding
from aegis.gates.scan.fingerprint import rule_of
from aegis.gates.scan.model import Class, Use
from aegis.gates.scan.survey import NotAnalysed

if TYPE_CHECKING:
    from aegis.gates.scan.baseline import Stale
    from aegis.gates.scan.whole import Disagreement

_WHERE: dict[Class, str] = {
    "runtime": "in runtime code",
    "type-only": "as types in runtime code",
    "test": "in a test",
    "dynamic": "by name at run time",
    "embedded": "in code inside a string",
    "cli": "by its command-line tool",
    "manifest": "as a dependency",
    "image": "in an image",
    "ci": "in a workflow",
    "wrapper": "through a library over its SDK",
}


def of_use(use: Use, fingerprint: str) -> Finding:
    """A use that the policy does not allow."""
    rule = rule_of(use.use_class)
    service = f" ({use.entry.service})" if use.entry.service else ""
    allow = f'`- {{path: "{use.path}", provider: {use.entry.provider}, classes: [{use.use_class}], reason: "…"}}`'
    how = f"{_WHERE[use.use_class]}: {use.entry.literal}"
    return Finding(
        rule=rule,
        message=f"`{use.statement.text}` uses {use.entry.provider}{service} {how}",
        remedy=f"{CODES[rule].remedy} The entry in scan.allow would be {allow}.",
        fingerprint=fingerprint,
        path=use.path,
        line=use.statement.line,
        column=use.statement.column,
    )


def of_not_analysed(place: NotAnalysed) -> Finding:
    """A place that nobody may call clean."""
    return Finding(
        rule="scan.not_analysed",
        message=f"not analysed: {place.why}",
        remedy=CODES["scan.not_analysed"].remedy,
        fingerprint=fingerprint_of("scan.not_analysed", place.path, place.why),
        cause="could-not-decide",
        path=place.path,
        line=place.line,
    )


def of_disagreement(place: Disagreement) -> Finding:
    """A statement that two engines read differently."""
    return Finding(
        rule="scan.engine_mismatch",
        message=f"only {place.seen_by} sees a use of {place.provider} here",
        remedy=CODES["scan.engine_mismatch"].remedy,
        fingerprint=fingerprint_of("scan.engine_mismatch", place.path, place.provider, place.seen_by),
        path=place.path,
        line=place.line,
    )


def of_stale(entry: Stale, baseline_file: str) -> Finding:
    """A baseline entry that lets through more than there is."""
    return Finding(
        rule="scan.baseline_stale",
        message=f"the baseline counts {entry.known.count} of `{entry.known.statement}`, there are {entry.present}",
        remedy=CODES["scan.baseline_stale"].remedy,
        fingerprint=fingerprint_of("scan.baseline_stale", entry.fingerprint),
        path=baseline_file,
    )
