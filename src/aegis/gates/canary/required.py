"""Signed verdicts about a rollout's images: without them no version is promoted.

The prefix that `canary.requires.source` names holds what `aegis evidence put` has stored (`aegis.evidence.layout`). Of
each gate the newest verdict decides: it counts if its signer is one of the policy's, it is about this very digest, it
says PASSED, and it is young enough. Whatever else is there, or is not, is a no: so an image that is named without its
digest has no verdict either.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.policy import GateName, Requires, minutes
from aegis.core.ports.objects import FolderStore
from aegis.evidence.finding import entries, read_entry
from aegis.evidence.layout import About
from aegis.signatures.shown import shown
from aegis.signatures.types import Trust

_IMAGE: Final = re.compile(r"(?P<repository>[!-?A-~]{1,500})@sha256:(?P<digest>[0-9a-f]{64})")
_TAG: Final = re.compile(r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
"""https://github.com/distribution/distribution/blob/main/docs/content/spec/api.md (a port stands before a slash)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One verdict that holds."""

    image: str
    digest: str
    """SHA-256 of the image, hex."""
    gate: GateName
    signer: str
    finished: str
    """When its gate ended (RFC 3339)."""
    statement: str
    """SHA-256 of the signed statement, hex."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What there is about a rollout's images."""

    shown: tuple[Shown, ...]
    problems: tuple[AegisError, ...]
    """Refused: there is no such verdict, or it does not count. CouldNotDecide: the store did not tell. Any of them is
    a no to a promotion."""
    digests: tuple[tuple[str, str], ...]
    """Images with their digests (hex), those without verdicts included."""


def examine(images: Sequence[str], rule: Requires, store: FolderStore, prefix: str, trust: Trust) -> Examined:
    """Look for each image's verdicts. `store` and `prefix`: where `rule.source` is; `trust`: who may have signed."""
    found: list[Shown] = []
    problems: list[AegisError] = []
    digests: dict[str, str] = {}
    if not images:
        problems.append(_unpinned("the rollout names no image"))
    for image in dict.fromkeys(images):
        named = _IMAGE.fullmatch(image)
        if named is None:
            problems.append(_unpinned(f"the image is {shown(image)}"))
            continue
        digests[image] = named["digest"]
        if _repository(named["repository"]) in rule.without:
            continue
        for gate in rule.gates:
            try:
                found.append(_verdict(image, named["digest"], gate, rule, store, prefix, trust))
            except (Refused, CouldNotDecide) as error:
                problems.append(error)
    return Examined(tuple(found), tuple(problems), tuple(digests.items()))


def _repository(name: str) -> str:
    """Without the tag that may stand before a digest, which a digest makes meaningless."""
    return _TAG.sub("", name)


def _verdict(
    image: str, digest: str, gate: GateName, rule: Requires, store: FolderStore, prefix: str, trust: Trust
) -> Shown:
    about = About("sha256", digest)
    found, problems = entries(store, prefix, about, gate)
    if not found and not problems:
        raise Refused(
            "canary.verdict_missing",
            f"{image} has no verdict of the gate {gate}: none is in {store.location}/{prefix}{about.folder}{gate}/",
            expected="a signed verdict about this very digest",
            remedy="Run the gate where the image is built, and store its verdict for the image's digest by"
            " `aegis evidence put`; docs/canary.md has the steps.",
        )
    try:
        if problems:
            raise problems[0]
        held = read_entry(store, prefix, about, found[-1], trust, whole=False)
    except Refused as error:
        raise _invalid(image, gate, f"{error.problem} ({error.code})", error.expected) from error
    said = held.said
    if not said.passed:
        told = f"it says {said.result} ({said.verdict}, {shown(said.reason)})"
        raise _invalid(image, gate, told, f"PASSED (pass) by the gate {gate}: of the whole, enforced, without waivers")
    if not said.is_young(trust.now, datetime.timedelta(minutes=minutes(rule.max_age))):
        raise Refused(
            "canary.verdict_stale",
            f"{image}: the verdict of the gate {gate} is of {said.finished}",
            expected=f"one that is at most {rule.max_age} old, and not of the future",
            remedy="Run the gate again, and sign and store its new verdict.",
        )
    return Shown(
        image=image,
        digest=digest,
        gate=gate,
        signer=held.signed_by.signer,
        finished=said.finished,
        statement=said.statement.sha256,
    )


def _invalid(image: str, gate: GateName, problem: str, expected: str) -> Refused:
    return Refused(
        "canary.verdict_invalid",
        f"{image}: the verdict of the gate {gate} does not count: {problem}",
        expected=expected,
        remedy="Look who wrote it; run the gate on this image, and let one of the policy's signers sign its verdict.",
    )


def _unpinned(problem: str) -> Refused:
    return Refused(
        "canary.image_unpinned",
        problem,
        expected="an image by its digest: NAME@sha256:…, for every container of the rollout",
        remedy="Deploy by digest: a tag can mean another image tomorrow, so no verdict about it can be found.",
    )
