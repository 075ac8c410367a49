"""The example's workflow, as a deploy calls it: restored, judged, saved, and judged again by the next attempt."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import yaml

from tests.doubles.argo_controller import hash_of
from tests.e2e.actions.canary.conftest import AGAIN, NEW, Deploy
from tests.support.actions import events
from tests.support.actions.act import ROOT, Run, commit

EXAMPLE = ROOT / "examples" / "consumer"
JUDGE = ".github/workflows/canary.yml"
DEPLOY = f"""\
name: deploy
on: push
permissions: {{}}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - run: echo the image was set
  canary:
    needs: [deploy]
    uses: ./{JUDGE}
    permissions: {{contents: read, id-token: write}}
    secrets: inherit # act has no environments; GitHub gives the called job those of its own
  announce:
    needs: [canary]
    runs-on: ubuntu-latest
    steps:
      - run: echo announced
"""


def example(deploy: Deploy) -> Path:
    """The example, whose cluster and Prometheus are this machine's."""
    repository = deploy.folder / "example"
    shutil.copytree(EXAMPLE, repository, ignore=shutil.ignore_patterns(".ruff_cache", "__pycache__", ".github"))
    policy = yaml.safe_load((EXAMPLE / "aegis.canary.yml").read_text("utf-8"))
    # seconds instead of minutes; all the rest is the example's
    policy["canary"] |= {"interval": "1s", "spread": 0, "cluster": 1}
    files = {JUDGE: (EXAMPLE / JUDGE).read_text("utf-8"), "aegis.canary.yml": yaml.safe_dump(policy)}
    commit(repository, {**files, ".github/workflows/deploy.yml": DEPLOY}, "The shop")

    def prometheus(path: str) -> tuple[int, bytes]:
        # private: the API server's proxy is the only way
        parameters = dict(parse_qsl(path.partition("?")[2]))
        if parameters.get("query") == "time()":
            deploy.service.live(30)
        return deploy.service.answer(parameters)

    deploy.api.services["monitoring", "http:prometheus:9090"] = prometheus
    return repository


def run(deploy: Deploy, repository: Path) -> Run:
    """The deploy."""
    event = events.push(repository, {"README.md": "A shop, anew.\n"}) if deploy.attempt == 1 else AGAIN
    act = deploy.surrounded()
    workflow = ("-W", ".github/workflows/deploy.yml")
    act = replace(act, options=(*act.options, *workflow))
    done = act.run(repository, event.name, event.payload)
    deploy.check_secrets(done)
    return done


def test_a_deploy_goes_on_only_when_its_rollout_was_promoted(deploy: Deploy) -> None:
    done = run(deploy, example(deploy))
    assert done.green, done.log[-6000:]
    assert "announced" in done.log
    assert deploy.status["stableRS"] == hash_of(NEW)
    assert not deploy.prometheus.asked


def test_a_deploy_whose_rollout_is_worse_is_red_again_and_again(deploy: Deploy) -> None:
    deploy.service.errors = 0.06
    repository = example(deploy)
    first = run(deploy, repository)
    assert not first.green
    assert "announced" not in first.log
    assert any(note.title.startswith("canary.worse") for note in first.errors()), first.log[-6000:]
    assert deploy.status["phase"] == "Degraded"
    deploy.service.errors = 0.0
    deploy.change(lambda document: document["status"].update({"abort": False}))
    deploy.attempt = 2
    second = run(deploy, repository)
    assert not second.green
    assert any(note.title.startswith("canary.worse") for note in second.errors()), second.log[-6000:]
    assert deploy.status["abort"] is True
