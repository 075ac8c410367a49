"""An evidence folder's own documents: what is listed, what is stated about it, and whether a folder is what they say.

`evidence.json` lists every file with its digest; `statement.json` is an in-toto statement
(https://github.com/in-toto/attestation, Statement v1, predicate test-result v0.1) about `evidence.json` and the commit.
`predicate.json` is its predicate alone, for whoever signs: `aegis sign attestation evidence.json --predicate …`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from aegis.acceptance import files, result
from aegis.acceptance.catalogue import LoadedCatalogue, parse_catalogue
from aegis.acceptance.judging import judge
from aegis.acceptance.probe_answer import FILE as PROBE
from aegis.acceptance.probe_answer import MAX_BYTES, parse_answer
from aegis.acceptance.result import Acceptance, Attempt, CriterionResult
from aegis.core import typed
from aegis.core.errors import AegisError, CouldNotDecide, Refused, UsageError
from aegis.signatures import strict_json

LISTING_SCHEMA: Final = "urn:aegis-gates:schema:acceptance-evidence:v1"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://in-toto.io/attestation/test-result/v0.1"
CATALOGUE, RESULT, LISTING, STATED = "catalogue.yml", "acceptance.json", "evidence.json", "statement.json"
PREDICATE_FILE: Final = "predicate.json"
BUNDLE: Final = "evidence.json.sigstore.json"
"""Where `aegis sign attestation evidence.json` puts the signed statement."""
UNLISTED: Final = (LISTING, STATED, BUNDLE)
"""Files that `evidence.json` cannot hold the digests of."""
Document = TypeVar("Document")
_MAX_DOCUMENT: Final = 32 << 20
"""Bytes of a document of ours: 99 criteria with their probes' facts."""


def encode(document: Any) -> bytes:
    """The same document always as the same bytes."""
    return (
        json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        + b"\n"
    )


def rendered(run: Acceptance) -> bytes:
    """`acceptance.json`."""
    return encode(msgspec.to_builtins(run))


def predicate(run: Acceptance) -> dict[str, Any]:
    """The test-result predicate: PASSED only where everything is accepted; a part of it is WARNED at best."""
    passed = [one.id for one in run.criteria if one.status == "pass"]
    failed = [one.id for one in run.criteria if one.id in run.asked and one.status != "pass"]
    configuration = {run.catalogue.origin: run.catalogue.sha256, f"{run.tool.name} {run.tool.version}": run.tool.digest}
    if run.config_sha256 is not None:
        configuration["staging configuration"] = run.config_sha256
    return {
        "result": "PASSED" if run.accepted else "WARNED" if run.result == "pass" else "FAILED",
        "configuration": [{"name": name, "digest": {"sha256": digest}} for name, digest in configuration.items()],
        "passedTests": passed,
        "warnedTests": [one.id for one in run.criteria if one.id not in (*passed, *failed)],
        "failedTests": failed,
        # An extension field is named by a type URI (in-toto attestation v1, parsing rules).
        result.SCHEMA_ID: {
            "mode": run.mode,
            "text": run.text,
            "planted": list(run.planted),
            "finished": run.finished,
            "digest": {"sha256": hashlib.sha256(rendered(run)).hexdigest()},
        },
    }


def statement(run: Acceptance, listing: bytes) -> bytes:
    """`statement.json`: the predicate about the listing, and about the commit where it is what was looked at."""
    subjects = [{"name": LISTING, "digest": {"sha256": hashlib.sha256(listing).hexdigest()}}]
    if run.commit is not None and not run.uncommitted:
        subjects.append({"name": "commit", "digest": {"gitCommit": run.commit}})
    return encode({"_type": STATEMENT, "subject": subjects, "predicateType": PREDICATE, "predicate": predicate(run)})


