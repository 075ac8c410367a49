"""The staging probes against what the tests have in place of real endpoints: the service as a process, doubles of the
cloud, programs that answer as kubectl, terraform and helm do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.cloud import ARN, REGION
from tests.doubles.oidc_issuer import serve_issuers
from tests.support.acceptance.staging_probe import expected, probed
from tests.support.actions.act import commit
from tests.support.actions.consumer import AWS_CHECK, copy, staged_cloud
from tests.support.runtime.service import config_folder, environment, roles, started
from tests.support.signing.signing import pem, private
from tests.unit.scaffold.test_outputs import AWS, printed

ROOT = Path(__file__).resolve().parents[3]


def program(folder: Path, name: str, text: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f"#!{sys.executable}\n{text}")
    (folder / "bin" / name).chmod(0o755)


def path(folder: Path) -> str:
    return f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


class TestService:
    """A4 and A7."""

    KUBECTL = """\
import json, sys
assert sys.argv[1:5] == ["--context", "staging", "-n", "aegis"] and sys.argv[-2:] == ["-o", "json"], sys.argv
ready = "False" if "late" in sys.argv[6] else "True"
print(json.dumps({"status": {"conditions": [{"type": "Ready", "status": ready}]}}))
"""

    @pytest.fixture(scope="module")
    @staticmethod
    def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], str]]:
        """The configuration of a service that runs, and a token of an administrator."""
        folder = tmp_path_factory.mktemp("service")
        (folder / "config").mkdir()
        config = config_folder(folder / "config")
        with serve_issuers() as issuers:
            environ = environment(folder / "data", config, AEGIS_AUTH=str(issuers.auth_file(folder)))
            tokens = roles(issuers)
            with started(environ, tokens=tokens) as service:
                section = {
                    "url": f"http://127.0.0.1:{service.ports[0]}",
                    "token_variable": "STAGING_JWT",
                    "verified": "shop",
                    "unverified": "forged",
                }
                yield section, tokens["admin"]

    def test_the_loader(self, api: tuple[dict[str, Any], str], tmp_path: Path) -> None:
        section, token = api
        good = probed("A4", tmp_path, {"api": section}, STAGING_JWT=token)
        assert good.result == "pass", good
        assert good.facts["refused_with"] == "verify.file_differs"
        bad = probed("A4", tmp_path, {"api": section}, "verified-for-unverified", STAGING_JWT=token)
        assert bad.reason in expected("A4", "verified-for-unverified")
        assert bad.failed <= good.passed

    def test_tokens_secrets_and_actors(self, api: tuple[dict[str, Any], str], tmp_path: Path) -> None:
        section, token = api
        program(tmp_path, "kubectl", self.KUBECTL)
        cluster = {"context": "staging", "namespace": "aegis", "rollout": "aegis", "external_secrets": ["cosign"]}
        environ = {"STAGING_JWT": token, "PATH": path(tmp_path)}
        good = probed("A7", tmp_path, {"api": section, "cluster": cluster}, **environ)
        assert good.result == "pass", good
        assert len(good.facts["tokens"]) == 11
        bad = probed("A7", tmp_path, {"api": section, "cluster": cluster}, "valid-among-forged", **environ)
        assert bad.reason in expected("A7", "valid-among-forged")
        assert bad.failed == {"forged-tokens-refused"}

    def test_a_secret_that_is_not_synced(self, api: tuple[dict[str, Any], str], tmp_path: Path) -> None:
        section, token = api
        program(tmp_path, "kubectl", self.KUBECTL)
        names = ["cosign", "database-late"]
        cluster = {"context": "staging", "namespace": "aegis", "rollout": "aegis", "external_secrets": names}
        environ = {"STAGING_JWT": token, "PATH": path(tmp_path)}
        bad = probed("A7", tmp_path, {"api": section, "cluster": cluster}, **environ)
        assert bad.reason == "probe.secret_missing"


def test_artifacts_by_this_jobs_token(tmp_path: Path) -> None:
    """A2."""
    with staged_cloud() as served:
        places = {"aegis.yml": {"aws": served.cloud.places}}
        repository = copy(tmp_path / "shop", [AWS_CHECK], places, served.sigstore.trusted_root())
        commit(repository, {}, "The service as it is")
        key = pem(private("ecdsa-p256", 0))
        job = {**served.cloud.job, "AWS_ROLE_TO_ASSUME": ARN, "AWS_REGION": REGION, "COSIGN_PUB_KEY": key}
        config = {"verify": {"path": str(repository)}}
        good = probed("A2", tmp_path, config, **job)
        assert good.result == "pass", good
        assert "GetObject" in {asked.operation for asked in served.cloud.s3.asked}
        bad = probed("A2", tmp_path, config, "other-signer", **job)
        assert bad.reason in expected("A2", "other-signer"), bad
        assert bad.failed == {"artifacts-verified"}
        served.tamper()
        (tmp_path / "evidence-None").rename(tmp_path / "before")
        assert probed("A2", tmp_path, config, **job).reason == "verify.file_differs"


class TestInfra:
    """A3."""

    TERRAFORM = """\
import pathlib, sys
folder = pathlib.Path(sys.argv[1].removeprefix("-chdir="))
if sys.argv[2] == "plan":
    assert {"-detailed-exitcode", "-input=false"} <= set(sys.argv), sys.argv
    sys.exit(int((folder / "plan").read_text()))
