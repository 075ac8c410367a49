"""The staging configuration: which endpoints are the real ones. Values only; secrets come by variables that it names.

`acceptance.staging.yml` is read into these types, and handed to the probes as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.acceptance.catalogue import Text, Variable
from aegis.core.strict_yaml import Document, Kind, compose, convert

FILE: Final = "acceptance.staging.yml"
_NAMES_VARIABLE: Final = "_variable"
_KIND: Final = Kind("acceptance.config_invalid", "docs/acceptance.md, staging", "`version: 1` and endpoints")
Https = Annotated[str, Meta(pattern=r"^https?://[^\s@]+$(?!\n)", max_length=2048)]
S3 = Annotated[str, Meta(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s]*$(?!\n)", max_length=2048)]
Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$(?!\n)", max_length=500)]


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors."""


class Verify(_Section, frozen=True):
    """A2: what a pull request verifies."""

    path: Text = "."
    """The repository with the aegis.yml that names the staging artifacts."""


class Infra(_Section, frozen=True):
    """A3: the overlay that was applied, and the release."""

    overlay: Text
    values: Text
    """The values file; a copy of it is filled."""
    context: Word
    """Of the kubeconfig: never whatever is current."""
    release: Word = "aegis"
    namespace: Word = "aegis"
    program: Literal["terraform", "tofu"] = "terraform"


class Api(_Section, frozen=True):
    """A4 and A7: the service."""

    url: Https
    token_variable: Variable
    """The variable with a token that may load models."""
    verified: Word
    """A model that it must load."""
    unverified: Word
    """One that is there, and that it must refuse."""


class Cluster(_Section, frozen=True):
    """A5 and A7: objects in the cluster."""

    context: Word
    namespace: Word
    rollout: Word
    degraded_image: Word | None = None
    """An image that is known to breach the metrics; without it A5 is not run, since it would be no breach."""
    container: Word = "api"
    external_secrets: tuple[Word, ...] = ()


class Backup(_Section, frozen=True):
    """A6: where dumps go, and where they are restored to."""

    store: S3
    database_variable: Variable
    """The variable with the URL of the database that is dumped."""
    staging_variable: Variable
    """That of the staging database that is restored into; it is overwritten."""
    policy: Text = "."
    """The repository with the aegis.yml of the backups."""


class Staging(_Section, frozen=True):
    """Everything that staging mode is told."""

    version: Literal[1]
    verify: Verify | None = None
    infra: Infra | None = None
    api: Api | None = None
    cluster: Cluster | None = None
    backup: Backup | None = None


def parse_staging(data: bytes, *, file: str) -> Staging:
    """Read a configuration. Raises UsageError `acceptance.config_invalid`, with the place in the file."""
    document = Document(file, _KIND)
    return convert(compose(data, document), Staging, document)


def configured(staging: Staging | None, key: str, environ: Mapping[str, str]) -> bool:
    """Whether a key, with dots, has a value; of one that names a variable, whether that is set."""
    value: Any = msgspec.to_builtins(staging) if staging is not None else None
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return bool(environ.get(value) if key.endswith(_NAMES_VARIABLE) and isinstance(value, str) else value)


def variables(staging: Staging | None) -> tuple[str, ...]:
    """The variables that a configuration names."""
    sections = msgspec.to_builtins(staging).values() if staging is not None else ()
    return tuple(
        value
        for section in sections
        if isinstance(section, dict)
        for name, value in section.items()
        if name.endswith(_NAMES_VARIABLE)
    )
