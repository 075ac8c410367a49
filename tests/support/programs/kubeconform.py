"""Kubernetes objects against their schemas, strictly and offline: kubeconform, on three minors of Kubernetes.

The schemas of Kubernetes' own kinds come from the wheel `kubernetes-validate`, those of Argo Rollouts, External Secrets
and the Prometheus operator from the CRDs in their Go modules. What is judged is form: fields, types, enumerations. The
rules that CRDs write in CEL, and everything that only an API server knows, are not.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.programs.gomod import module, program
from tests.support.programs.kept import kept
from tests.support.programs.thirdparty import fetch_wheel

ROOT = Path(__file__).resolve().parents[3]
VERSION = "0.8.0"
MINORS: Final = ("1.29", "1.34", "1.37")
"""The oldest that the chart allows, the one of the tests' own control plane, and the newest with schemas."""
NEWEST: Final = MINORS[-1]
_SCHEMAS = ("kubernetes-validate", "1.37.0", "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9")
_CRDS: Final[Mapping[str, tuple[str, str]]] = {
    "argoproj.io": ("github.com/argoproj/argo-rollouts@v1.9.2", "manifests/crds"),
    "external-secrets.io": ("github.com/external-secrets/external-secrets@v1.3.2", "config/crds/bases"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
    ),
}
"""API group to the module with its CRDs, and the folder in it."""
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def judge(text: str, minor: str = NEWEST) -> list[str]:
    """What is wrong with the objects of a YAML stream, one line each; empty if they are valid.

    A kind without a schema is wrong, and so is a stream without objects.
    """
    folder = Path(kept(f"kubeconform/{_key()}", lambda scratch: _empty(scratch / "schemas"))) / minor
    for version, kind in _kinds(text):
        _lay_schema(folder, version, kind, minor)
    place = f"{folder}/{{{{.Group}}}}/{{{{.ResourceKind}}}}_{{{{.ResourceAPIVersion}}}}.json"
    ran = subprocess.run(
        [kubeconform(), "-strict", "-output", "json", "-verbose", "-schema-location", place, "-"],
        input=text, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert ran.stdout, f"kubeconform said nothing: {ran.stderr}"
    # between two `---` a template may have left nothing: then there is neither a kind nor a status
    resources = [one for one in json.loads(ran.stdout)["resources"] if one["kind"] or one["status"]]
    wrong = [one for one in resources if one["status"] != "statusValid"]
    return [f"{one['kind']}/{one['name']}: {one['msg'] or one['status']}" for one in wrong] or (
        [] if resources else ["no object"]
    )


def kubeconform() -> Path:
    """The program."""
    return program(ROOT / "tests" / "e2e" / "tools" / "kubeconform", VERSION)


def crd_versions() -> dict[str, str]:
    """API group to the version of what brings it."""
    return {group: spec.rpartition("@v")[2] for group, (spec, _) in _CRDS.items()}


def crd_files(group: str, kinds: Collection[str]) -> list[Path]:
    """The CRDs of these kinds, as files to apply."""
    spec, folder = _CRDS[group]
    found = sorted((_module(spec) / folder).glob("*.yaml"))
    named = "|".join(map(re.escape, kinds))
    return [file for file in found if re.search(rf"(?m)^    kind: (?:{named})$", file.read_text("utf-8"))]


def _key() -> str:
    """Other sources, or another way to read them, make other schemas."""
    sources = json.dumps([_SCHEMAS, sorted(_CRDS.items())])
    return hashlib.sha256(sources.encode() + Path(__file__).read_bytes()).hexdigest()[:16]


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _kinds(text: str) -> Iterator[tuple[str, str]]:
    """API version and kind of each object; duplicates and all that is malformed are kubeconform's to tell."""
    for document in yaml.load_all(text, _Loader):
        if isinstance(document, dict) and document.get("apiVersion") and document.get("kind"):
            yield str(document["apiVersion"]), str(document["kind"])


class _Loader(yaml.CSafeLoader):
    """Without YAML 1.1's `=`, which a CRD of the Prometheus operator has as an ordinary word."""


_Loader.yaml_implicit_resolvers = {
    first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:value"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _lay_schema(folder: Path, version: str, kind: str, minor: str) -> None:
    """Put a kind's schema where kubeconform looks for it, if there is one and it is not there yet."""
    group, _, number = version.rpartition("/")
    target = folder / (group or number) / f"{kind.lower()}_{number}.json"
    if target.exists():
        return
    schema = _of_crd(group, number, kind, minor) if group in _CRDS else _of_kubernetes(group, number, kind, minor)
    if schema is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f"{target.name}.{os.getpid()}")
        scratch.write_text(json.dumps(schema), "utf-8")
        scratch.rename(target)


def _of_kubernetes(group: str, number: str, kind: str, minor: str) -> dict[str, Any] | None:
    words = (kind.lower(), *((group.partition(".")[0],) if group else ()), number)
    place = _folder(minor) / f"{'-'.join(words)}.json"
    if not place.is_file():
        return None
    schema: dict[str, Any] = json.loads(place.read_text("utf-8"))
    schema.pop("$id")
    return {**_local(schema), "$defs": _needed(schema, minor)}


def _folder(minor: str) -> Path:
    wheel = fetch_wheel(*_SCHEMAS)
    return wheel / "kubernetes_validate" / "kubernetes-json-schema" / f"v{minor}.0-local-strict"


def _needed(schema: Any, minor: str) -> dict[str, Any]:
    """The definitions that a schema reaches, so that its file stands alone."""
    every: dict[str, Any] = json.loads((_folder(minor) / "_definitions.json").read_text("utf-8"))["$defs"]
    found: dict[str, Any] = {}
    waiting = [*_references(schema)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            waiting += _references(every[name])
            found[name] = _local(every[name])
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _local(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"#/$defs/{value.rpartition('/')[2]}" if key == "$ref" and isinstance(value, str) else _local(value)
            for key, value in schema.items()
        }
    return [_local(value) for value in schema] if isinstance(schema, list) else schema


def _of_crd(group: str, number: str, kind: str, minor: str) -> dict[str, Any] | None:
    spec, folder = _CRDS[group]
    for place in sorted((_module(spec) / folder).glob("*.yaml")):
        if not re.search(rf"^ +kind: {re.escape(kind)}$", place.read_text("utf-8"), re.MULTILINE):
            continue
        definition = _definition(place)
        for version in definition["versions"]:
            if definition["group"] == group and version["name"] == number and version["served"]:
                schema: dict[str, Any] = _strict(version["schema"]["openAPIV3Schema"])
                metadata = {"$ref": f"#/$defs/{_METADATA}"}
                schema["properties"] |= {"metadata": metadata, "apiVersion": {"const": f"{group}/{number}"}}
                return {**schema, "$defs": _needed(metadata, minor)}
    return None


@functools.cache
def _module(spec: str) -> Path:
    return module(spec)


@functools.cache
def _definition(place: Path) -> dict[str, Any]:
    definition: dict[str, Any] = yaml.load(place.read_text("utf-8"), _Loader)["spec"]
    return definition


def _strict(schema: Any) -> Any:
    """A structural schema as JSON Schema, with the fields that it does not name refused, as the API server prunes them.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
    """
    if isinstance(schema, list):
        return [_strict(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    # a field may be called `properties`, so the names of fields are passed over
    made = {
        key: {name: _strict(one) for name, one in value.items()} if key == "properties" else _strict(value)
        for key, value in schema.items()
    }
    open_ended = made.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in made
    if made.get("type") == "object" and "properties" in made and not open_ended:
        made["additionalProperties"] = False
    if made.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    if made.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made
