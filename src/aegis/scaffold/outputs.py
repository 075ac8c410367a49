"""What Terraform has made, as far as the chart asks for it: `terraform output -json` in, texts by name out.

Both overlays of `infra/terraform` name their outputs alike. Whatever else is among the outputs is not looked at; it may
be secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from aegis.core.errors import AegisError, Refused, UsageError
from aegis.signatures import strict_json

Cloud = Literal["aws", "oci"]
_SECRET_SETTINGS = frozenset({"password", "sslpassword", "passfile"})
"""Of PostgreSQL's addresses: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"""
_LONGEST = 2048
"""Characters; the longest of them is an address or an ARN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One output, and the value of the chart that it becomes."""

    name: str
    value: str
    """Its keys in the values, joined by dots."""
    form: re.Pattern[str]
    looks: str
    """The form, for people."""
    required: bool = False
    clouds: tuple[Cloud, ...] = ("aws", "oci")


_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}[A-Za-z0-9]")
_PREFIX = re.compile(r"(?:s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|oci://[A-Za-z0-9_-]+/[A-Za-z0-9._-]+)/(?:[^/\s]+/)*")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
_DATABASE = re.compile(
    r"postgres(?:ql)?://[^:@/?#\s]+@[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[^/?#\s]+(?:\?[a-z_]+=[^&#\s]*(?:&[a-z_]+=[^&#\s]*)*)?"
)
_A_ROLE = "arn:aws:iam::123456789012:role/NAME"
_A_PREFIX = "s3://bucket/folder/ or oci://namespace/bucket/folder/"

KNOWN: tuple[Known, ...] = (
    Known(
        name="region",
        value="region",
        form=re.compile(r"[a-z]{2,3}(?:-[a-z]+)+-[0-9]+"),
        looks="e.g. eu-central-1",
        required=True,
    ),
    Known(name="bucket_name", value="objectStore.bucket", form=_BUCKET, looks="a bucket's name", required=True),
    Known(
        name="bucket_namespace",
        value="objectStore.namespace",
        form=re.compile(r"[A-Za-z0-9_-]+"),
        looks="a tenancy's namespace of object storage",
        required=True,
        clouds=("oci",),
    ),
    Known(name="models_url", value="objectStore.modelsUrl", form=_PREFIX, looks=_A_PREFIX),
    Known(name="backups_url", value="objectStore.backupsUrl", form=_PREFIX, looks=_A_PREFIX),
    Known(
        name="database_url",
        value="database.url",
        form=_DATABASE,
        looks="postgresql://user@host:5432/name, without a password",
        required=True,
    ),
    Known(
        name="database_secret_ref",
        value="externalSecrets.remote.database.key",
        form=re.compile(r"[A-Za-z0-9][A-Za-z0-9/_+=.@:-]{0,511}"),
        looks="a secret's name, not the secret",
    ),
    Known(name="workload_role_arn", value="identity.api.roleArn", form=_ROLE, looks=_A_ROLE, clouds=("aws",)),
    Known(name="backup_writer_role_arn", value="identity.backup.roleArn", form=_ROLE, looks=_A_ROLE, clouds=("aws",)),
    Known(name="backup_reader_role_arn", value="identity.restore.roleArn", form=_ROLE, looks=_A_ROLE, clouds=("aws",)),
)
"""In the order in which they are told."""


_KINDS: Mapping[type, str] = {NoneType: "null", bool: "true or false", list: "a list", dict: "an object"}
"""What JSON calls them; any other is a number."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What an overlay says."""

    cloud: str | None
    """Of the output `cloud`; None where there is none."""
    _found: Mapping[str, Mapping[str, Any]]

    def values(self, cloud: Cloud) -> Iterator[tuple[Known, str]]:
        """Each known output of this cloud that is there, with its text.

        Refuses with `render.output_missing`, `render.output_sensitive`, `render.output_invalid`, and
        `render.cloud_differs` where the outputs are of another cloud.
        """
        if self.cloud is not None and self.cloud != cloud:
            raise Refused(
                "render.cloud_differs",
                f"the outputs are of {self.cloud[:40]!a}, and the values of {cloud!r}",
                expected="outputs and values of one cloud",
                remedy="name the folder or the values file of the other one",
            )
        for known in KNOWN:
            if cloud not in known.clouds:
                continue
            if (output := self._found.get(known.name)) is not None:
                yield known, _text(known, output)
            elif known.required:
                raise _missing(known, "is not among the outputs")


def parse_outputs(data: bytes, *, what: str) -> Outputs:
    """What `terraform output -json` or `tofu output -json` has printed. UsageError `render.outputs_unreadable`."""
    try:
        found = strict_json.parse(data, what=what)
    except AegisError as error:
        raise unreadable(error.problem) from error
    if not isinstance(found, dict):
        raise unreadable(f"{what} is no object")
    for name, output in found.items():
        if not isinstance(output, dict) or "value" not in output or not isinstance(output.get("sensitive"), bool):
            raise unreadable(f"{what} has {name[:60]!a} without `value` and `sensitive`")
    cloud = found.get("cloud", {}).get("value")
    return Outputs(cloud if isinstance(cloud, str) else None, found)


def unreadable(problem: str) -> UsageError:
    """The error for what is no answer of Terraform."""
    return UsageError(
        "render.outputs_unreadable",
        problem,
        expected="the JSON that `terraform output -json` prints",
        remedy="name the folder of an overlay that was applied, a file with that JSON, or - for the input",
    )


def _text(known: Known, output: Mapping[str, Any]) -> str:
    """Never shown before it is known to be no secret."""
    if output["sensitive"]:
        raise _sensitive(known, "is marked as sensitive")
    value = output["value"]
    if not isinstance(value, str):
        raise _invalid(known, f"is {_KINDS.get(type(value), 'a number')}, not a text")
    if not value.strip():
        raise _missing(known, "is empty")
    if known.value == "database.url" and _has_secret(value):
        raise _sensitive(known, "carries a password")
    if len(value) > _LONGEST or not known.form.fullmatch(value):
        raise _invalid(known, "has another form")
    return value


def _has_secret(address: str) -> bool:
    """Whether an address holds a password, however it is written."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False  # it has no form that is taken
    user, colon, _ = parts.netloc.rpartition("@")[0].partition(":")
    settings = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return bool(colon) or "%3a" in user.lower() or bool(settings & _SECRET_SETTINGS)


def _missing(known: Known, how: str) -> Refused:
    return Refused(
        "render.output_missing",
        f"the output {known.name} {how}",
        expected=f"{known.looks}, for the value {known.value}",
        remedy="run `terraform apply` in the overlay's folder first; an overlay of your own needs this output",
    )


def _sensitive(known: Known, how: str) -> Refused:
    return Refused(
        "render.output_sensitive",
        f"the output {known.name} {how}",
        expected=f"{known.looks}, which anybody may read in the values",
        remedy="take the secret out of the output, and put it into the Secret that the chart names",
    )


def _invalid(known: Known, how: str) -> Refused:
    """Without the value: what has another form may be anything."""
    return Refused(
        "render.output_invalid",
        f"the output {known.name} {how}",
        expected=known.looks,
        remedy="correct the overlay's output",
    )
