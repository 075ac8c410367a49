"""How a cluster is found and logged in to, and what is never shown or waited for."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.adapters.kubernetes import login as kubernetes_login
from aegis.adapters.kubernetes.api import Cluster, cluster_of
from aegis.adapters.kubernetes.login import configuration
from aegis.adapters.kubernetes.rollouts import KubernetesRollouts
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from tests.doubles.argo_controller import rollout
from tests.doubles.kubernetes_api import Api, serve
from tests.support.cluster.clusters import cluster_at, kubeconfig
from tests.support.network.tls import loopback

V1 = "client.authentication.k8s.io/v1"
SECRET = "s3cret-of-a-user"


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(Api()) as api:
        api.add(rollout())
        yield api


def program(folder: Path, body: str) -> Path:
    """An exec program that runs some Python."""
    file = folder / "get-token"
    file.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def credential(**status: str) -> str:
    return f"print(json.dumps({json.dumps({'apiVersion': V1, 'kind': 'ExecCredential', 'status': status})}))"


def plugin(file: Path | str, **more: Any) -> dict[str, Any]:
    return {"exec": {"apiVersion": V1, "command": str(file), "interactiveMode": "Never", **more}}


def error_of(file: Path | None, environ: Mapping[str, str] | None = None, context: str | None = None) -> AegisError:
    with pytest.raises((UsageError, CouldNotDecide)) as caught:
        configuration(environ or {}, kubeconfig=file, context=context)
    error: BaseException | None = caught.value
    while error is not None:
        # a traceback that somebody prints shows what it was made of, too
        assert SECRET not in f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return caught.value


def runs(stat: Path) -> bool:
    """Whether a process does, by its file in /proc; a dead one may lie there until its parent looks."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestKubeconfig:
    def test_a_token_is_used(self, api: Api, tmp_path: Path) -> None:
        KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api))).get("shop", "api")
        assert api.asked[0].authorization == "Bearer a-token"

    def test_a_token_file_is_used(self, api: Api, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("a-token")
        KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api, user={"tokenFile": "token"}))).get("shop", "api")

    def test_a_token_never_stands_in_a_repr(self, api: Api, tmp_path: Path) -> None:
        cluster = cluster_at(kubeconfig(tmp_path, api))
        KubernetesRollouts(cluster).get("shop", "api")
        assert "a-token" not in f"{cluster!r} {cluster._session!r}"

    def test_kubeconfig_names_several_files(self, api: Api, tmp_path: Path) -> None:
        file = kubeconfig(tmp_path, api)
        environ = {"KUBECONFIG": os.pathsep.join([str(tmp_path / "none"), str(file)])}
        assert cluster_of(environ).address == api.url

    def test_home_has_one(self, api: Api, tmp_path: Path) -> None:
        (tmp_path / ".kube").mkdir()
        kubeconfig(tmp_path / ".kube", api, name="config")
        assert cluster_of({"HOME": str(tmp_path)}).address == api.url

    def test_a_context_is_chosen(self, api: Api, tmp_path: Path) -> None:
        file = kubeconfig(tmp_path, api)
        document = yaml.safe_load(file.read_text())
        document["contexts"].append({"name": "far", "context": {"cluster": "far", "user": "somebody"}})
        document["clusters"].append({"name": "far", "cluster": {"server": "https://far.example.test"}})
        file.write_text(yaml.safe_dump(document))
        assert configuration({}, kubeconfig=file, context="far").host == "https://far.example.test"
        assert configuration({}, kubeconfig=file).host == api.url
        error = error_of(file, context="nowhere")
        assert (error.code, "no context 'nowhere'" in error.problem) == ("canary.cluster_configuration", True)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            f"users: [{SECRET}",
            f"- {SECRET}",
            f"{{apiVersion: v1, current-context: here, contexts: [{{name: here}}], users: [{{token: {SECRET}}}]}}",
            (
                "{current-context: here, contexts: [{name: here, context: {cluster: c, user: u}}], "
                f"clusters: [{{name: c, cluster: {{server: 'https://[{SECRET}'}}}}], "
                f"users: [{{name: u, user: {{client-certificate-data: {SECRET}}}}}]}}"
            ),
            f"{{current-context: here, contexts: [], users: [{{name: u, user: {{token: {SECRET}}}}}]}}",
            f"{{contexts: [], users: [{{name: u, user: {{token: {SECRET}}}}}]}}",
            (
                "{current-context: here, contexts: [{name: here, context: {cluster: c}}], users: [], "
                f"clusters: [{{name: c, proxy-url: 'http://somebody:{SECRET}@proxy'}}]}}"
            ),
        ],
        ids=["empty", "yaml", "list", "no-names", "certificate", "no-context", "no-current", "indented"],
    )
    def test_one_that_cannot_be_used_is_told_without_its_content(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "kubeconfig"
        file.write_text(text)
        assert error_of(file).code == "canary.cluster_configuration"

    def test_none_at_all_is_told(self, tmp_path: Path) -> None:
        assert "no kubeconfig" in error_of(None, {"HOME": str(tmp_path)}).problem
        assert error_of(tmp_path / "none").code == "canary.cluster_configuration"
        assert error_of(None, {"KUBECONFIG": str(tmp_path / "none")}).code == "canary.cluster_configuration"

    def test_an_auth_provider_is_refused(self, api: Api, tmp_path: Path) -> None:
        user = {"auth-provider": {"name": "oidc", "config": {"id-token": SECRET, "idp-issuer-url": api.url}}}
        assert "auth-provider" in error_of(kubeconfig(tmp_path, api, user=user)).problem
        assert not api.asked

    @pytest.mark.parametrize(
        "cluster",
        [
            {"server": "http://cluster.example.test"},
            {"server": "https://cluster.example.test", "insecure-skip-tls-verify": True},
        ],
        ids=["clear", "unchecked"],
    )
    def test_a_token_is_not_sent_to_just_anybody(self, api: Api, tmp_path: Path, cluster: dict[str, Any]) -> None:
        error = error_of(kubeconfig(tmp_path, api, cluster=cluster))
        assert (error.code, error.exit_code) == ("canary.cluster_unsafe", 2)

    def test_the_server_s_certificate_is_checked(self, tmp_path: Path) -> None:
        anchor, context = loopback(tmp_path)
        with serve(Api(), context) as api:
            api.add(rollout())
            file = kubeconfig(tmp_path, api, cluster={"certificate-authority": str(anchor)})
            assert KubernetesRollouts(cluster_at(file)).get("shop", "api").phase == "Paused"
            api.asked.clear()
            with pytest.raises(CouldNotDecide, match="certificate verify failed") as caught:
                KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api))).get("shop", "api")
            assert caught.value.code == "canary.cluster_unavailable"
            assert not api.asked


