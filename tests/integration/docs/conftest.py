"""What the pages' commands find where they are typed: a fixture `scene_NAME` for each name in `<!-- run: NAME -->`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.doubles.aws import s3
from tests.support.backup import shop_backups
from tests.support.databases.postgres import binaries, running
from tests.support.pages import pages
from tests.support.pages.page_reader import Reader
from tests.support.pages.pages import ROOT
from tests.support.runtime.deployments import MODEL
from tests.support.scan.gitrepo import HERMETIC, GitRepo
from tests.support.scan.scanning_fixtures import engine, hermetic, repo
from tests.support.signing.signing import pem, private, private_pem, sign, text64
from tests.support.signing.verifying import model_signature

__all__ = ["engine", "hermetic", "repo"]

KEY = private("ecdsa-p256", 0)
WORDS = """
from aegis.core.actor import Actor
from aegis_multimodal_ai_system.orchestrator.audit_helper import record_audit_event
from aegis.audit.event import Resource
for _ in range(44):
    actor = Actor(id="local:shop", kind="process", display="shop", issuer="local", subject="shop")
    model = Resource(kind="model", name="fraud-model")
    record_audit_event("model.load.requested", actor=actor, resource=model, outcome="unknown")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of the reader, empty; also when the scene's own parts used the one before."""
    made = tmp_path / "reader"
    made.mkdir()
    return made


@pytest.fixture
def scene_folder(tmp_path: Path, home: Path) -> Reader:
    """An empty folder."""
    return Reader(tmp_path, home, HERMETIC)


@pytest.fixture
def scene_shop(repo: GitRepo, tmp_path: Path, home: Path, engine: Path) -> Reader:
    """A clean repository with a policy, cloned from its origin."""
    repo.commit({"src/shop.py": "import json\n", "aegis.yml": "version: 1\nscan:\n"})
    clone = repo.clone(tmp_path / "clone")
    return Reader(clone.root, home, {**HERMETIC, "AEGIS_SEMGREP_CORE": str(engine)})


@pytest.fixture
def scene_signing(repo: GitRepo, home: Path) -> Reader:
    """A model and single weights, a key pair, and a policy that names both halves' owners."""
    artifact = {"name": "fraud-model", "kind": "model", "source": "fraud/", "release": {}}
    policy = {"version": 1, "verify": {"artifacts": [{**artifact, "signers": [{"key": "cosign.pub"}]}]}}
    weights = b"weights of the best model"
    repo.commit(
        {
            "aegis.yml": yaml.safe_dump(policy),
            "cosign.pub": pem(KEY),
            **{f"fraud/{name}": content for name, content in MODEL.items()},
            "weights.onnx": weights,
            "weights.onnx.sig": text64(sign(KEY, weights)),  # as `cosign sign-blob --output-signature` writes it
            "evaluation.json": "{}\n",
        }
    )
    (repo.root / "model-key.pem").write_bytes(private_pem(KEY))
    return Reader(repo.root, home, {**HERMETIC, "COSIGN_PUB_KEY": pem(KEY)})


@pytest.fixture
def scene_serving(tmp_path: Path, home: Path) -> Reader:
    """A serving system: a policy with a signed and a forged model, and a log that has gone on for a while."""
    config, artifacts = tmp_path / "config", []
    for name in ("fraud", "forged"):
        files = {**MODEL, "config.json": name.encode()}
        for path, content in {**files, "model.sig": model_signature(files, KEY)}.items():
            (config / "models" / name / path).parent.mkdir(parents=True, exist_ok=True)
            (config / "models" / name / path).write_bytes(content)
        artifact = {"name": f"{name}-model", "kind": "model", "source": f"models/{name}/"}
        artifacts.append({**artifact, "signers": [{"key": "models.pub"}]})
    (config / "models/forged/config.json").write_bytes(b"FORGED")
    (config / "models.pub").write_text(pem(KEY))
    (config / "aegis.yml").write_text(yaml.safe_dump({"version": 1, "verify": {"artifacts": artifacts}}))
    work = tmp_path / "work"
    (work / "published").mkdir(parents=True)
    environ = {**HERMETIC, "AEGIS_POLICY": str(config / "aegis.yml"), "AEGIS_DATA": str(tmp_path / "data")}
    source = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(home)}
    subprocess.run([sys.executable, "-c", WORDS], env={**source, **environ}, check=True, capture_output=True)
    return Reader(work, home, environ)


@pytest.fixture
def scene_drill(tmp_path: Path, home: Path) -> Iterator[Reader]:
    """A shop's database, an empty one beside it, and a bucket."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "scripts").symlink_to(ROOT / "scripts")
    with running() as server, s3.serve(s3.S3({"octo-shop-backups": {}})) as store:
        shop, staging = server.new_database(), server.new_database("template0")
        shop_backups.fill(server.url(shop))
        section = {
            "store": "s3://octo-shop-backups/postgresql/",
            "aws": {"s3-endpoint": store.address, "region": store.region},
            "databases": [{"name": "shop", "tier": "full"}],
        }
        (work / "aegis.backup.yml").write_text(yaml.safe_dump({"version": 1, "backup-check": section}))
        session = {"ACCESS_KEY_ID": s3.ACCESS_KEY, "SECRET_ACCESS_KEY": s3.SECRET_KEY, "SESSION_TOKEN": s3.TOKEN}
        yield Reader(
            work,
            home,
            {
                **HERMETIC,
                **{f"AWS_{name}": value for name, value in session.items()},
                "PATH": f"{binaries()}:{Path(sys.executable).parent}:/usr/bin:/bin",
                "AEGIS_POLICY": "aegis.backup.yml",
                "AEGIS_DATABASE_URL": server.url(shop),
                "STAGING_DATABASE_URL": server.url(staging),
            },
        )


@pytest.fixture
def scene_migration(repo: GitRepo, tmp_path: Path, home: Path, engine: Path) -> Reader:
    """A repository with the workflow of before, and a role whose trust is as open as many are."""
    (before, _) = pages.workflows("docs/migration.md")
    repo.commit({before.path: before.text, "cosign.pub": pem(KEY)})
    provider = "token.actions.githubusercontent.com"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{provider}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{provider}:aud": "sts.amazonaws.com"},
                    "StringLike": {f"{provider}:sub": "repo:octo/*"},
                },
            }
        ],
    }
    programs = tmp_path / "programs"
    programs.mkdir()
    (tmp_path / "role.json").write_text(json.dumps(trust))
    (programs / "aws").write_text(f"#!/bin/sh\ntest \"$1 $2\" = 'iam get-role' && cat '{tmp_path}/role.json'\n")
    (programs / "aws").chmod(0o755)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return Reader(repo.root, home, {**HERMETIC, "PATH": path, "AEGIS_SEMGREP_CORE": str(engine)})


@pytest.fixture
def scene_operator(repo: GitRepo, home: Path) -> Reader:
    """A repository whose model is signed, with the scripts and examples of this one."""
    artifact = {"name": "model", "kind": "model", "source": "model/", "signers": [{"key": "model.pub"}]}
    files = {f"model/{name}": content for name, content in {**MODEL, "model.sig": model_signature(MODEL, KEY)}.items()}
    repo.commit(
        {
            "aegis.yml": yaml.safe_dump({"version": 1, "verify": {"artifacts": [artifact]}}),
            "model.pub": pem(KEY),
            **files,
        }
    )
    for name in ("scripts", "examples"):
        (repo.root / name).symlink_to(ROOT / name)
    return Reader(repo.root, home, HERMETIC)
