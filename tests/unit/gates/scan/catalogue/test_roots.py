"""The prefilter cannot lose a literal: each contains a root, at the start of a word; and no root is idle."""

from __future__ import annotations

import re
from functools import cache
from typing import get_args

import pytest

from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.catalogue.compile import compile_index, literals_of, read_providers
from aegis.gates.scan.catalogue.names import SEPARATORS
from aegis.gates.scan.model import Surface

PROVIDERS = read_providers()
INDEX = compile_index(PROVIDERS)
CATALOGUE = Catalogue(INDEX, tuple(PROVIDERS))
IN_FILES: tuple[Surface, ...] = ("python", "npm", "go", "java", "pypi", "maven", "image", "action", "terraform")


def spellings(surface: Surface, literal: str) -> set[str]:
    """How files write the literal: a distribution with any of the three joints."""
    name = literal.removesuffix("*")
    return {name.replace("-", joint) for joint in "-_."} if surface == "pypi" else {name}


def found_by(roots: tuple[str, ...], text: str) -> bool:
    return _pattern(roots).search(text) is not None


@cache
def _pattern(roots: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, roots)) or '(?!)'})", re.IGNORECASE)


def literals(surface: Surface, only: str | None = None) -> list[str]:
    return [
        literal
        for name, provider in PROVIDERS.items()
        if only in (None, name) and surface in provider.surfaces
        for literal in literals_of(provider.surfaces[surface])
    ]


@pytest.mark.parametrize("surface", IN_FILES)
def test_every_literal_contains_a_root(surface: Surface) -> None:
    for literal in literals(surface):
        for text in spellings(surface, literal):
            assert found_by(CATALOGUE.roots, text), text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_literal_contains_a_root_of_its_provider_alone(provider: str) -> None:
    alone = Catalogue(INDEX, (provider,))
    for surface in IN_FILES:
        for literal in literals(surface, provider):
            for text in spellings(surface, literal):
                assert found_by(alone.roots, text), text


@pytest.mark.parametrize("surface", ["python", "npm", "go", "java", "maven"])
def test_the_root_of_a_literal_lies_within_one_segment(surface: Surface) -> None:
    for literal in literals(surface):
        segments = re.split(f"[{re.escape(SEPARATORS[surface])}]", literal.removesuffix("*"))
        assert any(found_by(CATALOGUE.roots, segment) for segment in segments), literal


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_root_is_idle(provider: str) -> None:
    roots = Catalogue(INDEX, (provider,)).roots
    texts = {text for surface in IN_FILES for each in literals(surface, provider) for text in spellings(surface, each)}
    for root in roots:
        rest = tuple(each for each in roots if each != root)
        assert not all(found_by(rest, text) for text in texts), root


def test_roots_are_in_lower_case() -> None:
    assert [root for root in CATALOGUE.roots if root != root.lower()] == []


def test_every_command_begins_with_a_command_root_or_runs_its_module() -> None:
    for literal in literals("command"):
        words = literal.split(" ")
        assert words[0] in CATALOGUE.command_roots or words[2] in CATALOGUE.command_roots, literal
    assert "python" not in CATALOGUE.command_roots


def test_commands_and_schemes_add_no_roots() -> None:
    assert set(get_args(Surface)) - set(IN_FILES) == {"command", "scheme"}
    assert not found_by(CATALOGUE.roots, "eksctl")
