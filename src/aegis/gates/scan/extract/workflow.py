"""Workflows: GitHub Actions (and composite actions), GitLab CI, CircleCI, Azure Pipelines, Bitbucket Pipelines.

`uses:` is an action, `image:` and `container:` are images, and what `run:`, `script:` and their like hold is shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aegis.gates.scan.extract import _yaml
from aegis.gates.scan.extract._lines import in_scalar
from aegis.gates.scan.extract._place import one_line
from aegis.gates.scan.extract._yaml import Scalar
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_USES = re.compile(r"([\w.-]+/[\w.-]+(?:/[^@\s]+)?)@(\S+)")
_DOCKER = "docker://"
_SHELL_KEYS = frozenset(
    ("run", "script", "before_script", "after_script", "command", "bash", "inlineScript", "pre_script")
)
_IMAGE_KEYS = frozenset(("image", "container", "containerImage"))
_DEFAULT_SHELL = ("defaults", "run", "shell")
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Every action, image and command of a workflow."""
    if not wanted.search(source):
        return []
    found: list[Statement | Unreadable] = []
    lines = source.splitlines()
    try:
        scalars = list(_yaml.scalars(source))
        shells = {scalar.path[:-3]: scalar.value for scalar in scalars if scalar.path[-3:] == _DEFAULT_SHELL}
        for scalar in scalars:
            if wanted.search(scalar.value):
                found.extend(_scalar(scalar, wanted, lines, shells))
    except _yaml.BrokenYamlError as error:
        found.append(Unreadable(error.line, error.why))
    return sorted(dict.fromkeys(found), key=lambda item: (item.line, getattr(item, "column", 0)))


def _scalar(
    scalar: Scalar, wanted: re.Pattern[str], lines: list[str], shells: Mapping[tuple[str, ...], str]
) -> Iterator[Statement | Unreadable]:
    """What one scalar uses, by the key that it stands at."""
    keys = tuple(key for key in scalar.path if key != "[]")
    key = keys[-1] if keys else ""
    if key == "uses":
        yield from _uses(scalar, wanted)
    elif key in _IMAGE_KEYS or _is_service(scalar.path, keys):
        yield from _image(scalar, wanted)
    elif key in _SHELL_KEYS:
        yield from in_scalar(_commands(scalar, wanted, _shell_of(scalar, shells)), scalar, lines)
    if keys[-2:] == ("with", "script"):
        # actions/github-script's is JavaScript; what others take is no error there.
        code = shell.embedded("javascript", _EXPRESSION.sub(_masked, scalar.value), wanted)
        yield from in_scalar((one for one in code if isinstance(one, Statement)), scalar, lines)


def _is_service(path: tuple[str, ...], keys: tuple[str, ...]) -> bool:
    """Whether a scalar is the image of a service: `services: [postgres]`, `image: {name: …}`."""
    return (keys[-1:] == ("services",) and path[-1] == "[]") or keys[-2:] in (("image", "name"), ("services", "name"))


def _uses(scalar: Scalar, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """`uses: owner/repository[/path]@ref`, or `docker://image`."""
    value = scalar.value.strip()
    action = _USES.fullmatch(value)
    if action and wanted.search(action[1]):
        yield Statement(scalar.line, scalar.column, "action", "action", action[1], one_line(f"uses: {value}"))
    elif value.startswith(_DOCKER) and wanted.search(value):
        image = value.removeprefix(_DOCKER)
        yield Statement(scalar.line, scalar.column, "image", "image", image, one_line(f"uses: {value}"))


def _image(scalar: Scalar, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """An image reference; one that names a Dockerfile of an action is none."""
    value = scalar.value.strip().removeprefix(_DOCKER)
    if wanted.search(value) and not value.startswith((".", "/")) and "\n" not in value and " " not in value:
        yield Statement(scalar.line, scalar.column, "image", "image", value, one_line(f"image: {value}"))


def _shell_of(scalar: Scalar, shells: Mapping[tuple[str, ...], str]) -> str:
    """What runs a step's script: its own `shell`, or the default of its job or its workflow."""
    own = _yaml.sibling(scalar, "shell")
    if own is not None:
        return own
    around = [place for place in shells if scalar.path[: len(place)] == place]
    return shells[max(around, key=len)] if around else ""


def _commands(scalar: Scalar, wanted: re.Pattern[str], kind: str) -> list[Statement | Unreadable]:
    """The commands of a script, which `shell: python` makes Python."""
    text = _EXPRESSION.sub(_masked, scalar.value)
    if kind.startswith("python"):
        return shell.embedded("python", text, wanted)
    if kind.startswith("node"):
        return shell.embedded("javascript", text, wanted)
    return shell.extract(text, wanted)


def _masked(found: re.Match[str]) -> str:
    """`${{ … }}` as an expansion of the same length, so that places stay and quotes inside do no harm."""
    inside = re.sub(r"[^\n]", "_", found[0][2:-1])
    return "${" + inside + "}" if "\n" not in found[0] else "${}" + re.sub(r"[^\n]", " ", found[0][3:])
