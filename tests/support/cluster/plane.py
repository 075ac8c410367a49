"""A cluster on this machine: Kubernetes's own control plane and Argo Rollouts's controller, pods by kwok.

Nothing runs in the pods: kwok says that they are ready, and the addresses of those that serve lead where a test says
(`tests.support.cluster.network`). Everything else is real: API server, etcd, controllers, scheduler, rights, admission.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.cluster import cluster_programs
from tests.support.cluster.network import Network, network
from tests.support.network import tls
from tests.support.network.ports import free_port

Document = dict[str, Any]
PATIENCE: Final = 300
"""Seconds for what takes about five; the machine has other work."""
MISSED: Final = 5
"""Seconds after which a controller that takes less than one has missed a change."""
NODE: Final = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "node-0",
        "annotations": {"kwok.x-k8s.io/node": "fake"},
        "labels": {"kubernetes.io/hostname": "node-0"},
    },
    "status": {
        "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"},
        "capacity": {"cpu": "64", "memory": "256Gi", "pods": "500"},
    },
}
_OFF: Final = "-node-ipam-controller,-node-route-controller,-cloud-node-lifecycle-controller"
_NO_HEARTBEAT: Final = "-node-lifecycle-controller,-taint-eviction-controller"
"""Late heartbeats of a node that is none would make its pods unready for ever."""


@dataclass
class ControlPlane:
    """A cluster, with its administrator's credentials."""

    folder: Path
    url: str
    kubeconfig: Path
    network: Network
    token: str = field(repr=False)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)
    """`argo`, `controllers`, …"""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)

    def kubectl(self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None) -> str:
        """What it prints; it must succeed."""
        done = self.try_kubectl(*arguments, stdin=stdin, kubeconfig=kubeconfig)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def try_kubectl(
        self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The command as it ends."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
        }
        program = str(cluster_programs.kubectl())
        return subprocess.run(
            [program, *arguments], input=stdin or "", env=environ, capture_output=True, text=True, timeout=PATIENCE
        )

    def apply(self, *documents: Mapping[str, Any], namespace: str = "default") -> None:
        """As one file of a repository would be."""
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(documents))

    def read(self, path: str) -> Document:
        """GET, for what is asked often: kubectl takes a quarter of a second of a processor."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"})
        with _opener(self.folder / "authority.pem").open(request, timeout=PATIENCE) as answer:
            found: Document = json.load(answer)
            return found

    def await_ended(self, namespace: str) -> None:
        """Until one that was deleted is gone; while it ends, it takes nothing new."""
        asked = ("get", "namespace", namespace, "--output=jsonpath={.status.phase}")
        awaited(
            lambda: self.try_kubectl(*asked).stdout != "Terminating", lambda: f"namespace {namespace} is still there"
        )

    def rollout(self, namespace: str, name: str) -> Document:
        """A Rollout."""
        return self.read(f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts/{name}")

    def add_kinds(self, *files: Path) -> None:
        """CustomResourceDefinitions; returns when they are served."""
        self.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.await_condition(definitions, "Established")
        # kubectl learns of them by discovery, which follows a moment later
        names = {each["metadata"]["name"] for each in self.read(definitions)["items"]}

        def missing() -> set[str]:
            return names - set(self.try_kubectl("api-resources", "--output=name").stdout.split())

        awaited(lambda: not missing(), lambda: f"kubectl does not know {missing()}")

    def await_condition(self, path: str, condition: str) -> None:
        """Until all of a list have it; `kubectl wait` fails where there are no conditions yet."""

        def holds() -> bool:
            return all(
                any(each["type"] == condition and each["status"] == "True" for each in found)
                for found in (item.get("status", {}).get("conditions") or () for item in self.read(path)["items"])
            )

        awaited(holds, lambda: f"{path} is not {condition}")

    def await_rollout(
        self, namespace: str, name: str, is_so: Callable[[], bool], told: Callable[[], str], *, pause: float = 0.1
    ) -> None:
        """Return as soon as it is so of a Rollout, which is touched now and then.

        Argo Rollouts 1.9.2 writes the Rollout that it has just changed over a newer one that it was told of meanwhile
        (`writeBackToInformer`), and then misses that change until the next one.
        """
        touched = time.monotonic()

        def touching() -> bool:
            nonlocal touched
            if is_so():
                return True
            if time.monotonic() - touched > MISSED:
                touched = time.monotonic()
                self.kubectl("annotate", "--overwrite", "rollout", name, "-n", namespace, f"touched={touched}")
            return False

        awaited(touching, told, pause=pause)

    def get(self, kind: str, name: str, namespace: str = "default") -> Document:
        """One object."""
        found: Document = json.loads(self.kubectl("get", kind, name, "-n", namespace, "-o", "json"))
        return found

    def get_all(self, kind: str, namespace: str = "default", selector: str = "") -> list[Document]:
        """Objects of a kind."""
        chosen = ["-l", selector] if selector else []
        found: list[Document] = json.loads(self.kubectl("get", kind, "-n", namespace, *chosen, "-o", "json"))["items"]
        return found

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """An empty one; all that is in it ends with the block."""
        name = f"test-{next(self._numbers)}"
        self.kubectl("create", "namespace", name)
        # pods are refused until its account is there
        awaited(
            lambda: self.try_kubectl("get", "serviceaccount", "default", "-n", name).returncode == 0,
            lambda: f"no account in {name}",
        )
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")

    def kubeconfig_of(self, namespace: str, name: str, rules: Sequence[Mapping[str, Any]]) -> Path:
        """Of a new ServiceAccount that may do what a Role of these rules says, in its own namespace."""
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
            {**_RBAC, "kind": "Role", "metadata": {"name": name}, "rules": [dict(rule) for rule in rules]},
            {
                **_RBAC,
                "kind": "RoleBinding",
                "metadata": {"name": name},
                "subjects": [subject],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            },
            namespace=namespace,
        )
        file = self.folder / f"kubeconfig-{namespace}-{name}"
        _write_kubeconfig(
            file,
            self.url,
            self.folder / "authority.pem",
            self.kubectl("create", "token", name, "-n", namespace).strip(),
        )
        return file

    @contextmanager
    def halted(self, name: str) -> Iterator[None]:
        """One of the processes does nothing while the block runs."""
        self.processes[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.processes[name].send_signal(signal.SIGCONT)

    def logs(self, lines: int = 12) -> str:
        """The ends of all logs, for a test that failed."""
        ends = []
        for file in sorted(self.folder.glob("*.log")):
            text = file.read_text(errors="replace").splitlines()[-lines:]
            ends.append("\n".join([f"== {file.name}", *(line[:300] for line in text)]))
        return "\n".join(ends)


_RBAC: Final = {"apiVersion": "rbac.authorization.k8s.io/v1"}


def awaited(
    is_so: Callable[[], bool], told: Callable[[], str], *, seconds: float = PATIENCE, pause: float = 0.1
) -> None:
    """Return as soon as it is so, which is asked every `pause` seconds."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, told()
        time.sleep(pause)


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A cluster that is ready, until the block ends."""
    programs, kwok = cluster_programs.controlplane(), cluster_programs.kwok()
    with ExitStack() as stack:
        made = _described(folder, stack.enter_context(network()))
        start = _Starter(made, stack)
        _control(start, str(programs / "kubeone"))
        stages = [f"--config={file}" for file in sorted((kwok / "stages").iterdir())]
        start(
            "kwok",
            [str(kwok / "kwok"), f"--kubeconfig={made.kubeconfig}", *stages, "--manage-all-nodes=false",
             "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake", "--cidr=10.0.0.1/16",
             "--node-ip=10.0.0.1", f"--server-address=127.0.0.1:{free_port()}"],
        )  # fmt: skip
        made.apply(NODE)
        made.add_kinds(*(programs / "kinds").iterdir())
        made.await_condition("/api/v1/nodes", "Ready")
        made.kubectl("create", "namespace", "argo-rollouts")
        health = free_port()
        start(
            "argo",
            [str(programs / "rollouts-controller"), f"--kubeconfig={made.kubeconfig}", "--leader-elect=false",
             f"--metricsPort={free_port()}", f"--healthzPort={health}"],
            # a pod would have the cluster's names; here they are the proxy's
            environ={"HTTP_PROXY": made.network.url, "NO_PROXY": "127.0.0.1"},
        )  # fmt: skip
        start.await_url("argo", f"http://127.0.0.1:{health}/healthz")
        yield made


def _control(start: _Starter, kubeone: str) -> None:
    """etcd, API server, controllers, scheduler."""
    made = start.plane
    folder, authority = made.folder, made.folder / "authority.pem"
    etcd, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    start("etcd", [kubeone, "etcd", str(folder / "etcd"), etcd, peer])
    start(
        "apiserver",
        [kubeone, "apiserver", f"--etcd-servers={etcd}", f"--secure-port={made.url.rpartition(':')[2]}",
         "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
         f"--tls-cert-file={folder / 'server.pem'}", f"--tls-private-key-file={folder / 'server.key'}",
         f"--cert-dir={folder / 'certificates'}", "--service-cluster-ip-range=10.96.0.0/16",
         "--service-account-issuer=https://kubernetes.default.svc",
         f"--service-account-key-file={folder / 'accounts.pub'}",
         f"--service-account-signing-key-file={folder / 'accounts.key'}",
         f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC", "--allow-privileged=true",
         "--disable-admission-plugins=TaintNodesByCondition",
         f"--egress-selector-config-file={folder / 'egress.yaml'}"],
    )  # fmt: skip
    start.await_url("apiserver", f"{made.url}/readyz", token=made.token, authority=authority)
    start(
        "controllers",
        [kubeone, "kcm", f"--kubeconfig={made.kubeconfig}", f"--root-ca-file={authority}",
         f"--service-account-private-key-file={folder / 'accounts.key'}", "--use-service-account-credentials=true",
         "--leader-elect=false", "--secure-port=0", f"--controllers=*,{_OFF},{_NO_HEARTBEAT}"],
    )  # fmt: skip
    start("scheduler", [kubeone, "scheduler", f"--kubeconfig={made.kubeconfig}", "--leader-elect=false",
                        "--secure-port=0"])  # fmt: skip


def _described(folder: Path, of_pods: Network) -> ControlPlane:
    """The cluster's files."""
    authority, _ = tls.loopback(folder)
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "accounts.key").write_bytes(private)
    (folder / "accounts.pub").write_bytes(public)
    token, url = secrets.token_hex(16), f"https://127.0.0.1:{free_port()}"
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    egress = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {
                "name": "cluster",
                "connection": {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(of_pods.socket)}}},
            }
        ],
    }
    (folder / "egress.yaml").write_text(yaml.safe_dump(egress))
    _write_kubeconfig(folder / "kubeconfig", url, authority, token)
    return ControlPlane(folder, url, folder / "kubeconfig", of_pods, token)


