"""Where the cluster is and who we are there: a kubeconfig, or a pod's service account.

The official client reads both. Not left to it: running the program of an `exec` user, which it would wait for without
an end, and whose failure it would only log, with the program's own words, and then ask as nobody.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from aegis.adapters.http.call import is_loopback, is_safe
from aegis.adapters.kubernetes.faults import no_configuration, no_login, unsafe
from aegis.adapters.process_group import running
from aegis.core.errors import AegisError

EXEC_SECONDS: Final = 60.0
"""For a program that gets credentials: those of the clouds ask one service, seldom two."""
_MAX_OUTPUT: Final = 1 << 20
_NOT_HANDED_ON: Final = ("AEGIS_", "PROMETHEUS_", "COSIGN_", "ACTIONS_", "GITHUB_TOKEN", "GH_TOKEN")
_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def configuration(
    environ: Mapping[str, str],
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    text: str | None = None,
    for_programs: Callable[[], Mapping[str, str]] = dict,
) -> Any:
    """The client's `Configuration`, logged in.

    From the file `kubeconfig`; else from `text`, a kubeconfig that is kept as a secret; else from those that KUBECONFIG
    names, from `~/.kube/config`, from the pod's service account. `for_programs` gives more variables for the program of
    an `exec` user, asked only where there is one.

    Raises UsageError `canary.cluster_configuration`, `canary.cluster_unsafe`, CouldNotDecide `canary.cluster_login`.
    """
    library = importlib.import_module("kubernetes.config")
    found = importlib.import_module("kubernetes.client").Configuration()
    source = _Source([], text) if text and kubeconfig is None else _Source(_files(environ, kubeconfig), None)
    # The library's texts quote what they could not read, tokens and all: so none of them is shown or chained.
    try:
        if source.given:
            _from_kubeconfig(found, source, context, environ, for_programs)
        elif environ.get("KUBERNETES_SERVICE_HOST") and _SERVICE_ACCOUNT.is_file():
            library.load_incluster_config(client_configuration=found)
        else:
            raise no_configuration("there is no kubeconfig, and this is no pod with a service account")
    except AegisError:
        raise
    except Exception:
        raise no_configuration(f"{source.shown} cannot be read as what it should be") from None
    _check_safe(found)
    return found


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a kubeconfig is: in files, or in a secret."""

    files: list[Path]
    text: str | None = field(repr=False)

    @property
    def given(self) -> bool:
        return bool(self.files or self.text)

    @property
    def shown(self) -> str:
        if self.text:
            return "the kubeconfig that was given as a secret"
        return os.pathsep.join(map(str, self.files)) or "the pod's service account"

    def merged(self, library: Any) -> Any:
        """The client's own reading of it."""
        if self.text is None:
            return library.KubeConfigMerger(self.shown).config
        document = yaml.safe_load(self.text)
        # as it makes of files: a node knows from where paths are relative, which for a text is where we run
        lists = {
            kind: [library.ConfigNode(kind, each, "") for each in document.get(kind) or ()]
            for kind in ("clusters", "contexts", "users")
        }
        return library.ConfigNode("kubeconfig", {**document, **lists}, "")


def _files(environ: Mapping[str, str], kubeconfig: Path | None) -> list[Path]:
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise no_configuration(f"there is no file {str(kubeconfig)!r}")
        return [kubeconfig]
    named = [Path(each) for each in environ.get("KUBECONFIG", "").split(os.pathsep) if each]
    if named:
        # as kubectl does: one that is missing is passed over, but not all of them
        found = [each for each in named if each.is_file()]
        if not found:
            raise no_configuration(f"KUBECONFIG is {environ['KUBECONFIG']!r}, and there is no such file")
        return found
    usual = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    return [usual] if usual.is_file() else []


def _from_kubeconfig(
    found: Any,
    source: _Source,
    context: str | None,
    environ: Mapping[str, str],
    for_programs: Callable[[], Mapping[str, str]],
) -> None:
    library = importlib.import_module("kubernetes.config.kube_config")
    merged, where = source.merged(library), source.shown
    name = context or merged.value.get("current-context")
    if not name:
        raise no_configuration(f"{where} has no current context, and none was named")
    chosen = _named(merged, "contexts", name, where).value["context"]
    cluster = _named(merged, "clusters", chosen.get("cluster"), where)
    if chosen.get("user"):
        user = _named(merged, "users", chosen["user"], where)
        _log_in(user, cluster, environ, for_programs)
    library.KubeConfigLoader(config_dict=merged, active_context=name, config_base_path=None).load_and_set(found)


