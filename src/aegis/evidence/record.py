"""One signed verdict: whether a bundle is one, who signed it, and the `verdict.json` that it speaks for.

The statement is in-toto's, its predicate a gate's `predicate.json`
(https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md). Its signer vouches for the digests
among its subjects, and by the predicate for one `verdict.json`, which alone can name a commit: `actions/attest` takes
no subject that is a commit.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from msgspec import Struct

from aegis.core import typed
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.policy import GateName
from aegis.core.verdict import PREDICATE_TYPE, SCHEMA_ID, Result, Verdict
from aegis.evidence.layout import COMMIT, SHA256, About, moment_of
from aegis.signatures.attestation import check_attestation
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.shown import shown
from aegis.signatures.statement import Statement, parse_statement
from aegis.signatures.types import Envelope, SignedBy, Trust
from aegis.signatures.verdict_document import LIMIT, read_verdict
from aegis.signatures.verify import verify_envelopes

MAX_BUNDLE: Final = 1 << 20
"""Bytes; one has about 10 kB."""
MAX_VERDICT: Final = LIMIT
"""Bytes of `verdict.json`."""
CLOCKS_DIFFER: Final = datetime.timedelta(minutes=5)


class _Own(Struct, frozen=True):
    """The predicate's part that is ours; others may add to it."""

    gate: GateName
    result: Result
    reason: str
    finished: str
    digest: dict[str, str]