def _write_kubeconfig(file: Path, url: str, authority: Path, token: str) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "there", "user": "somebody"}}],
        "clusters": [{"name": "there", "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": "somebody", "user": {"token": token}}],
    }
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(document))


@dataclass
class _Starter:
    """Starts processes of a cluster, and has each ended with the stack."""

    plane: ControlPlane
    stack: ExitStack

    def __call__(self, name: str, command: list[str], environ: Mapping[str, str] | None = None) -> None:
        folder = self.plane.folder
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.plane.processes[name] = process
        self.stack.callback(_ended, process)

    def await_url(self, name: str, url: str, *, token: str = "", authority: Path | None = None) -> None:
        """Return when it answers with 200."""
        opener = _opener(authority)
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})

        def answers() -> bool:
            assert self.plane.processes[name].poll() is None, self.plane.logs()
            try:
                opener.open(request, timeout=10).close()
            except OSError:
                return False
            return True

        awaited(answers, self.plane.logs)


def _opener(authority: Path | None) -> urllib.request.OpenerDirector:
    """Of requests that go through no proxy."""
    context = ssl.create_default_context(cafile=authority) if authority else None
    secure = [urllib.request.HTTPSHandler(context=context)] if context else []
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *secure)


def _ended(process: subprocess.Popen[bytes]) -> None:
    # nothing of it is needed any more, and in good order the API server alone takes a minute
    process.kill()
    process.wait()
