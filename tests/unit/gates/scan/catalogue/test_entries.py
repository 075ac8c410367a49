"""Every entry has a use that it finds and near misses that it does not.

The cases are made from the literals alone, by rules that share nothing with the lookup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, get_args

import pytest

from aegis.gates.scan.catalogue import Catalogue, load
from aegis.gates.scan.catalogue.compile import Provider, read_providers
from aegis.gates.scan.model import Surface

PROVIDERS = read_providers()
CATALOGUE = load()
SURFACES: tuple[Surface, ...] = get_args(Surface)
JOINTS: dict[Surface, str] = {
    "python": ".", "npm": "/", "go": "/", "java": ".", "maven": ".", "command": " ", "image": "/", "action": "/",
}  # fmt: skip


class Listed(NamedTuple):
    provider: str
    kind: str
    literal: str


def listed(surface: Surface) -> list[Listed]:
    return [entry for provider in PROVIDERS.values() for entry in _of(provider, surface)]


def _of(provider: Provider, surface: Surface) -> Iterator[Listed]:
    names = provider.surfaces.get(surface)
    if names is not None:
        for kind in ("sdk", "stub", "wrapper", "shared"):
            yield from (Listed(provider.provider, kind, literal) for literal in getattr(names, kind))


def excluded(surface: Surface) -> list[tuple[str, str]]:
    return [
        (provider.provider, literal)
        for provider in PROVIDERS.values()
        if surface in provider.surfaces
        for literal in provider.surfaces[surface].exclude
    ]


def uses(surface: Surface, literal: str) -> Iterator[str]:
    """Names that belong to the literal."""
    name = literal.replace("*", "zz")
    yield name
    if surface == "pypi":
        yield name.upper().replace("-", "__")
        yield name.replace("-", ".")
    elif surface == "scheme":
        yield name.upper()
    elif surface == "terraform":
        yield f"registry.terraform.io/{name}"
        yield name.upper()
    elif surface == "maven":
        yield f"{name}zz" if literal.endswith("*") else name if ":" in name else f"{name}:any"
    elif surface == "image":
        yield from (f"{name}:2.1", f"{name}@sha256:{'0' * 64}", f"{name}/sub:2", name.upper())
        if "." not in name.partition("/")[0]:
            yield f"docker.io/{name}:1"
            yield f"mirror.example:5000/{name}"
    elif surface == "action":
        yield from (f"{name}@v4", f"{name}/sub@{'0' * 40}", name.upper())
    elif surface == "command":
        yield from (f"{name} --flag", f"/usr/local/bin/{name} x", f"C:\\tools\\{name}")
    else:
        yield name + JOINTS[surface] + "sub"
        yield name + JOINTS[surface] + "a" + JOINTS[surface] + "b"


def near_misses(surface: Surface, literal: str) -> Iterator[str]:
    """Names that only look as if they belonged to the literal."""
    name = literal.removesuffix("*")
    if surface == "terraform":
        yield from (f"{name}x", f"x{name}", name.replace("/", "x/", 1))
        return
    if literal.endswith("*"):
        yield name
    else:
        yield from (f"{name}x", f"{name}-x", f"{name}_x", f"{name}2")
    yield f"x{name}"
    yield f"x-{name}"
    if surface not in ("pypi", "scheme"):
        yield f"my{JOINTS[surface]}{name}"
    if surface == "python":
        yield from (f".{name}", name.replace("_", "-") if "_" in name else f"{name}-", f"_{name}")
    if surface == "npm":
        yield from (f"./{name}", f"@my/{name.lstrip('@')}", f"../{name}/x")
    if surface == "go":
        yield f"example.com/{name}"


def parents(surface: Surface, literal: str) -> Iterator[str]:
    joint = JOINTS.get(surface)
    while joint and joint in literal:
        literal = literal.rpartition(joint)[0]
        yield literal


@pytest.mark.parametrize("surface", SURFACES)
def test_each_literal_finds_its_uses(surface: Surface) -> None:
    entries = listed(surface)
    assert entries
    first = {entry.literal: entry for entry in reversed(entries)}
    for entry in entries:
        for name in uses(surface, entry.literal):
            found = CATALOGUE.match(surface, name)
            assert found is not None, (entry, name)
            assert (found.literal, found.kind, found.surface) == (entry.literal, entry.kind, surface), (entry, name)
            assert found.provider == first[entry.literal].provider


@pytest.mark.parametrize("surface", SURFACES)
def test_each_literal_is_found_when_only_its_provider_is_asked_for(surface: Surface) -> None:
    alone: dict[str, Catalogue] = {name: load([name]) for name in PROVIDERS}
    for entry in listed(surface):
        found = alone[entry.provider].match(surface, entry.literal.replace("*", "zz"))
        assert found is not None, entry
        assert (found.provider, found.literal) == (entry.provider, entry.literal)
        for other in PROVIDERS.keys() - {entry.provider}:
            foreign = alone[other].match(surface, entry.literal.replace("*", "zz"))
            assert foreign is None or foreign.kind == "wrapper", (entry, other)


@pytest.mark.parametrize("surface", SURFACES)
def test_no_literal_claims_its_near_misses(surface: Surface) -> None:
    literals = {entry.literal for entry in listed(surface)}
    for entry in listed(surface):
        for name in near_misses(surface, entry.literal):
            found = CATALOGUE.match(surface, name)
            if found is None:
                continue
            assert found.literal != entry.literal, (entry, name)
            # Somebody else may claim it only if it says so itself: the name, its prefix, or a parent is listed.
            spelt = name.replace("_", "-") if surface == "pypi" else name
            claims = spelt.startswith(found.literal.removesuffix("*")) or found.literal.lower() == name.lower()
            assert claims, (entry, name, found)
            assert found.literal in literals


@pytest.mark.parametrize("surface", SURFACES)
def test_no_literal_claims_its_parents(surface: Surface) -> None:
    literals = {entry.literal for entry in listed(surface)}
    for entry in listed(surface):
        chain = list(parents(surface, entry.literal.removesuffix("*")))
        for at, name in enumerate(chain):
            if not literals & set(chain[at:]):
                assert CATALOGUE.match(surface, name) is None, (entry, name)


@pytest.mark.parametrize("surface", SURFACES)
def test_exclusions_hold_and_are_needed(surface: Surface) -> None:
    for provider, literal in excluded(surface):
        name = literal.replace("*", "zz")
        assert CATALOGUE.match(surface, name) is None, literal
        if surface in ("python", "npm", "java"):
            assert CATALOGUE.match(surface, name + JOINTS[surface] + "sub") is None
        without = literal.removesuffix("*").rstrip("-")
        shorter = [other.literal for other in listed(surface) if other.provider == provider]
        assert any(without.startswith(each) for each in shorter), f"nothing would claim {literal}"


@pytest.mark.parametrize("surface", SURFACES)
def test_no_literal_is_covered_by_a_shorter_one_of_the_same_kind(surface: Surface) -> None:
    entries = set(listed(surface))
    for entry in entries:
        for parent in parents(surface, entry.literal):
            assert entry._replace(literal=parent) not in entries, entry