class _Predicate(Struct, frozen=True):
    result: Literal["PASSED", "WARNED", "FAILED"]
    own: _Own = msgspec.field(name=SCHEMA_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a statement says of a gate's verdict."""

    gate: GateName
    result: Literal["PASSED", "WARNED", "FAILED"]
    """PASSED: of the whole, enforced, and without any exception. Could-not-decide is FAILED."""
    verdict: Result
    reason: str
    finished: str
    document: str
    """SHA-256 (hex) of the `verdict.json`."""
    statement: Statement

    @property
    def passed(self) -> bool:
        """Whether it lets anything go on."""
        return self.result == "PASSED" and self.verdict == "pass"

    def is_young(self, now: datetime.datetime, max_age: datetime.timedelta) -> bool:
        """Whether its gate ended at most so long ago, and not in the future."""
        return now - max_age <= moment_of(self.finished) <= now + CLOCKS_DIFFER


def unverified(bundle: bytes, *, name: str) -> Said:
    """What a bundle says, whoever signed it. Refuses what is no verdict."""
    content = parse_bundle(bundle, name=name, limit=MAX_BUNDLE).content
    if not isinstance(content, Envelope):
        raise _malformed(f"{shown(name)} is a signature over a file", "an attestation (DSSE envelope)")
    return said(parse_statement(content))


def verified(bundle: bytes, trust: Trust, *, name: str) -> tuple[Said, SignedBy]:
    """What a bundle says, and who signed it.

    Refuses with the signature's reason (`verify.…`) where none of those who are trusted did, and with
    `evidence.malformed` what is no verdict.
    """
    signed, envelopes = verify_envelopes([parse_bundle(bundle, name=name, limit=MAX_BUNDLE)], trust)
    (statement,) = [parse_statement(envelope) for envelope in envelopes]
    return said(statement), signed.signed_by[0]


def said(statement: Statement) -> Said:
    """The verdict in a statement. Refuses with `evidence.malformed`."""
    if statement.predicate_type != PREDICATE_TYPE:
        raise _malformed(f"the statement is of the type {shown(statement.predicate_type)}", PREDICATE_TYPE)
    try:
        predicate = typed.convert(statement.predicate, _Predicate)
    except msgspec.ValidationError as error:
        raise _malformed(f"its predicate: {shown(str(error))}", "a gate's predicate.json") from error
    own = predicate.own
    moment_of(own.finished)
    document = own.digest.get("sha256", "")
    if not SHA256.fullmatch(document):
        raise _malformed(f"its predicate names the verdict.json {shown(document)}", "the file's SHA-256 in hex")
    return Said(
        gate=own.gate,
        result=predicate.result,
        verdict=own.result,
        reason=own.reason,
        finished=own.finished,
        document=document,
        statement=statement,
    )


def check_about(told: Said, about: About, verdict: Verdict | None) -> None:
    """Refuse with `evidence.misplaced` unless it is about this commit or digest. A commit needs the verdict itself."""
    if about.kind == "commit":
        commits = commits_of(verdict) if verdict is not None else ()
        if about.value not in commits:
            raise misplaced(f"the verdict is about the commit {', '.join(commits) or '(none)'}", f"{about}")
        return
    try:
        check_attestation([told.statement], {"sha256": about.value}, (PREDICATE_TYPE,))
    except Refused as refused:
        raise misplaced(f"{refused.problem} ({refused.code})", f"a verdict about {about}") from refused


def document_of(content: bytes, told: Said) -> Verdict:
    """The whole verdict that a statement speaks for.

    Refuses with `evidence.altered` where it is another one than that, and with `evidence.malformed`.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != told.document:
        raise altered(f"the verdict.json is sha256:{sha256}", f"the one that was signed for: sha256:{told.document}")
    try:
        verdict = read_verdict(content, "verdict.json")
    except CouldNotDecide as error:
        # its signer vouches for these bytes, so reading them again would change nothing
        raise _malformed(error.problem, error.expected) from error
    own = (verdict.gate, verdict.result, verdict.reason, verdict.finished)
    if own != (told.gate, told.verdict, told.reason, told.finished):
        raise _malformed(
            f"verdict.json says {verdict.result} ({verdict.reason}) by {shown(verdict.gate)} of {verdict.finished}",
            f"what its statement says: {told.verdict} ({shown(told.reason)}) by {told.gate} of {told.finished}",
        )
    return verdict


def commits_of(verdict: Verdict) -> tuple[str, ...]:
    """The commits that a verdict is about: what was checked out, and on GitHub the run's own."""
    found = [verdict.source.commit, *(subject.digest.get("gitCommit") for subject in verdict.subject)]
    return tuple(dict.fromkeys(each for each in found if each and COMMIT.fullmatch(each)))


def places_of(told: Said, verdict: Verdict) -> tuple[About, ...]:
    """Below what it is kept: every digest that its signer vouches for, and then the commits.

    Refuses with `evidence.nowhere` where there is none, since nobody would ever find it.
    """
    digests = [subject.digest.get("sha256") for subject in told.statement.subjects]
    found = [About("sha256", each) for each in dict.fromkeys(digests) if each and each != told.document]
    found += [About("commit", each) for each in commits_of(verdict)]
    if not found:
        raise Refused(
            "evidence.nowhere",
            "the verdict names neither a commit nor a digest",
            expected="a gate that ran in a repository with a commit, or a subject with its SHA-256",
            remedy="Run the gate in a checkout, or name what it is about by `--subject NAME@sha256:HEX`.",
        )
    return tuple(found)


def altered(problem: str, expected: str) -> Refused:
    """The refusal of bytes that are no longer those that were put there."""
    return Refused(
        "evidence.altered",
        problem,
        expected=expected,
        remedy="Treat the store as compromised: look who can write there, and get the verdict back from its versions.",
    )


def misplaced(problem: str, expected: str) -> Refused:
    """The refusal of a verdict that lies where another belongs."""
    return Refused(
        "evidence.misplaced",
        problem,
        expected=expected,
        remedy="Look who can write there: `aegis evidence put` puts each verdict in its own place.",
    )


def _malformed(problem: str, expected: str) -> Refused:
    return Refused(
        "evidence.malformed",
        problem,
        expected=expected,
        remedy="Store what a gate has written, by `aegis evidence put`.",
    )
