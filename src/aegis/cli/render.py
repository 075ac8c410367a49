"""`aegis render values`: what Terraform has made becomes the chart's values."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli import files
from aegis.core.errors import UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis.scaffold.outputs import Cloud

_IMAGES = {"--image-digest": "image.digest", "--backup-image-digest": "backup.image.digest"}
"""Argument to the value that it becomes."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def add_command(commands: Any) -> None:
    """Add the command and the one below it."""
    parser = commands.add_parser("render", help="values of the chart from what Terraform has made", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    values: argparse.ArgumentParser = below.add_parser(
        "values", help="fill the outputs of an overlay into a values file", allow_abbrev=False
    )
    values.add_argument(
        "--from", dest="source", metavar="FOLDER", required=True,
        help="of the overlay that was applied, or a file with what `terraform output -json` printed; - is the input",
    )  # fmt: skip
    values.add_argument("--to", dest="target", metavar="FILE", type=Path, required=True, help="the values file")
    for name in _IMAGES:
        values.add_argument(name, metavar="sha256:…", type=_digest, help="a release prints it")
    values.add_argument(
        "--program", metavar="NAME", help="what reads the state (default: terraform, or tofu where there is none)"
    )
    values.set_defaults(run=_values)


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise UsageError(
            "core.wrong_usage",
            f"the digest is {text[:100]!a}",
            expected="sha256: and 64 hexadecimal digits in small letters",
            remedy="take it from the release's summary; a tag is no digest",
        )
    return text


def _values(arguments: argparse.Namespace) -> int:
    from aegis.scaffold import values
    from aegis.scaffold.outputs import parse_outputs

    target: Path = arguments.target
    before = files.read_file(target)
    cloud = _cloud(values.read(before, file=str(target)), target)
    found = list(parse_outputs(_given(arguments.source, arguments.program), what="the outputs").values(cloud))
    images = {key: digest for name, key in _IMAGES.items() if (digest := _given_to(arguments, name)) is not None}
    changes = {known.value: text for known, text in found}
    changes |= images
    after = values.filled(before, changes, file=str(target))
    if after != before:
        files.write(target, after)
    for known, text in found:
        print(terminal(f"{known.value}: {text}  ({known.name})"))
    for key, digest in images.items():
        print(f"{key}: {digest}")
    print(terminal(f"{target}: {'written' if after != before else 'as it was'}"))
    return 0


def _given_to(arguments: argparse.Namespace, name: str) -> str | None:
    given: str | None = getattr(arguments, name.removeprefix("--").replace("-", "_"))
    return given


def _cloud(written: Any, target: Path) -> Cloud:
    """Which cloud the values are for."""
    cloud = written.get("cloud") if isinstance(written, dict) else None
    if cloud == "aws":
        return "aws"
    if cloud == "oci":
        return "oci"
    raise UsageError(
        "render.values_unfit",
        f"{target}: `cloud` is neither `aws` nor `oci`",
        expected="`cloud: aws` or `cloud: oci`",
        remedy="name it in the file, as helm/values.aws.yaml does",
    )


def _given(source: str, program: str | None) -> bytes:
    """The JSON, from wherever it is."""
    from aegis.scaffold.outputs import unreadable

    if source == "-":
        return sys.stdin.buffer.read(files.MAX_SIGNATURE)
    place = Path(source)
    if place.is_dir():
        from aegis.adapters.terraform import outputs_of

        return outputs_of(place, program=program)
    try:
        with files.open_file(place) as file:
            return file.read(files.MAX_SIGNATURE)
    except OSError as error:
        raise unreadable(f"{source!a} cannot be read: {error.strerror}") from error
