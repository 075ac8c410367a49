"""A kubeconfig that is a secret, and the credentials that its login program gets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.kubernetes.api import cluster_of
from aegis.adapters.kubernetes.login import configuration
from aegis.adapters.kubernetes.rollouts import KubernetesRollouts
from aegis.core.errors import CouldNotDecide, UsageError
from tests.doubles.argo_controller import rollout
from tests.doubles.kubernetes_api import ALL_RIGHTS, Api, serve
from tests.support.cluster.clusters import kubeconfig

SECRET = "s3cret-of-a-user"


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(Api()) as api:
        api.add(rollout())
        yield api


def text(tmp_path: Path, api: Api, **more: Any) -> str:
    return kubeconfig(tmp_path, api, name="elsewhere", **more).read_text()


def test_it_is_read_without_a_file(api: Api, tmp_path: Path) -> None:
    given = text(tmp_path, api)
    (tmp_path / "elsewhere").unlink()
    before = set(tmp_path.rglob("*"))
    cluster = cluster_of({}, text=given)
    assert KubernetesRollouts(cluster).get("shop", "api").name == "api"
    assert set(tmp_path.rglob("*")) == before


def test_a_file_that_is_named_comes_first_and_one_of_the_surroundings_later(api: Api, tmp_path: Path) -> None:
    named = kubeconfig(tmp_path, api, user={"token": "of-the-file"})
    given = text(tmp_path, api, user={"token": "of-the-secret"})
    around = kubeconfig(tmp_path, api, user={"token": "around"}, name="around")
    environ = {"KUBECONFIG": str(around)}

    def token(**more: Any) -> str:
        found = configuration(environ, **more)
        return str(found.get_api_key_with_prefix("BearerToken"))

    assert token(kubeconfig=named, text=given) == "Bearer of-the-file"
    assert token(text=given) == "Bearer of-the-secret"
    assert token(text="") == "Bearer around"


@pytest.mark.parametrize(
    "given",
    [SECRET, "- a", f"{{clusters: {SECRET}}}", "{", "current-context: here", "\x00"],
    ids=["word", "list", "shape", "broken", "bare", "nul"],
)
def test_one_that_cannot_be_read_is_told_without_its_text(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        configuration({}, text=given)
    assert caught.value.code == "canary.cluster_configuration"
    assert "secret" in caught.value.problem
    assert SECRET not in f"{caught.value} {caught.value.__cause__!r}"


def test_its_login_program_gets_the_roles_credentials_and_nobody_else(api: Api, tmp_path: Path) -> None:
    program = tmp_path / "aws"
    told = (
        'json.dumps({"apiVersion": V, "kind": "ExecCredential", "status": {"token": os.environ["AWS_SESSION_TOKEN"]}})'
    )
    v1 = "client.authentication.k8s.io/v1"
    program.write_text(f"#!{sys.executable}\nimport json, os\nV = {v1!r}\nprint({told})\n")
    program.chmod(0o755)
    plugin = {"exec": {"apiVersion": v1, "command": str(program), "interactiveMode": "Never"}}
    given = text(tmp_path, api, user=plugin)
    tokens = iter(["first", "second"])
    api.users = {"first": ALL_RIGHTS}

    def credentials() -> Mapping[str, str]:
        return {"AWS_SESSION_TOKEN": next(tokens)}

    rollouts = KubernetesRollouts(cluster_of({"AWS_SESSION_TOKEN": "of-the-job"}, text=given, for_programs=credentials))
    rollouts.get("shop", "api")
    # it has ended meanwhile: a login anew asks for credentials anew
    api.users = {"second": ALL_RIGHTS}
    rollouts.get("shop", "api")
    assert [asked.authorization for asked in api.asked] == ["Bearer first", "Bearer first", "Bearer second"]


def test_its_login_program_gets_none_of_our_secrets(api: Api, tmp_path: Path) -> None:
    program, told = tmp_path / "login", tmp_path / "told"
    v1 = "client.authentication.k8s.io/v1"
    answer = json.dumps({"apiVersion": v1, "kind": "ExecCredential", "status": {"token": "a-token"}})
    program.write_text(
        f"#!{sys.executable}\nimport os\nopen({str(told)!r}, 'w').write('\\n'.join(os.environ))\nprint({answer!r})\n"
    )
    program.chmod(0o755)
    variable = [{"name": "GITHUB_TOKEN", "value": "by-name"}]
    plugin = {"apiVersion": v1, "command": str(program), "interactiveMode": "Never", "env": variable}
    ours = (
        *("AEGIS_KUBECONFIG", "AEGIS_STATE_KEY", "AEGIS_INPUT_GITHUB_TOKEN", "PROMETHEUS_TOKEN", "COSIGN_PASSWORD"),
        *("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_RUNTIME_TOKEN", "GH_TOKEN"),
    )
    theirs = ("HOME", "AWS_PROFILE", "AZURE_CONFIG_DIR", "CLOUDSDK_CONFIG", "HTTPS_PROXY")
    configuration(dict.fromkeys((*ours, *theirs), "x"), text=text(tmp_path, api, user={"exec": plugin}))
    seen = set(told.read_text().splitlines())
    assert seen.isdisjoint(ours)
    assert seen >= {*theirs, "GITHUB_TOKEN"}


def test_without_a_login_program_nobody_asks_for_credentials(api: Api, tmp_path: Path) -> None:
    def credentials() -> Mapping[str, str]:
        raise CouldNotDecide("verify.no_credentials", "asked", expected="", remedy="")

    configuration({}, text=text(tmp_path, api), for_programs=credentials)