def _named(merged: Any, kind: str, name: Any, where: str) -> Any:
    """The node of that name, which has the value and the file that it stands in."""
    for node in merged.value[kind]:
        if node.value.get("name") == name:
            return node
    raise no_configuration(f"{where} has no {kind[:-1]} {name!r}")


def _log_in(user: Any, cluster: Any, environ: Mapping[str, str], for_programs: Callable[[], Mapping[str, str]]) -> None:
    """Replace the program in a user by what it says."""
    entry = user.value["user"]
    if "auth-provider" in entry:
        raise no_configuration(
            f"the user {user.value['name']!r} logs in by auth-provider, which Kubernetes has removed (use exec)"
        )
    if "token" in entry or "tokenFile" in entry or "exec" not in entry:
        return
    status = _run(entry.pop("exec"), cluster, Path(user.path).parent, {**environ, **for_programs()})
    if status.get("token"):
        entry["token"] = status["token"]
    elif status.get("clientCertificateData") and status.get("clientKeyData"):
        for key, name in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
            entry[key] = base64.b64encode(status[name].encode()).decode()
    else:
        raise no_login("the kubeconfig's exec program gave neither a token nor a certificate with its key")


def _run(plugin: Any, cluster: Any, folder: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What an ExecCredential's `status` holds
    (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins).

    Neither its output nor its arguments are shown: either may hold secrets.
    """
    command = plugin["command"]
    shown = f"the kubeconfig's exec program {Path(command).name!r}"
    if plugin.get("interactiveMode") == "Always":
        raise no_login(f"{shown} wants to talk to a person")
    if os.sep in command and not Path(command).is_absolute():
        command = str(folder / command)
    variables = {each["name"]: each["value"] for each in plugin.get("env") or ()}
    asked: dict[str, Any] = {
        "apiVersion": plugin["apiVersion"],
        "kind": "ExecCredential",
        "spec": {"interactive": False, **({"cluster": _told(cluster)} if plugin.get("provideClusterInfo") else {})},
    }

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [command, *(plugin.get("args") or ())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**_handed_on(environ), **variables, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            start_new_session=True,
        )

    with ExitStack() as stack:
        try:
            process = stack.enter_context(running(start))
        except OSError as error:
            raise no_login(f"{shown} cannot be started: {error.strerror}") from None
        try:
            output, _ = process.communicate(timeout=EXEC_SECONDS)
        except subprocess.TimeoutExpired:
            raise no_login(f"{shown} did not end within {EXEC_SECONDS:.0f} s") from None
    if process.returncode != 0:
        raise no_login(f"{shown} failed with exit code {process.returncode}")
    return _credential(output, plugin["apiVersion"], shown)


def _handed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what is another's: our own secrets, and the job's ways to GitHub's tokens.

    What the program does need of these, the kubeconfig names as its `env`.
    """
    return {name: value for name, value in environ.items() if not name.upper().startswith(_NOT_HANDED_ON)}


def _credential(output: bytes, version: str, shown: str) -> dict[str, Any]:
    try:
        document = json.loads(output) if len(output) <= _MAX_OUTPUT else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("kind") != "ExecCredential":
        raise no_login(f"{shown} gave no ExecCredential")
    if document.get("apiVersion") != version:
        raise no_login(f"{shown} gave an ExecCredential of another version than {version}, which it was asked for")
    status = document.get("status")
    if not isinstance(status, dict) or not all(isinstance(value, str) for value in status.values()):
        raise no_login(f"{shown} gave an ExecCredential without a status")
    return status


def _told(cluster: Any) -> dict[str, Any]:
    """What an exec program may know of the cluster."""
    entry = cluster.value["cluster"]
    told = {key: entry[key] for key in ("server", "tls-server-name", "certificate-authority-data") if key in entry}
    for extension in entry.get("extensions") or ():
        if extension["name"] == "client.authentication.k8s.io/exec":
            told["config"] = extension["extension"]
    return told


def _check_safe(found: Any) -> None:
    """A token goes only to a server that has proven who it is."""
    if not is_safe(found.host):
        raise unsafe(f"the cluster's server is {found.host!r}")
    if not found.verify_ssl and not is_loopback(found.host):
        raise unsafe(f"insecure-skip-tls-verify is set for {found.host}")