def seal(folder: Path, run: Acceptance, pages: Mapping[str, bytes], catalogue: LoadedCatalogue) -> None:
    """Write the documents; `pages` are the forms for people. The statement is last: whoever finds it finds all."""
    files.write(folder / CATALOGUE, catalogue.content)
    files.write(folder / RESULT, rendered(run))
    files.write(folder / PREDICATE_FILE, encode(predicate(run)))
    for name, content in pages.items():
        files.write(folder / name, content)
    listed = files.hashed(folder, UNLISTED)
    listing = encode({"schema": LISTING_SCHEMA, "files": [asdict(file) for file in listed]})
    files.write(folder / LISTING, listing)
    files.write(folder / STATED, statement(run, listing))


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`evidence.json`."""

    schema: str
    files: tuple[files.File, ...]


def verify(folder: Path) -> Acceptance:
    """Hold a folder against its own documents, offline, and draw every conclusion in it again.

    Refuses with `acceptance.evidence_differs` what is missing, added or changed, and with `acceptance.evidence_invalid`
    what contradicts itself.
    """
    listing = _read(folder, LISTING)
    listed = _typed(listing, LISTING, Listing)
    if listed.schema != LISTING_SCHEMA:
        _invalid(f"{LISTING} has the schema {listed.schema[:100]!a}")
    _compare(folder, listed.files)
    written = _read(folder, RESULT)
    run = _typed(written, RESULT, Acceptance)
    if run.schema != result.SCHEMA_ID or written != rendered(run):
        _invalid(f"{RESULT} is not in the form that a run writes")
    if _read(folder, STATED) != statement(run, listing):
        _invalid(f"{STATED} states something else than {RESULT} and {LISTING} say")
    if _read(folder, PREDICATE_FILE) != encode(predicate(run)):
        _invalid(f"{PREDICATE_FILE} says something else than {RESULT}")
    _conclude(folder, run)
    return run


def _compare(folder: Path, listed: Sequence[files.File]) -> None:
    try:
        found = {file.path: file for file in files.hashed(folder, UNLISTED)}
    except CouldNotDecide as error:
        raise _differs(error.problem) from error
    expected = {file.path: file for file in listed}
    if len(expected) < len(listed):
        _invalid(f"{LISTING} lists a file twice")
    problems = [f"{path} is missing" for path in sorted(expected.keys() - found.keys())]
    problems += [f"{path} was added" for path in sorted(found.keys() - expected.keys())]
    problems += [f"{path} was changed" for path in sorted(expected) if path in found and found[path] != expected[path]]
    if problems:
        rest = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise _differs("; ".join(problems[:5]) + rest)


def _conclude(folder: Path, run: Acceptance) -> None:
    """The probes' own answers must bear out what the run says."""
    try:
        catalogue = parse_catalogue(_read(folder, CATALOGUE), file=CATALOGUE)
    except UsageError as error:
        _invalid(f"its catalogue: {error.problem}")
    if catalogue.sha256 != run.catalogue.sha256:
        _invalid(f"{CATALOGUE} is not the one that was run")
    if [one.id for one in run.criteria] != [one.id for one in catalogue.criteria]:
        _invalid(f"{RESULT} has other criteria than its catalogue")
    for one in run.criteria:
        _conclude_one(folder, run, one, catalogue)
    accepted = result.accepted(run.criteria, planted=run.planted, commit=run.commit, uncommitted=run.uncommitted)
    if run.result != result.overall(run.criteria, run.asked) or run.accepted != accepted:
        _invalid(f"{RESULT} says {run.result}, which its criteria do not")
    if run.text != result.said(run):
        _invalid(f"{RESULT} says {run.text[:200]!a} of itself")


def _conclude_one(folder: Path, run: Acceptance, one: CriterionResult, catalogue: LoadedCatalogue) -> None:
    criterion = catalogue.criterion(one.id)
    probe = criterion.probe(run.mode) if criterion is not None else None
    if one.status in ("error", "not-run"):
        return  # nothing rests on it
    if probe is None or one.simulated != probe.simulated:
        _invalid(f"{one.id} is not the criterion of its catalogue")
    for attempt in one.attempts:
        fault = probe.fault(attempt.name)
        if attempt.expected != (fault.reasons if fault is not None else ()):
            _invalid(f"{one.id} {attempt.name} expects other reasons than its catalogue")
        _answered(folder / one.id / attempt.name, one.id, attempt)
    judgement = judge(one.attempts)
    if (one.status, one.reason) != (judgement.status, judgement.reason):
        _invalid(f"{one.id} says {one.status} ({one.reason}), its probes {judgement.status} ({judgement.reason})")
    if one.status == "pass" and {a.name for a in one.attempts[1:]} != {fault.name for fault in probe.faults}:
        _invalid(f"{one.id} passed without every fault of its catalogue")


def _answered(place: Path, criterion: str, attempt: Attempt) -> None:
    """A probe's own answer, if the attempt claims one."""
    if attempt.result == "error":
        return
    try:
        answer = parse_answer(
            files.read_regular(place / PROBE, MAX_BYTES), -1 if attempt.exit_code is None else attempt.exit_code
        )
    except CouldNotDecide as error:
        _invalid(f"{criterion} {attempt.name}: {error.problem}")
    seen = [(check.name, check.result, check.reason) for check in attempt.checks]
    told = [(check.name, check.result, check.reason) for check in answer.checks]
    if (answer.result, answer.reason, told) != (attempt.result, attempt.reason, seen):
        _invalid(f"{criterion} {attempt.name} says something else than its {PROBE}")


def _read(folder: Path, name: str) -> bytes:
    try:
        return files.read_regular(folder / name, _MAX_DOCUMENT)
    except CouldNotDecide as error:
        raise _differs(error.problem) from error


def _typed(data: bytes, name: str, kind: type[Document]) -> Document:
    try:
        return typed.convert(strict_json.parse(data, what=name, limit=_MAX_DOCUMENT), kind)
    except msgspec.ValidationError as error:
        _invalid(f"{name}: {error}")
    except AegisError as error:
        _invalid(error.problem)


def _differs(problem: str) -> Refused:
    return Refused(
        "acceptance.evidence_differs",
        problem,
        expected="exactly the files that the run wrote",
        remedy="take the folder from where it was stored first; treat a difference as tampering",
    )


def _invalid(problem: str) -> NoReturn:
    raise Refused(
        "acceptance.evidence_invalid",
        problem,
        expected="documents that `aegis acceptance` wrote, and that follow from the probes' answers",
        remedy="run the acceptance again; keep the folder if you did not expect this",
    )
