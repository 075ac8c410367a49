"""Turns the providers' YAML files, checked against their types, into what `lookup` reads at run time."""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct, field

from aegis.core.errors import UsageError
from aegis.gates.scan.catalogue.names import normalise, squash
from aegis.gates.scan.catalogue.roots import command_roots, roots
from aegis.gates.scan.model import Surface

HERE = Path(__file__).parent
SCHEMA_ID = "https://aegis-gates.dev/schemas/catalogue"

Text = Annotated[str, Meta(min_length=1, max_length=500)]
Literal_ = Annotated[str, Meta(pattern=r"^[^\s*][^*]*\*?$", max_length=200)]
Format = Literal["azure-csv", "github-folders"]
"""How a source is read: a table with the column `Package`, or GitHub's listing of a folder."""
Literals = tuple[Literal_, ...]


class _Closed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors: a misspelt key would be a list that nobody reads."""


class Source(_Closed, frozen=True):
    """Where a part of the list comes from."""

    url: Annotated[str, Meta(pattern="^https://")]
    what: Text
    lists: Surface | Literal["client"] | None = None
    """What the source lists, where a program can compare it; `client` is a name of `services.names`."""
    format: Format | None = None
    prefix: str = ""
    """What the source leaves out at the start of each name."""
    ignore: dict[Text, Text] = field(default_factory=dict)
    """Names that the source lists and that are no SDK, each with the reason."""


class Names(_Closed, frozen=True):
    """The literals of one surface by kind. One that ends in `*` is a prefix within its last segment."""

    sdk: Literals = ()
    stub: Literals = ()
    wrapper: Literals = ()
    shared: Literals = ()
    exclude: dict[Literal_, Text] = field(default_factory=dict)
    """Names that a shorter literal would claim and that are no SDK, each with the reason."""


class Services(_Closed, frozen=True):
    """How to tell the service from a name."""

    templates: dict[Surface, tuple[Text, ...]] = field(default_factory=dict)
    """Names with `{service}` where the service stands and `{any}` for a segment that says nothing."""
    closed: bool = False
    """Only `names` are services; what else a template finds (`aws configure`) is none."""
    names: dict[Text, tuple[Text, ...]] = field(default_factory=dict)
    """Service as clients call it, with the other spellings that templates find."""


class Provider(_Closed, frozen=True):
    """A cloud provider's SDKs: the names that belong to them, by ecosystem."""

    provider: Annotated[str, Meta(pattern="^[a-z][a-z0-9]*$")]
    title: Text
    as_of: datetime.date
    sources: Annotated[tuple[Source, ...], Meta(min_length=1)]
    surfaces: dict[Surface, Names]
    services: Services = field(default_factory=Services)
    not_listed: dict[Text, Text] = field(default_factory=dict)
    """What one might expect here, and why it is not."""


class _OneOfEachKey(yaml.SafeLoader):
    """YAML whose keys are unique: of two lists with one name, PyYAML would read only the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands twice."""
        spelt = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, times in spelt.items():
            if times > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_providers(folder: Path = HERE) -> dict[str, Provider]:
    """All YAML files of a folder, checked, by provider."""
    return {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}


def _read(path: Path) -> Provider:
    try:
        text = path.read_text(encoding="utf-8")
        provider = msgspec.convert(yaml.load(text, _OneOfEachKey), Provider)  # noqa: S506 - a SafeLoader
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _invalid(path, str(error)) from error
    if problem := next(_contradictions(path, provider), None):
        raise _invalid(path, problem)
    return provider


def _contradictions(path: Path, provider: Provider) -> Iterator[str]:
    """What the types alone cannot say."""
    if provider.provider != path.stem:
        yield f"it is about '{provider.provider}', but its name says '{path.stem}'"
    for surface, names in provider.surfaces.items():
        spelt = Counter(normalise(surface, literal) for literal in (*literals_of(names), *names.exclude))
        yield from (f"{surface}: '{literal}' is listed twice" for literal, times in spelt.items() if times > 1)
    for templates in provider.services.templates.values():
        yield from (f"services: '{each}' has no {{service}}" for each in templates if "{service}" not in each)
    owners: dict[str, str] = {}
    for name, others in provider.services.names.items():
        for spelling in {squash(each) for each in (name, *others)}:
            if spelling in owners:
                yield f"services: '{spelling}' belongs to both '{owners[spelling]}' and '{name}'"
            owners[spelling] = name


def _invalid(path: Path, problem: str) -> UsageError:
    return UsageError(
        "scan.catalogue_invalid",
        f"{path.name}: {problem}",
        expected="a provider's file as docs/schemas/catalogue.schema.json describes it",
        remedy="Correct the place that the message names.",
    )


def compile_index(providers: Mapping[str, Provider]) -> dict[str, Any]:
    """What `lookup` reads at run time."""
    return {"providers": {name: _compile(provider) for name, provider in sorted(providers.items())}}


def _compile(provider: Provider) -> dict[str, Any]:
    surfaces = {surface: _by_kind(names) for surface, names in sorted(provider.surfaces.items())}
    literals = {surface: literals_of(names) for surface, names in provider.surfaces.items()}
    return {
        "as_of": provider.as_of.isoformat(),
        "roots": roots(literals),
        "command_roots": command_roots(literals.get("command", ())),
        "surfaces": surfaces,
        "templates": {
            surface: [_pattern(surface, each) for each in templates]
            for surface, templates in sorted(provider.services.templates.items())
        },
        "services": _services(provider.services.names),
        "closed": provider.services.closed,
    }


def literals_of(names: Names) -> tuple[str, ...]:
    """Every literal that can be a use."""
    return (*names.sdk, *names.stub, *names.wrapper, *names.shared)


def _by_kind(names: Names) -> dict[str, list[str]]:
    kinds = {
        "sdk": names.sdk,
        "stub": names.stub,
        "wrapper": names.wrapper,
        "shared": names.shared,
        "not": tuple(names.exclude),
    }
    return {kind: sorted(literals) for kind, literals in kinds.items() if literals}


def _pattern(surface: Surface, template: str) -> str:
    """A template as a regular expression over the normalised name."""
    held = normalise(surface, template.replace("{service}", "\0").replace("{any}", "\1"))
    return re.escape(held).replace("\0", r"(?P<service>[^./ :]+)").replace("\1", "[^./ :]+")


def _services(names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {squash(spelling): name for name, others in sorted(names.items()) for spelling in (name, *others)}


def dump(index: Mapping[str, Any]) -> str:
    """The index as it is committed."""
    return json.dumps(index, separators=(",", ":"), sort_keys=True, ensure_ascii=True) + "\n"


def schema() -> str:
    """The JSON Schema of a provider's file, as it is committed."""
    generated = msgspec.json.schema(Provider)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID}
    return json.dumps({**head, **generated}, indent=2) + "\n"