class TestExec:
    def test_its_token_is_used(self, api: Api, tmp_path: Path) -> None:
        file = kubeconfig(tmp_path, api, user=plugin(program(tmp_path, credential(token="a-token"))))
        KubernetesRollouts(cluster_at(file)).get("shop", "api")
        assert api.asked[0].authorization == "Bearer a-token"

    def test_it_is_run_again_when_the_token_has_ended(self, api: Api, tmp_path: Path) -> None:
        program(tmp_path, credential(token="a-token"))
        rollouts = KubernetesRollouts(cluster_at(kubeconfig(tmp_path, api, user=plugin("./get-token"))))
        rollouts.get("shop", "api")
        api.users["another"] = api.users.pop("a-token")
        program(tmp_path, credential(token="another"))
        rollouts.get("shop", "api")
        assert api.asked[-1].authorization == "Bearer another"

    def test_it_is_told_what_it_was_promised(self, api: Api, tmp_path: Path) -> None:
        body = (
            "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
            "assert info['spec']['interactive'] is False and info['kind'] == 'ExecCredential'\n"
            "assert info['spec']['cluster'] == "
            f"{{'server': {api.url!r}, 'config': {{'audience': 'x'}}}}, info\n"
            "assert sys.argv[1:] == ['eks', 'get-token'] and os.environ['AWS_PROFILE'] == 'shop'\n"
            "assert 'UNRELATED' not in os.environ\n"
        ) + credential(token="a-token")
        more = {
            "args": ["eks", "get-token"],
            "env": [{"name": "AWS_PROFILE", "value": "shop"}],
            "provideClusterInfo": True,
        }
        extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
        file = kubeconfig(
            tmp_path, api, user=plugin(program(tmp_path, body), **more), cluster={"extensions": [extension]}
        )
        KubernetesRollouts(cluster_at(file)).get("shop", "api")

    def test_its_certificate_is_used(self, tmp_path: Path) -> None:
        anchor, context = loopback(tmp_path)
        context.load_verify_locations(anchor)
        context.verify_mode = context.verify_mode.CERT_REQUIRED
        pair = {
            "clientCertificateData": (tmp_path / "server.pem").read_text(),
            "clientKeyData": (tmp_path / "server.key").read_text(),
        }
        with serve(Api(users={"": frozenset({"get rollouts"})}), context) as api:
            api.add(rollout())
            user = plugin(program(tmp_path, credential(**pair)))
            cluster = cluster_at(kubeconfig(tmp_path, api, user=user, cluster={"certificate-authority": str(anchor)}))
            assert KubernetesRollouts(cluster).get("shop", "api").phase == "Paused"
            assert api.asked[0].authorization == ""

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            (f"print('{SECRET}', file=sys.stderr); sys.exit(3)", "exit code 3"),
            (f"print('{SECRET}')", "no ExecCredential"),
            ("print('[]')", "no ExecCredential"),
            (
                "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1beta1', 'kind': 'ExecCredential'}))",
                "v1",
            ),
            (f"print(json.dumps({{'apiVersion': '{V1}', 'kind': 'ExecCredential'}}))", "without a status"),
            (credential(), "neither a token"),
            (credential(clientCertificateData=SECRET), "neither a token"),
        ],
        ids=["fails", "text", "list", "version", "no-status", "nothing", "no-key"],
    )
    def test_what_it_does_wrong_is_told_and_nobody_is_asked(
        self, api: Api, tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, problem: str
    ) -> None:
        user = plugin(program(tmp_path, body), args=[SECRET])
        error = error_of(kubeconfig(tmp_path, api, user=user))
        assert error.code == "canary.cluster_login"
        assert problem in error.problem
        assert SECRET not in "".join(capfd.readouterr())
        assert not api.asked

    def test_one_that_is_missing_is_told(self, api: Api, tmp_path: Path) -> None:
        error = error_of(kubeconfig(tmp_path, api, user=plugin(tmp_path / "none")))
        assert "'none' cannot be started: No such file" in error.problem

    def test_one_that_wants_a_person_is_told(self, api: Api, tmp_path: Path) -> None:
        user = plugin(program(tmp_path, credential(token="a-token")), interactiveMode="Always")
        assert "wants to talk to a person" in error_of(kubeconfig(tmp_path, api, user=user)).problem

    def test_one_that_does_not_end_is_ended_with_what_it_started(
        self, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kubernetes_login, "EXEC_SECONDS", 0.1)
        file, told, until_its_end = tmp_path / "get-token", tmp_path / "child", subprocess.Popen.communicate
        file.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {told}.new\nmv {told}.new {told}\nwait\n")
        file.chmod(0o700)

        def communicate(process: subprocess.Popen[bytes], timeout: float) -> tuple[bytes, bytes]:
            """Its time begins when it has started what it starts."""
            end = time.monotonic() + 60
            while not told.exists():
                assert time.monotonic() < end
                time.sleep(0.02)
            return until_its_end(process, timeout=timeout)

        monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
        assert "did not end" in error_of(kubeconfig(tmp_path, api, user=plugin(file))).problem
        child, end = Path("/proc", told.read_text().strip(), "stat"), time.monotonic() + 60
        while runs(child):
            assert time.monotonic() < end
            time.sleep(0.02)


