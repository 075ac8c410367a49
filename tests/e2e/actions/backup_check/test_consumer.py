"""The example's own workflows as they are given away: only addresses, account and keys in its policy are the tests'."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from tests.doubles.cloud import ACCOUNT, REGION
from tests.e2e.actions.backup_check.conftest import IDENTITY, URL, Shop
from tests.support.actions import events
from tests.support.actions.act import ROOT, Run, commit
from tests.support.actions.consumer import EXAMPLE

BACKUP, CHECK = ".github/workflows/backup.yml", ".github/workflows/backup-check.yml"
DEPLOYING = ".github/workflows/deploy.yml"
STORE = "octo-shop-backups"
SUNDAY = "41 3 * * 0"
DEPLOY = f"""\
name: deploy
on: push
permissions: {{}}
jobs:
  backup-check:
    uses: ./{CHECK}
    permissions: {{contents: read, id-token: write, issues: write}}
  deploy:
    needs: [backup-check]
    runs-on: ubuntu-latest
    steps:
      - run: echo deployed
"""


def example(shop: Shop) -> Path:
    """The example with the two workflows, and a deploy that calls one of them."""
    repository = shop.folder / "example"
    shutil.copytree(EXAMPLE, repository, ignore=shutil.ignore_patterns(".ruff_cache", "__pycache__", ".github"))
    policy = yaml.safe_load((EXAMPLE / "aegis.backup.yml").read_text("utf-8"))
    section = policy["backup-check"]
    assert section["store"] == f"s3://{STORE}/postgresql/"
    section["aws"] |= {**shop.cloud.places, "account": ACCOUNT}
    section["recipients"] = list(shop.shelf.keys.recipients)
    files = {name: (EXAMPLE / name).read_text("utf-8") for name in (BACKUP, CHECK)}
    commit(
        repository,
        {**files, "aegis.backup.yml": yaml.safe_dump(policy), DEPLOYING: DEPLOY},
        "The shop",
    )
    shop.cloud.s3.buckets[STORE] = {}
    return repository


def run(shop: Shop, repository: Path, workflow: str, event: events.Event, secrets: Mapping[str, str]) -> Run:
    """One workflow, in an environment that has just these secrets."""
    shop.given = dict(secrets)
    environment = "backup" if workflow == BACKUP else "drill"
    shop.cloud.trust(workflow=workflow, environment=environment)
    called = {"workflow_ref": workflow, "job_workflow_ref": workflow}
    references = {name: f"octo/shop/{value}@refs/heads/main" for name, value in called.items()}
    subject = f"repo:octo/shop:environment:{environment}"
    shop.cloud.issuer.claims |= {**references, "environment": environment, "sub": subject}
    act = shop.surrounded()
    variables = ("--var", f"AWS_ROLE_TO_ASSUME={shop.inputs['aws-role-to-assume']}", "--var", f"AWS_REGION={REGION}")
    act = replace(act, options=(*act.options, *variables, "-W", workflow))
    done = act.run(repository, event.name, event.payload)
    shop.check_secrets(done)
    return done


def scheduled(cron: str) -> events.Event:
    """The run of one line of the schedule."""
    return events.Event("schedule", {"repository": events.REPOSITORY, "schedule": cron})


def test_the_examples_database_is_backed_up_proven_and_deployed(shop: Shop) -> None:
    repository = example(shop)
    keys = {IDENTITY: shop.shelf.keys.identities[0]}
    first = run(shop, repository, BACKUP, scheduled("23 1 * * *"), {URL: shop.shelf.url})
    # on the first day nothing was proven yet
    assert {note.title.partition(":")[0] for note in first.errors()} == {"backup_check.never_proven"}, first.log[-4000:]

    daily = run(shop, repository, CHECK, scheduled("41 3 * * 1-6"), keys)
    assert daily.green, daily.log[-4000:]
    assert "PROOF" in daily.summary
    sunday = run(shop, repository, CHECK, scheduled(SUNDAY), keys)
    assert sunday.green, sunday.log[-4000:]
    assert "FULL" in sunday.summary

    push = events.push(repository, {"README.md": "A shop.\n"})
    deploy = run(shop, repository, DEPLOYING, push, {})
    assert deploy.green, deploy.log[-4000:]
    assert "deployed" in deploy.log
    stored = shop.cloud.s3.buckets[STORE]
    assert len([key for key in stored if key.endswith("/manifest.json")]) == 1
    assert len([key for key in stored if key.startswith("postgresql/_records/")]) == 2


def test_the_schedules_of_the_workflow_are_those_that_are_tried() -> None:
    text = (ROOT / "examples" / "consumer" / CHECK).read_text("utf-8")
    assert text.count(f'"{SUNDAY}"') == 1
    assert text.count(f"'{SUNDAY}'") == 1
