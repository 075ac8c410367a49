"""The canary action as a workflow calls it, with a cluster as strict as a real one, and a store of metrics."""

from __future__ import annotations

import datetime
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles.argo_controller import hash_of, reconcile, rollout
from tests.doubles.cloud import cloud
from tests.doubles.kubernetes_api import ALL_RIGHTS, Api
from tests.doubles.kubernetes_api import serve as serve_cluster
from tests.doubles.metrics_store import MetricsStore
from tests.doubles.prometheus_api import Api as PrometheusApi
from tests.doubles.prometheus_api import Asked
from tests.doubles.prometheus_api import serve as serve_prometheus
from tests.e2e.actions.conftest import told
from tests.e2e.actions.watched import KEEP, WARM, Watched, installed_lock
from tests.support.actions import events
from tests.support.actions.act import Act, Run, write_files
from tests.support.canary import canary_server

CANARY, ROOT_ACTION = "org/aegis/actions/canary@v1", "org/aegis@v1"
CACHE = "actions/cache@55cc8345863c7cc4c66a329aec7e433d2d1c52a9"
PLACE = ("shop", "web")
OLD, NEW = "registry.example.com/shop/web@sha256:" + "a" * 64, "registry.example.com/shop/web@sha256:" + "b" * 64
AGAIN = events.Event(
    "push", {"repository": events.REPOSITORY, "ref": "refs/heads/main", "before": "0" * 40, "forced": False}
)
"""A push whose commit is checked out already."""
KUBE_TOKEN = "kube-3f9a1c7e5b2d8046"
PROMETHEUS_TOKEN = "prom-7c1e9b3a5d2f4860"
KEEP_STATE = """\
      - uses: actions/cache/save@55cc8345863c7cc4c66a329aec7e433d2d1c52a9
        if: ${{ always() }}
        with:
          path: .aegis-canary
          key: aegis-canary-${{ github.run_id }}-${{ github.run_attempt }}
"""
RESTORE_STATE = """\
      - uses: actions/cache/restore@55cc8345863c7cc4c66a329aec7e433d2d1c52a9
        with:
          path: .aegis-canary
          key: aegis-canary-${{ github.run_id }}-${{ github.run_attempt }}
          restore-keys: aegis-canary-
"""
_SAVE = """\
name: Stand-in for actions/cache/save
inputs: {path: {}, key: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {KEY: "${{ inputs.key }}", FOLDER: "${{ inputs.path }}"}
      run: |
        # as the real one: a key is written once, and nothing to save is a warning
        if [[ -e "$FOLDER" && ! -e "$CACHED/$KEY" ]]; then cp -a "$FOLDER" "$CACHED/$KEY"; fi
"""
_RESTORE = """\
name: Stand-in for actions/cache/restore
inputs: {path: {}, key: {}, restore-keys: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {KEY: "${{ inputs.key }}", PREFIX: "${{ inputs.restore-keys }}", FOLDER: "${{ inputs.path }}"}
      run: |
        found="$KEY"
        if [[ ! -e "$CACHED/$found" ]]; then
          found="$(cd "$CACHED" && ls -td "$PREFIX"* 2>/dev/null | head -1)" || true
        fi
        if [[ -n "$found" ]]; then cp -a "$CACHED/$found" "$FOLDER"; fi
"""