class TestPod:
    @pytest.fixture
    def account(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A service account's folder; the library's two constants name it."""
        import kubernetes.config.incluster_config as library

        folder = tmp_path / "serviceaccount"
        folder.mkdir()
        monkeypatch.setattr(kubernetes_login, "_SERVICE_ACCOUNT", folder / "token")
        monkeypatch.setattr(library, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
        monkeypatch.setattr(library, "SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
        return folder

    def test_its_service_account_is_used(self, account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        anchor, context = loopback(account)
        with serve(Api(), context) as api:
            api.add(rollout())
            anchor.rename(account / "ca.crt")
            (account / "token").write_text("a-token")
            host, _, port = api.url.removeprefix("https://").rpartition(":")
            for name, value in (("KUBERNETES_SERVICE_HOST", host), ("KUBERNETES_SERVICE_PORT", port)):
                monkeypatch.setenv(name, value)
            environ = {"KUBERNETES_SERVICE_HOST": host, "HOME": str(account)}
            cluster = Cluster(lambda: configuration(environ), timeout=60)
            assert KubernetesRollouts(cluster).get("shop", "api").phase == "Paused"

    def test_one_that_is_broken_is_told(self, account: Path) -> None:
        (account / "token").write_text("")
        error = error_of(None, {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "HOME": str(account)})
        assert "the pod's service account cannot be read" in error.problem
