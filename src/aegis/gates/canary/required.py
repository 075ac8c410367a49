"""Signed verdicts about a rollout's images: without them no version is promoted.

For each image the prefix that `canary.requires.source` names holds one Sigstore bundle a gate,
`<SHA-256 of the image, hex>/<gate>.sigstore.json`: an in-toto statement whose subject is that very digest, with the
gate's `predicate.json` (https://in-toto.io/attestation/test-result/v0.1), as `actions/attest` makes it. It counts if
its signer is one of the policy's, it says PASSED by the gate that was asked for, and it is young enough. Whatever else
is there, or is not, is a no: so an image that is named without its digest has no verdict either.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.policy import GateName, Requires, minutes
from aegis.core.ports.objects import ObjectStore
from aegis.core.verdict import SCHEMA_ID
from aegis.signatures.attestation import check_attestation
from aegis.signatures.bundle import parse_bundle
from aegis.signatures.shown import shown
from aegis.signatures.statement import parse_statement
from aegis.signatures.types import Trust
from aegis.signatures.verify import verify_envelopes
from aegis.storage.transfer import read_small

PREDICATE: Final = "https://in-toto.io/attestation/test-result/v0.1"
_LIMIT: Final = 1 << 20
"""Bytes of a bundle; one has about 10 kB."""
_CLOCKS_DIFFER: Final = datetime.timedelta(minutes=5)
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


def examine(images: Sequence[str], rule: Requires, store: ObjectStore, prefix: str, trust: Trust) -> Examined:
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
    image: str, digest: str, gate: GateName, rule: Requires, store: ObjectStore, prefix: str, trust: Trust
) -> Shown:
    name = f"{prefix}{digest}/{gate}.sigstore.json"
    info = store.head(name)
    if info is None:
        raise Refused(
            "canary.verdict_missing",
            f"{image} has no verdict of the gate {gate}: there is no {store.location}/{name}",
            expected="a signed verdict about this very digest",
            remedy="Run the gate where the image is built, sign its predicate.json for the image's digest "
            "(actions/attest), and put the bundle there; docs/canary.md has the steps.",
        )
    content = read_small(store, info, _LIMIT)
    try:
        bundle = parse_bundle(content, name=name)
        verified, envelopes = verify_envelopes([bundle], trust)
        (statement,) = [parse_statement(envelope) for envelope in envelopes]
        check_attestation([statement], {"sha256": digest}, (PREDICATE,))
    except Refused as error:
        raise _invalid(image, gate, f"{error.problem} ({error.code})", error.expected) from error
    said = _said(statement.predicate)
    wanted = {"result": "PASSED", "gate": gate, "verdict": "pass"}
    if {name: said.get(name) for name in wanted} != wanted:
        by, result, word = (shown(str(said[name])) for name in ("gate", "result", "verdict"))
        told = f"it is by the gate {by} and says {result} ({word})"
        raise _invalid(image, gate, told, f"PASSED (pass) by the gate {gate}, without waivers and enforced")
    finished = str(said.get("finished"))
    if not _is_young(finished, trust.now, datetime.timedelta(minutes=minutes(rule.max_age))):
        raise Refused(
            "canary.verdict_stale",
            f"{image}: the verdict of the gate {gate} is of {shown(finished)}",
            expected=f"one that is at most {rule.max_age} old, and not of the future",
            remedy="Run the gate again, and sign and store its new verdict.",
        )
    return Shown(
        image=image,
        digest=digest,
        gate=gate,
        signer=verified.signed_by[0].signer,
        finished=finished,
        statement=statement.sha256,
    )


def _said(predicate: Any) -> dict[str, Any]:
    """What a gate's `predicate.json` says, as far as it is one."""
    own = predicate.get(SCHEMA_ID)
    own = own if isinstance(own, dict) else {}
    return {
        "result": predicate.get("result"),
        "gate": own.get("gate"),
        "verdict": own.get("result"),
        "finished": own.get("finished"),
    }


def _is_young(finished: str, now: datetime.datetime, max_age: datetime.timedelta) -> bool:
    try:
        moment = datetime.datetime.fromisoformat(finished)
    except ValueError:
        return False
    return moment.tzinfo is not None and now - max_age <= moment <= now + _CLOCKS_DIFFER


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