@dataclass
class Deploy(Watched):
    """A consumer whose new version stands at the first pause of its rollout."""

    api: Api = field(kw_only=True)
    service: canary_server.Shop = field(kw_only=True)
    prometheus: PrometheusApi = field(kw_only=True)
    section: dict[str, Any] = field(default_factory=dict)
    """Of the policy, beside the places."""
    given: dict[str, str] = field(default_factory=dict)
    """The secrets of the job."""
    attempt: int = 1

    def policy(self, **changes: Any) -> str:
        """The policy file."""
        section = {
            "prometheus": {"url": self.service.url, "scrape-interval": "10s", "bearer-env": "PROMETHEUS_TOKEN"},
            "rollout": dict(zip(("namespace", "name"), PLACE, strict=True)),
            "metrics": [{"preset": "http"}],
            "spread": 0,
            "cluster": 1,
            "interval": "1s",
            "deadline": "30m",
            **self.section,
        }
        return yaml.safe_dump({"version": 1, "canary": {**section, **changes}})

    def adopt(self, files: Mapping[str, str | bytes] | None = None) -> None:
        """The first commit, with the policy; its workflow keeps the state of a rollout."""
        self.env |= {name: f"${{{{ secrets.{name} }}}}" for name in self.given}
        self.before, self.after = WARM + RESTORE_STATE, KEEP_STATE + KEEP
        super().adopt({"aegis.yml": self.policy(), **(files or {})})

    def surrounded(self) -> Act:
        """With the job's secrets, and a cache that is a folder."""
        act = super().surrounded()
        secrets = self.folder / "secrets"
        secrets.write_text("".join(f"{name}='{value}'\n" for name, value in self.given.items()), "utf-8")
        doubles = self.folder / "cache-action"
        write_files(doubles, {"save/action.yml": _SAVE, "restore/action.yml": _RESTORE})
        env = {**act.env, "CACHED": str(self._made("cached")), "GITHUB_RUN_ATTEMPT": str(self.attempt)}
        options = (*act.options, "--secret-file", str(secrets), "--local-repository", f"{CACHE}={doubles}")
        return replace(act, env=env, options=options)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What opens the cluster and Prometheus too."""
        return (*super().secrets, KUBE_TOKEN, PROMETHEUS_TOKEN)

    def deployed(self) -> Run:
        """The run of the push that changed the image."""
        return self.run(events.push(self.repository, {"README.md": "A shop, anew.\n"}))

    def again(self) -> Run:
        """The next attempt of the same run."""
        self.attempt += 1
        shutil.rmtree(self.kept)
        return self.run(AGAIN)

    @property
    def status(self) -> dict[str, Any]:
        """What the cluster says of the rollout."""
        found: dict[str, Any] = self.api.rollouts[PLACE]["status"]
        return found

    def wishes(self) -> list[Any]:
        """What was asked of the rollout."""
        return [asked.body["status"] for asked in self.api.patches() if asked.body]

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Somebody else changes the rollout, and its controller sees it."""
        self.api.change(*PLACE, change)
        reconcile(self.api.rollouts[PLACE])


def kubeconfig(api: Api, user: Mapping[str, Any] | None = None) -> str:
    """For a secret: on one line. `user`: who asks; by default a known token."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "there", "user": "deployer"}}],
            "clusters": [{"name": "there", "cluster": {"server": api.url}}],
            "users": [{"name": "deployer", "user": user or {"token": KUBE_TOKEN}}],
        }
    )


def assert_decided(deploy: Deploy, run: Run, answer: str, decision: str) -> None:
    """Red or green as the answer says, which stands in outputs, summary and verdict."""
    assert told(run) == answer, run.log[-6000:]
    assert run.green == answer.startswith("pass ")
    assert deploy.verdict()["decision"] == decision


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the environment of the action's lock, as a gate before left it."""
    return installed_lock("canary", tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("installed"))


@pytest.fixture
def deploy(tmp_path: Path, exported: Path, uv_folder: Path, installed: Path) -> Iterator[Deploy]:
    """A consumer of the canary action."""
    with deploying(tmp_path, Act(exported, tmp_path / "runner", (uv_folder,), {"INSTALLED": str(installed)})) as stage:
        yield stage


@contextmanager
def deploying(folder: Path, act: Act) -> Iterator[Deploy]:
    """A consumer of the canary action, its cluster and its metrics."""
    act.work.mkdir()
    api = Api(users={KUBE_TOKEN: ALL_RIGHTS}, controller=reconcile)
    document = rollout(*PLACE, stable=OLD, canary=NEW)
    now = datetime.datetime.now(datetime.UTC)
    document["status"]["pauseConditions"][0]["startTime"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    api.add(document)
    service = canary_server.Shop(MetricsStore(clock=canary_server.T0), "", folder)
    service.canary, service.stable = hash_of(NEW), hash_of(OLD)

    def answer(asked: Asked) -> tuple[int, bytes, Mapping[str, str]]:
        if asked.headers.get("authorization") != f"Bearer {PROMETHEUS_TOKEN}":
            return 401, b"", {}
        if asked.parameters.get("query") == "time()" and not service.down:
            service.live(30)  # so much time passes from look to look
        return *service.answer(asked.parameters), {}

    with ExitStack() as stack:
        prometheus = stack.enter_context(serve_prometheus(PrometheusApi(answer)))
        service.url = prometheus.url
        stack.enter_context(serve_cluster(api))
        stage = Deploy(
            folder=folder,
            act=act,
            uses=CANARY,
            cloud=stack.enter_context(cloud()),
            api=api,
            service=service,
            prometheus=prometheus,
            token=False,
            given={"AEGIS_KUBECONFIG": kubeconfig(api), "PROMETHEUS_TOKEN": PROMETHEUS_TOKEN},
        )
        yield stage
    # pytest keeps the folders of three runs, and a runner's are large
    for each in (act.work, stage.kept):
        shutil.rmtree(each, ignore_errors=True)


def looks(deploy: Deploy) -> int:
    """How often the gate has looked."""
    return sum(asked.parameters.get("query") == "time()" for asked in deploy.prometheus.asked)


def chart(run: Run) -> str:
    """The chart of the summary."""
    found = re.search(r"```mermaid\n(.*?)```", run.summary, re.DOTALL)
    return found[1] if found else ""
