"""The templates of what a repository gets: where they are, and how they are filled in.

GitHub's own expressions use `{{` and shells use `{#`, so the templates' delimiters are others: `[= value =]`,
`[% if … %]`, `[# a comment #]`. A value that is missing is an error, never an empty place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from aegis.core.errors import CouldNotDecide

if TYPE_CHECKING:
    from jinja2 import Environment

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
"""What YAML may take for a word without quotes; whether it does is asked, for `on` and `null` are none. With a digit
before it, it may be a number for one reader and a word for the next."""


def folder() -> Path:
    """`templates/`: packed beside the code of an installed Aegis, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "templates", package.parents[1] / "templates"):
        if (place / "workflows").is_dir():
            return place
    raise CouldNotDecide(
        "init.templates_missing",
        f"there are no templates beside {package}",
        expected="a whole installation of aegis-gates, or a whole checkout",
        remedy="Install aegis-gates again.",
    )


def scalar(value: object) -> str:
    """A value as YAML reads it back: plain where that is a string, else in double quotes (which JSON's are, too)."""
    text = str(value)
    if _PLAIN.fullmatch(text) and isinstance(yaml.safe_load(text), str):
        return text
    return json.dumps(text)


def render(name: str, values: Mapping[str, Any]) -> str:
    """One template by its name below `templates/`, e.g. `workflows/sdk-scan.yml.j2`. CouldNotDecide for a bad one."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise CouldNotDecide(
            "core.package_missing",
            "the package 'jinja2' is not installed",
            expected="the packages of the extra `scaffold`",
            remedy="pip install 'aegis-gates[scaffold]', or in a checkout `make venv` and .venv/bin/python",
        ) from error
    try:
        return _environment().get_template(name).render(values)
    except jinja2.TemplateError as error:
        raise CouldNotDecide(
            "init.template_broken",
            f"the template {name!r} cannot be filled in: {error}",
            expected="a value for every place of it",
            remedy="Report it; templates and code of one version belong together.",
        ) from error


@cache
def _environment() -> Environment:
    import jinja2

    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder()),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        variable_start_string="[=",
        variable_end_string="=]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        autoescape=False,  # noqa: S701 - the output is YAML, and the values are checked and quoted for that
    )
    jinja.filters["scalar"] = scalar
    return jinja
