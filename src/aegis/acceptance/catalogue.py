"""The catalogue: criteria of the runbook, and for each mode the probe, its faults and what it needs.

`acceptance/catalogue.yml` is read into these types. A negative probe is the same program with a planted fault, so that
it is the probe itself that is proven: it has to come out `fail`, for one of the reasons that the fault names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from aegis.core.errors import UsageError
from aegis.core.strict_yaml import Document, Kind, compose, convert

Mode = Literal["local", "staging"]
MODES: Final[tuple[Mode, ...]] = ("local", "staging")
POSITIVE: Final = "positive"
"""The name of the probe that looks at the real thing."""

Text = Annotated[str, Meta(min_length=1, max_length=500)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$(?!\n)")]
Reason = Annotated[str, Meta(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$(?!\n)", max_length=100)]
Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)", max_length=100)]

_KIND: Final = Kind("acceptance.catalogue_invalid", "docs/acceptance.md, the catalogue", "`version: 1` and criteria")


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors: a misspelt fault must not be a missing one."""


class Fault(_Section, frozen=True):
    """Something that is planted, and that the probe has to see."""

    name: Name
    plants: Text
    """What is done, for people."""
    reasons: Annotated[tuple[Reason, ...], Meta(min_length=1)]
    """The codes with which the probe may fail; any other proves nothing."""


class Needs(_Section, frozen=True):
    """What a probe cannot run without."""

    programs: tuple[Text, ...] = ()
    environment: tuple[Variable, ...] = ()
    config: tuple[Text, ...] = ()
    """Keys of the staging configuration, with dots, e.g. `api.url`."""


class Probe(_Section, frozen=True):
    """One program that looks at a criterion."""

    run: Annotated[tuple[Text, ...], Meta(min_length=1)]
    """Its arguments; `{python}` is the Python that runs Aegis."""
    faults: Annotated[tuple[Fault, ...], Meta(min_length=1)]
    timeout: Annotated[int, Meta(ge=1, le=3600)]
    """Seconds that each run of it may take."""
    evidence: Text
    """What it leaves behind, for people."""
    simulated: tuple[Text, ...] = ()
    """Parts that are no real ones; always said beside the result."""
    needs: Needs = Needs()
    secrets: tuple[Variable, ...] = ()
    """Variables that it gets although their names look like secrets."""

    def fault(self, name: str) -> Fault | None:
        """The fault of that name."""
        return next((fault for fault in self.faults if fault.name == name), None)


class Criterion(_Section, frozen=True):
    """One acceptance criterion."""

    id: Annotated[str, Meta(pattern=r"^A[1-9][0-9]?$(?!\n)")]
    title: Text
    runbook: Annotated[tuple[Text, ...], Meta(min_length=1)]
    """The runbook's own lines that it answers."""
    local: Probe | None = None
    staging: Probe | None = None

    def probe(self, mode: Mode) -> Probe | None:
        """How it is looked at in this mode; None: not at all."""
        return self.local if mode == "local" else self.staging


class Catalogue(_Section, frozen=True):
    """Everything that there is to accept."""

    version: Literal[1]
    criteria: Annotated[tuple[Criterion, ...], Meta(min_length=1, max_length=99)]


@dataclass(frozen=True, slots=True)
class LoadedCatalogue:
    """A catalogue with the digest (hex) of its bytes."""

    criteria: tuple[Criterion, ...]
    origin: str
    sha256: str
    content: bytes

    def criterion(self, name: str) -> Criterion | None:
        """The criterion of that id."""
        return next((criterion for criterion in self.criteria if criterion.id == name), None)


def parse_catalogue(data: bytes, *, file: str) -> LoadedCatalogue:
    """Read a catalogue. Raises UsageError `acceptance.catalogue_invalid`, with the place in the file."""
    document = Document(file, _KIND)
    catalogue = convert(compose(data, document), Catalogue, document)
    ids = [criterion.id for criterion in catalogue.criteria]
    for index, criterion in enumerate(catalogue.criteria):
        at = document.marks.get(("criteria", index))
        if criterion.id in ids[:index]:
            raise document.invalid(at, f"{criterion.id} stands twice", "each criterion once", "delete one of them")
        if criterion.local is None and criterion.staging is None:
            raise document.invalid(at, f"{criterion.id} has no probe", "`local`, `staging` or both", "write one")
        for probe in filter(None, (criterion.local, criterion.staging)):
            names = [POSITIVE, *(fault.name for fault in probe.faults)]
            if len(set(names)) < len(names):
                problem = f"{criterion.id} has two faults of one name, or one that is called {POSITIVE}"
                raise document.invalid(at, problem, "each fault once", "give it another name")
    return LoadedCatalogue(catalogue.criteria, file, hashlib.sha256(data).hexdigest(), data)


def chosen(catalogue: LoadedCatalogue, only: Sequence[str]) -> tuple[Criterion, ...]:
    """The criteria that were asked for; none named means all. UsageError `acceptance.unknown_name`."""
    for name in only:
        if catalogue.criterion(name) is None:
            raise _unknown(f"there is no criterion {name[:100]!a}", (one.id for one in catalogue.criteria))
    return tuple(one for one in catalogue.criteria if not only or one.id in only)


def planted(asked: Iterable[Criterion], mode: Mode, plants: Sequence[str]) -> Mapping[str, Fault]:
    """Criterion to the fault that is planted in it: `A4` its first, `A4:NAME` that one. `acceptance.unknown_name`."""
    known = {one.id: one for one in asked}
    found: dict[str, Fault] = {}
    for plant in plants:
        name, _, wanted = plant.partition(":")
        probe = known[name].probe(mode) if name in known else None
        if probe is None:
            raise _unknown(f"--plant {plant[:100]!a}: no such criterion is run", known)
        fault = probe.fault(wanted) if wanted else probe.faults[0]
        if fault is None:
            raise _unknown(f"{name} has no fault {wanted[:100]!a}", (one.name for one in probe.faults))
        if name in found:
            raise _unknown(f"--plant names {name} twice", known)
        found[name] = fault
    return found


def _unknown(problem: str, known: Iterable[str]) -> UsageError:
    return UsageError(
        "acceptance.unknown_name",
        problem,
        expected=f"one of {', '.join(known) or 'nothing: there is none'}, each once",
        remedy="`aegis acceptance --mode plan` lists criteria and their faults",
    )
