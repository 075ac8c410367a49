"""The verdict of the verify gate that a policy may demand beside the signatures (`verify.load.verdict`).

It lies where the policy says, as `aegis.artifacts.earlier` reads it, and has to be a plain pass that names just this
artifact: its name, its kind, and both of its digests, of which the second covers the names of a model's files. Not
compared are the repository and the policy of that run: whose word counts is said by the signers, who are best named as
a workflow's identity, and signatures are held against today's policy by the loader itself. Nor is the address, so that
a mirror of the same bytes can be loaded.
"""

from __future__ import annotations

import datetime

from aegis.artifacts.earlier import SIGNATURE, VERDICT, is_young, passed_results, stored_verdict, verify_verdict
from aegis.artifacts.preparing import Basis, OpenStore
from aegis.artifacts.result import Result
from aegis.artifacts.trust import trust_of
from aegis.core.errors import Refused
from aegis.core.policy import Load
from aegis.storage.location import parse_location


def check_verdict(load: Load, result: Result, basis: Basis, open_store: OpenStore) -> None:
    """Whether the gate has passed what was just verified.

    Raises Refused `runtime.verdict_…`, and AegisError where the store or a signer's key cannot be read.
    """
    rule = load.verdict
    if rule is None:
        return
    location = parse_location(rule.source)
    files = stored_verdict(open_store(location), location.key)
    if files is None:
        raise _refused("verdict_missing", f"there is no {VERDICT} with {SIGNATURE} at {rule.source}")
    document, signature = files
    trust = trust_of(rule.signers, 1, basis.trusted_root, basis.materials, basis.now)
    try:
        verify_verdict(document, signature, trust)
    except Refused as error:
        raise _refused("verdict_untrusted", f"the verdict at {rule.source}: {error.problem} ({error.code})") from error
    try:
        results = passed_results(document)
    except Refused as error:
        raise _refused("verdict_not_pass", f"the verdict at {rule.source}: {error.problem}") from error
    named = [each for each in results if each.name == result.name]
    if len(named) != 1 or _what(named[0]) != _what(result):
        said = ", ".join(f"{each.kind} {each.sha256}" for each in named[:3]) or "nothing"
        raise _refused(
            "verdict_other_artifact",
            f"of {result.name!r} the verdict at {rule.source} says {said}; asked for is {result.kind} {result.sha256}",
        )
    if not is_young(named[0], basis.now, datetime.timedelta(days=rule.max_age_days)):
        raise _refused(
            "verdict_too_old",
            f"the verdict at {rule.source} rests on bytes read at {named[0].read!r}, and it is {basis.now.isoformat()}",
        )


def _what(result: Result) -> tuple[str, str, str, str]:
    return result.name, result.kind, result.sha256, result.content


def _refused(cause: str, problem: str) -> Refused:
    return Refused(
        f"runtime.{cause}",
        problem,
        expected="a signed and fresh verdict of the verify gate that says pass of just this artifact",
        remedy="run the gate on what is deployed, sign its verdict and upload both",
    )
