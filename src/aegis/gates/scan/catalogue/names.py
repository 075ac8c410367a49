"""How a name of each surface is spelt: what separates its segments, and which spellings mean the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aegis.gates.scan.model import Surface

_RUNS = re.compile(r"[-_.]+")
_HOME_REGISTRIES = frozenset({"gcr.io", "ghcr.io", "mcr.microsoft.com", "public.ecr.aws"})
"""Registries that stand in literals; any other is a mirror, whose name says nothing about the image."""
_EXECUTABLE = re.compile(r"\.(?:exe|cmd|bat|ps1)$", re.IGNORECASE)

SEPARATORS: Mapping[Surface, str] = MappingProxyType(
    {
        "python": ".",
        "npm": "/",
        "go": "/",
        "java": ".",
        "pypi": "",
        "maven": ":.",
        "command": " ",
        "image": "/",
        "action": "/",
        "terraform": "/",
        "scheme": "",
    }
)
"""The characters at which a name may be cut to reach its parent; none where only the whole name counts."""


def _same(name: str) -> str:
    return name


def _distribution(name: str) -> str:
    """PEP 503: case and runs of `-`, `_`, `.` make no difference."""
    return _RUNS.sub("-", name).lower()


def _command(line: str) -> str:
    """The first word may be a path or carry a Windows extension; the rest counts as written."""
    first, space, rest = line.partition(" ")
    first = _EXECUTABLE.sub("", first.replace("\\", "/").rpartition("/")[2])
    return f"{first}{space}{rest}"


def _image(reference: str) -> str:
    """Without digest, tag and mirror (https://docs.docker.com/reference/cli/docker/image/tag/)."""
    path = reference.lower().partition("@")[0]
    head, slash, last = path.rpartition("/")
    path = f"{head}{slash}{last.partition(':')[0]}"
    registry, slash, rest = path.partition("/")
    mirrored = slash and re.search(r"[.:]|^localhost$", registry) and registry not in _HOME_REGISTRIES
    return rest if mirrored else path


def _action(uses: str) -> str:
    """GitHub ignores the case of owner and repository; the revision says nothing about whose action it is."""
    return uses.partition("@")[0].lower()


def _terraform(source: str) -> str:
    """`[host/]namespace/type`; a type alone means HashiCorp's (https://developer.hashicorp.com/terraform/language/providers/requirements)."""
    parts = source.lower().split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else f"hashicorp/{parts[0]}"


_SPELLINGS: Mapping[Surface, Callable[[str], str]] = MappingProxyType(
    {
        "python": _same,
        "npm": _same,
        "go": _same,
        "java": _same,
        "pypi": _distribution,
        "maven": _same,
        "command": _command,
        "image": _image,
        "action": _action,
        "terraform": _terraform,
        "scheme": str.lower,
    }
)


def normalise(surface: Surface, name: str) -> str:
    """The one spelling under which the catalogue knows this name."""
    return _SPELLINGS[surface](name)


def parents(surface: Surface, name: str) -> list[str]:
    """The name itself and everything it belongs to, the most specific first: `a.b.c`, `a.b`, `a`."""
    separators = SEPARATORS[surface]
    found = [name]
    for at in range(len(name) - 1, 0, -1):
        if name[at] in separators:
            found.append(name[:at])
    return found


def squash(service: str) -> str:
    """A service's name without what ecosystems differ in: `object_storage`, `object-storage`, `objectstorage`."""
    return re.sub(r"[-_.]", "", service).lower()


def unversioned(service: str) -> str:
    """Without the API version that Google's and Azure's modules carry: `storage_v1`, `bigquery_v2beta1`."""
    return re.sub(r"_v\d\w*$", "", service)
