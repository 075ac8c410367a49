"""What the arguments ask for: the repository, its catalogue, the criteria, the staging configuration."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aegis.acceptance.catalogue import Criterion, LoadedCatalogue, Probe, chosen, parse_catalogue
from aegis.acceptance.running import missing
from aegis.acceptance.staging import FILE, Staging, configured, parse_staging, variables
from aegis.adapters.git.state import TreeState, tree_state
from aegis.cli.acceptance.command import CATALOGUE
from aegis.cli.files import read_file
from aegis.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asked:
    """One run."""

    tree: TreeState
    catalogue: LoadedCatalogue
    criteria: tuple[Criterion, ...]
    config: Path | None
    """The staging configuration's file."""
    config_content: bytes | None
    staging: Staging | None

    def missing(self, probe: Probe, environ: Mapping[str, str]) -> list[str]:
        """What a probe needs and has not."""
        return missing(probe, environ, lambda key: configured(self.staging, key, environ))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Variables that the configuration names, which probes get beside those of the catalogue."""
        return variables(self.staging)


def asked_for(arguments: argparse.Namespace, *, staging: bool, without: Path | None) -> Asked:
    """Read everything. `without`: a folder that does not count as a change of the tree. Raises UsageError."""
    tree = tree_state(arguments.path, () if without is None else (without,))
    place = tree.root / CATALOGUE
    if not place.is_file():
        raise UsageError(
            "acceptance.catalogue_invalid",
            f"there is no {CATALOGUE} in {tree.root}",
            expected="a catalogue of criteria",
            remedy="run it in a clone of Aegis, or write one: docs/acceptance.md",
        )
    catalogue = parse_catalogue(read_file(place), file=CATALOGUE)
    criteria = chosen(catalogue, arguments.only)
    config = _config(arguments, tree.root) if staging else None
    content = read_file(config) if config is not None else None
    read = parse_staging(content, file=str(config)) if content is not None else None
    return Asked(tree, catalogue, criteria, config, content, read)


def _config(arguments: argparse.Namespace, root: Path) -> Path | None:
    if arguments.config is not None:
        named: Path = arguments.config
        return named.absolute()
    usual = root / FILE
    return usual if usual.is_file() else None
