"""`aegis evidence put`: a gate's verdict is signed, and stored below what it is about."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from aegis.adapters.github.context import source_from_environment
from aegis.cli.evidence.places import Place, opened
from aegis.cli.evidence.policy import Policed, Surroundings, read_policy
from aegis.cli.files import read_file
from aegis.cli.sign import signed_statement
from aegis.core.errors import Refused, UsageError
from aegis.core.policy import GateName
from aegis.core.verdict import PREDICATE_TYPE, Subject, Verdict
from aegis.evidence import record, storing
from aegis.report import predicate
from aegis.report.escape import terminal
from aegis.signatures.attestation import STRONG
from aegis.signatures.models.sign import canonical
from aegis.signatures.statement import V1
from aegis.signatures.verdict_document import LIMIT, read_verdict
from aegis.storage.location import parse_location

_SUBJECT = re.compile(r"(?P<name>[!-~]{1,500})@sha256:(?P<sha256>[0-9a-f]{64})")


def run(arguments: argparse.Namespace) -> int:
    """Store every verdict of a folder. All of them are read and looked at before the first one is signed."""
    around = Surroundings.of(os.environ)
    given = documents(arguments.folder)
    for _, verdict in given:
        _check_run(verdict, around)
    subjects = _subjects(arguments)
    if arguments.bundle is not None and len(given) > 1:
        raise UsageError(
            "core.wrong_usage",
            f"--bundle with the {len(given)} verdicts of {str(arguments.folder)!r}",
            expected="the folder of one gate",
            remedy="name the folder below it whose verdict was signed",
        )
    policed = None if arguments.to else read_policy(arguments.path, arguments.policy, around)
    place = _place(arguments, policed, around)
    for document, verdict in given:
        bundle = _bundle(arguments, document, verdict, subjects)
        said = record.unverified(bundle, name=str(arguments.bundle or "the new signature"))
        if policed is not None:
            # what nobody would believe is not stored
            record.verified(bundle, policed.trust(), name=str(arguments.bundle or "the new signature"))
        record.document_of(document, said)
        stored = storing.put(place.store, place.prefix, document, bundle, said, verdict, until=_until(policed, verdict))
        sys.stdout.writelines(f"{terminal(f'{place.store.location}/{key}')}\n" for key in stored.keys)
    return 0


def documents(folder: Path) -> Sequence[tuple[bytes, Verdict]]:
    """The verdicts in a folder: its own, or of `aegis all` those of the gates that it has asked."""
    document, verdict = _document(folder)
    if verdict.gate != "all":
        return [(document, verdict)]
    below = [
        _document(folder / each.name)
        for each in verdict.evidence
        if each.name in get_args(GateName) and isinstance(each.value, dict) and each.value.get("result") != "not-run"
    ]
    if not below:
        raise UsageError(
            "core.wrong_usage",
            f"{str(folder)!r} holds a verdict over no gate",
            expected="the verdict of a gate, or of `aegis all` with at least one",
            remedy="name the folder that a gate has written",
        )
    return below


def _document(folder: Path) -> tuple[bytes, Verdict]:
    file = folder / "verdict.json"
    content = read_file(file, LIMIT)
    return content, read_verdict(content, str(file))


def _check_run(verdict: Verdict, around: Surroundings) -> None:
    """In a workflow only its own verdicts: what another run has left behind says nothing about this one."""
    if not around.github:
        return
    here = source_from_environment(around.environ, None)
    if here.run_url is None or (verdict.source.run_url, verdict.source.commit) != (here.run_url, here.commit):
        raise Refused(
            "evidence.other_run",
            f"the verdict of {verdict.gate} is of the run {verdict.source.run_url} for {verdict.source.commit}",
            expected=f"one of this run: {here.run_url} for {here.commit}",
            remedy="Store a verdict in the run that has given it, and take it over from its own jobs alone.",
        )


def _bundle(
    arguments: argparse.Namespace, document: bytes, verdict: Verdict, subjects: Sequence[Mapping[str, Any]]
) -> bytes:
    """What was signed before, or a new signature."""
    if arguments.bundle is not None:
        return read_file(arguments.bundle, record.MAX_BUNDLE)
    named = [
        {"name": "verdict.json", "digest": {"sha256": hashlib.sha256(document).hexdigest()}},
        *({"name": each.name, "digest": digest} for each in verdict.subject if (digest := _digest(each))),
        *subjects,
    ]
    said = json.loads(predicate.render(verdict, document))
    payload = canonical({"_type": V1, "subject": named, "predicateType": PREDICATE_TYPE, "predicate": said})
    return signed_statement(arguments, payload)


def _digest(subject: Subject) -> Mapping[str, str]:
    """Of files: Sigstore's own client signs for no commit, which is bound by the verdict that names it."""
    return {name: value for name, value in subject.digest.items() if name in STRONG}


def _subjects(arguments: argparse.Namespace) -> Sequence[Mapping[str, Any]]:
    if arguments.subject and arguments.bundle is not None:
        raise UsageError(
            "core.wrong_usage",
            "--subject with --bundle",
            expected="the subjects that were signed",
            remedy="name them where it is signed",
        )
    return [_subject(text) for text in arguments.subject]


def _subject(text: str) -> Mapping[str, Any]:
    found = _SUBJECT.fullmatch(text)
    if found is None:
        raise UsageError(
            "core.wrong_usage",
            f"--subject is {text[:200]!r}",
            expected="NAME@sha256:HEX, e.g. registry.example.com/shop/api@sha256:…",
            remedy="name the image by its digest, as its push has told it",
        )
    return {"name": found["name"], "digest": {"sha256": found["sha256"]}}


def _place(arguments: argparse.Namespace, policed: Policed | None, around: Surroundings) -> Place:
    if policed is not None:
        return opened(parse_location(policed.section.store), policed.section, around, "write", policed.root)
    return opened(parse_location(arguments.to), None, around, "write", Path.cwd())


def _until(policed: Policed | None, verdict: Verdict) -> datetime.datetime | None:
    """To when at least the store must hold it: from now on, less what a request takes."""
    if policed is None or policed.section.retain is None:
        return None
    now = datetime.datetime.now(datetime.UTC)
    return now + datetime.timedelta(days=policed.section.retain.days) - record.CLOCKS_DIFFER