assert sys.argv[2:] == ["output", "-json", "-no-color"], sys.argv
sys.stdout.write((folder / "answer").read_text())
"""
    HELM = """\
import pathlib, sys
assert sys.argv[1:4] == ["upgrade", "--install", "aegis"] and sys.argv[5:8] == ["-n", "aegis", "-f"], sys.argv
assert "--kube-context" in sys.argv and pathlib.Path(sys.argv[4], "Chart.yaml").is_file(), sys.argv
pathlib.Path(__file__).with_name("installed").touch()
"""

    @pytest.fixture
    def staging(self, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "overlay").mkdir()
        (tmp_path / "overlay" / "answer").write_bytes(printed(AWS))
        (tmp_path / "overlay" / "plan").write_text("0")
        program(tmp_path, "terraform", self.TERRAFORM)
        program(tmp_path, "helm", self.HELM)
        overlay = str(tmp_path / "overlay")
        return {"infra": {"overlay": overlay, "values": "helm/values.aws.yaml", "context": "staging"}}

    def test_the_overlay_and_the_chart(self, staging: dict[str, Any], tmp_path: Path) -> None:
        bad = probed("A3", tmp_path, staging, "chart-edited", PATH=path(tmp_path))
        assert bad.reason in expected("A3", "chart-edited")
        assert not (tmp_path / "bin" / "installed").exists()
        good = probed("A3", tmp_path, staging, PATH=path(tmp_path))
        assert (tmp_path / "bin" / "installed").exists()
        # a chart that has been edited in this very tree is no commit's
        if subprocess.run(["git", "status", "--porcelain", "--", "helm"], cwd=ROOT, capture_output=True).stdout == b"":
            assert good.result == "pass", good
            assert good.facts["chart_digest_before"] == good.facts["chart_digest_after"]
            assert bad.failed <= good.passed

    def test_an_overlay_that_drifts(self, staging: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "overlay" / "plan").write_text("2")
        assert probed("A3", tmp_path, staging, PATH=path(tmp_path)).reason == "probe.overlay_differs"
        assert not (tmp_path / "bin" / "installed").exists()


class TestRollout:
    """A5."""

    KUBECTL = """\
import json, pathlib, sys
place = pathlib.Path(__file__).with_name("rollout.json")
rollout = json.loads(place.read_text())
assert sys.argv[1:5] == ["--context", "staging", "-n", "shop"], sys.argv
assert sys.argv[6] == "rollouts.argoproj.io/shop", sys.argv
if sys.argv[5] == "get":
    print(json.dumps(rollout))
    sys.exit()
document = json.loads(sys.argv[-1])
if "--type=json" in sys.argv:
    (change,) = document
    assert change["path"] == "/spec/template/spec/containers/1/image", change
    container = rollout["spec"]["template"]["spec"]["containers"][1]
    rollout["spec"]["template"]["spec"]["containers"][1]["image"] = change["value"]
else:
    rollout["revision"] = document["spec"]["template"]["metadata"]["annotations"]["aegis-gates.dev/acceptance"]
rollout["metadata"]["generation"] += 1
bad = rollout["spec"]["template"]["spec"]["containers"][1]["image"] == JUDGED_BAD
rollout["status"] |= {"observedGeneration": str(rollout["metadata"]["generation"]), "abort": bad,
                      "phase": "Degraded" if bad else "Healthy", "message": "RolloutAborted" if bad else ""}
if not bad and rollout["revision"]:
    rollout["status"]["stableRS"] = "new"
place.write_text(json.dumps(rollout))
"""

    def rollout(self, folder: Path, judged_bad: str) -> dict[str, str]:
        program(folder, "kubectl", f"JUDGED_BAD = {judged_bad!r}\n{self.KUBECTL}")
        containers = [{"name": "proxy", "image": "proxy:1"}, {"name": "api", "image": "shop:1"}]
        document = {
            "metadata": {"generation": 1},
            "spec": {"template": {"spec": {"containers": containers}}},
            "status": {"phase": "Healthy", "stableRS": "old", "observedGeneration": "1"},
            "revision": None,
        }
        (folder / "bin" / "rollout.json").write_text(json.dumps(document))
        return {"PATH": path(folder)}

    CONFIG: Mapping[str, Any] = {
        "cluster": {"context": "staging", "namespace": "shop", "rollout": "shop", "degraded_image": "shop:bad"}
    }

    def test_a_judge_that_takes_it_back(self, tmp_path: Path) -> None:
        good = probed("A5", tmp_path, self.CONFIG, **self.rollout(tmp_path, "shop:bad"))
        assert good.result == "pass", good
        after = json.loads((tmp_path / "bin" / "rollout.json").read_text())
        assert after["spec"]["template"]["spec"]["containers"][1]["image"] == "shop:1"
        assert after["revision"] is None
        bad = probed("A5", tmp_path, self.CONFIG, "good-image", **self.rollout(tmp_path, "shop:bad"))
        assert bad.reason in expected("A5", "good-image")
        assert bad.failed <= good.passed

    def test_a_judge_that_promotes_what_is_worse(self, tmp_path: Path) -> None:
        bad = probed("A5", tmp_path, self.CONFIG, **self.rollout(tmp_path, "another"))
        assert bad.reason == "probe.not_rolled_back"
        after = json.loads((tmp_path / "bin" / "rollout.json").read_text())
        assert after["spec"]["template"]["spec"]["containers"][1]["image"] == "shop:1"
