"""`aegis evidence verify`: one signed verdict, in a store or as a file."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from aegis.cli.evidence.demands import Policies, max_age_of, told
from aegis.cli.evidence.places import Place, opened
from aegis.cli.evidence.policy import Surroundings
from aegis.cli.files import read_file
from aegis.core.errors import AegisError, Refused, UsageError
from aegis.evidence import layout, record
from aegis.evidence.finding import Asked, Held, problems_of, read_entry
from aegis.evidence.layout import About, Entry, entry_of, stamp_of
from aegis.signatures.types import Trust
from aegis.storage.location import parse_location

_PLACED = re.compile(
    r"(?P<prefix>(?:.*/)?)(?P<kind>commit|sha256)/(?P<value>[0-9a-f]{40}(?:[0-9a-f]{24})?)/(?P<rest>[a-z-]+/[^/]+)"
)


def run(arguments: argparse.Namespace) -> int:
    """Verify it."""
    around = Surroundings.of(os.environ)
    policies = Policies(arguments, around)
    asked = Asked((), max_age_of(arguments), arguments.any_result)
    about = _about(arguments)
    trust = policies.trust()
    placed = _placed(arguments.bundle)
    if placed is not None:
        prefix, own, rest = placed
        held = _stored(_store(prefix, policies, around), own, rest, trust)
    else:
        own = None
        held = _alone(arguments, trust)
    if about is not None and about != own:
        if about.kind == "commit" and held.verdict is None:
            raise UsageError(
                "core.wrong_usage",
                "--commit for a bundle that lies alone",
                expected="its verdict.json too, which names the commit",
                remedy="name it by --verdict",
            )
        record.check_about(held.said, about, held.verdict)
    problems: Sequence[AegisError] = [*_gate(arguments, held), *problems_of(held, asked, trust.now)]
    return told(arguments, {"bundle": arguments.bundle}, [held], problems)


def _about(arguments: argparse.Namespace) -> About | None:
    if arguments.commit is not None:
        return layout.commit(arguments.commit)
    return layout.digest(arguments.digest) if arguments.digest is not None else None


def _placed(text: str) -> tuple[str, About, str] | None:
    """The store, what the place is about, and the name below it; None for a bundle anywhere else."""
    found = _PLACED.fullmatch(text)
    if found is None:
        return None
    about = About("commit" if found["kind"] == "commit" else "sha256", found["value"])
    return found["prefix"] or "./", about, found["rest"]


def _store(prefix: str, policies: Policies, around: Surroundings) -> Place:
    """With the policy's credentials where it is the policy's store."""
    location = parse_location(prefix)
    if location.scheme == "file":
        return opened(location, None, around, "read", Path.cwd())
    section = policies.section_for(prefix)
    return opened(location, section, around, "read", Path.cwd())


def _stored(place: Place, about: About, rest: str, trust: Trust) -> Held:
    key = f"{place.prefix}{about.folder}{rest}"
    entry = entry_of(key, place.prefix + about.folder)
    if entry is None:
        raise record.misplaced(
            f"{place.store.location}/{key} has no name of a signed verdict",
            "a bundle by the name that `aegis evidence put` gives it",
        )
    return read_entry(place.store, place.prefix, about, entry, trust)


def _alone(arguments: argparse.Namespace, trust: Trust) -> Held:
    """A bundle that was taken out of its store, or was never in one."""
    bundle = read_file(Path(arguments.bundle), record.MAX_BUNDLE)
    said, signed_by = record.verified(bundle, trust, name=arguments.bundle)
    verdict = None
    if arguments.verdict is not None:
        verdict = record.document_of(read_file(arguments.verdict, record.MAX_VERDICT), said)
    sha256 = hashlib.sha256(bundle).hexdigest()
    entry = Entry(key=arguments.bundle, gate=said.gate, stamp=stamp_of(said.finished), sha256=sha256)
    return Held(entry=entry, said=said, signed_by=signed_by, verdict=verdict)


def _gate(arguments: argparse.Namespace, held: Held) -> Sequence[AegisError]:
    if arguments.gate in {None, held.said.gate}:
        return ()
    return [
        Refused(
            "evidence.misplaced",
            f"the verdict is by the gate {held.said.gate}",
            expected=f"one by the gate {arguments.gate}",
            remedy="Ask for the verdicts of that gate: `aegis evidence find --gate`.",
        )
    ]
