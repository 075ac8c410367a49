"""`aegis evidence find`: whether a commit or an artifact has verdicts that count, and which."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from aegis.cli.evidence.demands import Policies, max_age_of, told
from aegis.cli.evidence.places import opened
from aegis.cli.evidence.policy import Surroundings
from aegis.cli.files import read_file, write
from aegis.core.errors import Refused
from aegis.evidence import layout, remembered
from aegis.evidence.finding import Asked, find
from aegis.storage.location import parse_location


def run(arguments: argparse.Namespace) -> int:
    """Look for them."""
    around = Surroundings.of(os.environ)
    policies = Policies(arguments, around)
    about = layout.commit(arguments.commit) if arguments.commit is not None else layout.digest(arguments.digest)
    asked = Asked(tuple(dict.fromkeys(arguments.gate)), max_age_of(arguments), arguments.any_result)
    trust = policies.trust()
    if arguments.source is not None:
        place = opened(parse_location(arguments.source), None, around, "read", Path.cwd())
    else:
        policed = policies()
        place = opened(parse_location(policed.section.store), policed.section, around, "read", policed.root)
    found = find(place.store, place.prefix, about, asked, trust, everything=arguments.all)
    problems = list(found.problems)
    if arguments.remember is not None:
        memory = _memory(arguments.remember)
        try:
            remembered.check(memory, place.store.location, place.prefix + about.folder, found.newest)
        except Refused as error:
            problems.append(error)
        else:
            entries = [each.entry for each in found.held]
            write(arguments.remember, remembered.render(remembered.noted(memory, place.store.location, entries)))
    head = {"about": str(about), "store": f"{place.store.location}/{place.prefix}"}
    return told(arguments, head, found.held, problems)


def _memory(file: Path) -> remembered.Remembered:
    if not file.exists():
        return remembered.Remembered({})
    return remembered.parse(read_file(file, remembered.MAX_BYTES), name=str(file))
