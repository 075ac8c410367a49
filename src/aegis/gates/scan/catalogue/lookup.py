"""The catalogue at run time: reads the compiled index and answers whose a name is."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from aegis.core.errors import CouldNotDecide, UsageError
from aegis.gates.scan.catalogue.names import normalise, parents, squash, unversioned
from aegis.gates.scan.model import Entry, Surface

INDEX = Path(__file__).with_name("index.json")
MAX_AGE_DAYS = 90
"""A quarter: SDKs gain packages every month, and the weekly check of the sources should have said so long before."""

COMPILED_KEYS = frozenset({"as_of", "roots", "command_roots", "surfaces", "templates", "services", "closed"})
"""What `compile.compile_index` writes for each provider."""

Kind = Literal["sdk", "stub", "wrapper", "shared"]


class _Row(NamedTuple):
    provider: str
    literal: str
    kind: str
    """A `Kind`, or `not`: listed so that its parent does not claim it."""


class _Table:
    """All literals of one surface, ready to be looked up."""

    def __init__(self, surface: Surface, providers: Mapping[str, Any]) -> None:
        """Gather the literals; one that ends in `*` is a prefix within one segment.

        A wrapper of several providers is listed by each of them, so that it is found whichever is asked for; where all
        are asked for, the first answers.
        """
        self.exact: dict[str, _Row] = {}
        self.prefixes: dict[str, _Row] = {}
        for provider, compiled in providers.items():
            for kind, literals in compiled["surfaces"].get(surface, {}).items():
                for literal in literals:
                    row = _Row(provider, literal, kind)
                    if literal.endswith("*"):
                        self.prefixes.setdefault(normalise(surface, f"{literal[:-1]}x")[:-1], row)
                    else:
                        self.exact.setdefault(normalise(surface, literal), row)
        self._starts = tuple(self.prefixes)

    def find(self, surface: Surface, name: str) -> _Row | None:
        """The row with the longest literal that the name belongs to."""
        best = next((key for key in parents(surface, name) if key in self.exact), None)
        if name.startswith(self._starts):
            longest = max((start for start in self._starts if name.startswith(start)), key=len)
            if len(longest) > len(best or "") and len(name) > len(longest):
                return self.prefixes[longest]
        return None if best is None else self.exact[best]


class Catalogue:
    """Answers, for one surface at a time, which provider a name belongs to."""

    def __init__(self, index: Mapping[str, Any], providers: tuple[str, ...]) -> None:
        """`index` is what `compile.compile_index` wrote; `providers` are those that count."""
        self._compiled: dict[str, Any] = {name: index["providers"][name] for name in providers}
        self._tables: dict[Surface, _Table] = {}
        self._templates: dict[tuple[str, Surface], tuple[re.Pattern[str], ...]] = {}
        self.providers = providers
        self.as_of = min(datetime.date.fromisoformat(each["as_of"]) for each in self._compiled.values())
        """The oldest date of the providers in use."""
        self.roots = self._union("roots")
        """Tokens one of which stands in every literal that a file can hold, in any case, no letter or digit before."""
        self.command_roots = self._union("command_roots")

    def match(self, surface: Surface, name: str) -> Entry | None:
        """The most specific entry that the name belongs to."""
        table = self._tables.get(surface)
        if table is None:
            table = self._tables[surface] = _Table(surface, self._compiled)
        known = normalise(surface, name)
        row = table.find(surface, known)
        if row is None or row.kind == "not":
            return None
        service = self._service(row.provider, surface, known)
        return Entry(row.provider, surface, row.literal, cast("Kind", row.kind), service)

    def entries(self, surface: Surface) -> tuple[Entry, ...]:
        """Every entry of one surface, without services."""
        return tuple(
            Entry(provider, surface, literal, cast("Kind", kind))
            for provider, compiled in self._compiled.items()
            for kind, literals in compiled["surfaces"].get(surface, {}).items()
            if kind != "not"
            for literal in literals
        )

    def exclusions(self, provider: str, surface: Surface) -> tuple[str, ...]:
        """Literals below an entry of this provider that are nobody's SDK."""
        return tuple(self._compiled[provider]["surfaces"].get(surface, {}).get("not", ()))

    def service_of_client(self, provider: str, client: str) -> str | None:
        """The service behind a client's name as code gives it to a factory: `boto3.client("s3")`."""
        compiled = self._compiled.get(provider)
        return None if compiled is None else compiled["services"].get(squash(client))

    def age_notice(self, today: datetime.date) -> str | None:
        """A warning when the catalogue is so old that new SDKs may be missing."""
        days = (today - self.as_of).days
        if days <= MAX_AGE_DAYS:
            return None
        return f"The SDK catalogue is of {self.as_of} ({days} days old): newer packages may be missing; update Aegis."

    def _union(self, key: str) -> tuple[str, ...]:
        return tuple(sorted({token for each in self._compiled.values() for token in each[key]}))

    def _service(self, provider: str, surface: Surface, name: str) -> str | None:
        """What the provider's naming templates of this surface read out of the name."""
        key = (provider, surface)
        templates = self._templates.get(key)
        if templates is None:
            spelt = self._compiled[provider]["templates"].get(surface, ())
            templates = self._templates[key] = tuple(re.compile(pattern) for pattern in spelt)
        for template in templates:
            if found := template.match(name):
                return self._known_as(provider, found["service"])
        return None

    def _known_as(self, provider: str, spelling: str) -> str | None:
        """The name of the service that is spelt so; an unknown one only where the provider's list is not complete."""
        compiled = self._compiled[provider]
        for each in (squash(spelling), squash(unversioned(spelling))):
            if each in compiled["services"]:
                return cast("str", compiled["services"][each])
        return None if compiled["closed"] else squash(unversioned(spelling))


def load(providers: Collection[str] | None = None) -> Catalogue:
    """The compiled catalogue, of all providers or of those that are named."""
    index = _read_index()
    known = tuple(sorted(index["providers"]))
    chosen = known if providers is None else tuple(sorted(set(providers)))
    for name in chosen:
        if name not in known:
            raise _unknown(name, known)
    if not chosen:
        raise UsageError(
            "scan.unknown_provider",
            "The list of providers is empty, so nothing would be looked for.",
            expected=f"at least one of: {', '.join(known)}",
            remedy="Name a provider, or leave the list out to look for all of them.",
        )
    return Catalogue(index, chosen)


def _read_index() -> dict[str, Any]:
    try:
        index = cast("dict[str, Any]", json.loads(INDEX.read_bytes()))
        if not all(compiled.keys() >= COMPILED_KEYS for compiled in index["providers"].values()):
            raise KeyError(f"one of {', '.join(sorted(COMPILED_KEYS))} is missing")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CouldNotDecide(
            "scan.catalogue_invalid",
            f"The compiled catalogue could not be read: {error}",
            expected=f"the JSON file {INDEX} of this release",
            remedy="Reinstall Aegis at a released version.",
        ) from error
    return index


def _unknown(name: str, known: tuple[str, ...]) -> UsageError:
    import difflib  # only a mistake pays for it

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return UsageError(
        "scan.unknown_provider",
        f"The catalogue has no provider '{name}'.",
        expected=f"one of: {', '.join(known)}",
        remedy=f"Did you mean '{near[0]}'? Correct the name.",
    )
