"""`docs/catalogue.md`: the catalogue for people, generated from the providers' files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from aegis.gates.scan.catalogue.compile import Names, Provider, literals_of
from aegis.gates.scan.model import Surface

_SURFACES: Mapping[Surface, str] = {
    "python": "Python modules",
    "npm": "npm scopes and packages",
    "go": "Go modules",
    "java": "Java and Kotlin packages",
    "pypi": "PyPI distributions",
    "maven": "Maven groups and artifacts",
    "command": "Commands",
    "image": "Container images",
    "action": "GitHub Actions",
    "terraform": "Terraform providers",
    "scheme": "URL schemes",
}
_KINDS = {
    "sdk": "SDK",
    "stub": "types only",
    "wrapper": "over an SDK",
    "shared": "counts beside another hit",
}
_LONG = 60
"""Longer lists are folded: the YAML file is the better place to read them."""

_INTRODUCTION = """# Catalogue

What the scan gate takes for a use of a provider's SDK. This page is generated from
`src/aegis/gates/scan/catalogue/*.yaml` by `python -m aegis.gates.scan.catalogue.generate`; to add a package or a
provider, edit or add a YAML file there (schema: `docs/schemas/catalogue.schema.json`) and run the command.

A name belongs to a literal when it is the literal or lies below it: `google.cloud` covers `google.cloud.storage`, and
`github.com/aws/aws-sdk-go` does not cover `github.com/aws/aws-sdk-go-v2`. The longest literal decides. A literal that
ends in `*` covers what its last segment begins with. PyPI distributions count by their whole name (case and `-`, `_`,
`.` make no difference), because anybody may take the name `aws-something`. Of a library that
several providers list, the first of the providers in force answers, in alphabetical order.

A weekly workflow compares the lists with the sources below (`scripts/check_catalogue.py`), and a catalogue older than
90 days says so in every report.
"""


def render(providers: Mapping[str, Provider]) -> str:
    """The page as it is committed."""
    parts = [_INTRODUCTION, _overview(providers), *(_section(each) for _, each in sorted(providers.items()))]
    return "\n".join(parts)


def _overview(providers: Mapping[str, Provider]) -> str:
    names = sorted(providers)
    rows = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for surface in get_args(Surface):
        counts = [len(literals_of(providers[name].surfaces.get(surface, Names()))) for name in names]
        rows.append(f"| {_SURFACES[surface]} | {' | '.join(map(str, counts))} |")
    services = [str(len(providers[name].services.names)) for name in names]
    return "\n".join([*rows, f"| Services known by name | {' | '.join(services)} |", ""])


def _section(provider: Provider) -> str:
    return "\n".join(
        [
            f"## {provider.title} (`{provider.provider}`)",
            "",
            f"As of {provider.as_of}. Sources:",
            "",
            *(f"- {source.what}: <{source.url}>" for source in provider.sources),
            "",
            *_lists(provider),
            *_refusals(provider),
        ]
    )


def _lists(provider: Provider) -> Iterator[str]:
    for surface in get_args(Surface):
        names = provider.surfaces.get(surface)
        if names is None:
            continue
        yield f"### {_SURFACES[surface]}"
        yield ""
        for kind, label in _KINDS.items():
            literals = getattr(names, kind)
            if literals:
                yield from _list(label, literals)


def _list(label: str, literals: Iterable[str]) -> Iterator[str]:
    spelt = [f"`{literal}`" for literal in literals]
    if len(spelt) <= _LONG:
        yield f"{label}: {', '.join(spelt)}"
    else:
        yield f"<details><summary>{label}: {len(spelt)}</summary>"
        yield ""
        yield ", ".join(spelt)
        yield ""
        yield "</details>"
    yield ""


def _refusals(provider: Provider) -> Iterator[str]:
    yield "### Not listed, and why"
    yield ""
    for surface, names in provider.surfaces.items():
        for literal, reason in names.exclude.items():
            yield f"- `{literal}` ({_SURFACES[surface]}): {reason}"
    for what, reason in provider.not_listed.items():
        yield f"- {what}: {reason}"
    yield ""
