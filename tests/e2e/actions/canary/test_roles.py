"""A job with a role of AWS: for verdicts in a bucket, for a managed Prometheus, and for the cluster's login."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping

from tests.doubles.cloud import ARN, BUCKET, REGION
from tests.doubles.kubernetes_api import ALL_RIGHTS
from tests.doubles.kubernetes_api import Asked as ClusterAsked
from tests.doubles.prometheus_api import Asked
from tests.e2e.actions.canary.conftest import NEW, PROMETHEUS_TOKEN, Deploy, assert_decided, kubeconfig
from tests.support.signing.signing import pem, private
from tests.support.verdicts.signed_verdicts import stored

DIGEST = NEW.rpartition(":")[2]
V1 = "client.authentication.k8s.io/v1"
RULE = {"source": f"s3://{BUCKET}/verdicts/", "signers": [{"key": "build.pub"}]}


def with_role(deploy: Deploy) -> None:
    """The job may ask for a token, and the policy names no role."""
    deploy.token = True
    deploy.inputs |= {"aws-role-to-assume": ARN, "aws-region": REGION}
    deploy.section["aws"] = deploy.cloud.places


def sign(deploy: Deploy, *gates: str) -> list[str]:
    """As a build does, into the bucket; the keys."""
    objects = stored(*gates, digest=DIGEST)
    deploy.cloud.put(objects, "verdicts/")
    return sorted(f"verdicts/{key}" for key in objects)


def test_verdicts_in_a_bucket_are_read_with_a_session_for_them_alone(deploy: Deploy) -> None:
    with_role(deploy)
    deploy.section["requires"] = RULE
    keys = sign(deploy, "verify", "scan")
    deploy.adopt({"build.pub": pem(private("ecdsa-p256"))})
    assert_decided(deploy, deploy.deployed(), "pass canary.not_worse", "promote")
    assert sorted(deploy.cloud.read()) == sorted(keys * 2), "at the start, and before it is promoted"
    # a session each: the first may be over by then
    assert len(deploy.cloud.sts.sessions) == 2
    for session in deploy.cloud.sts.sessions.values():
        actions = json.dumps(session.policy)
        assert "verdicts/*" in actions
        assert "Put" not in actions


def test_an_image_that_nobody_verified_is_taken_out_of_the_traffic(deploy: Deploy) -> None:
    with_role(deploy)
    deploy.section["requires"] = RULE
    sign(deploy, "scan")
    deploy.adopt({"build.pub": pem(private("ecdsa-p256"))})
    run = deploy.deployed()
    assert_decided(deploy, run, "fail canary.verdict_missing", "abort")
    assert deploy.status["phase"] == "Degraded"
    assert any(note.title.startswith("canary.verdict_missing") for note in run.errors())
    assert not deploy.prometheus.asked


def test_a_managed_prometheus_gets_signed_requests(deploy: Deploy) -> None:
    with_role(deploy)
    deploy.section["prometheus"] = {"url": deploy.service.url, "scrape-interval": "10s", "sigv4-region": REGION}
    del deploy.given["PROMETHEUS_TOKEN"]
    answer = deploy.prometheus.answer
    keys = set()

    def signed(asked: Asked) -> tuple[int, bytes, Mapping[str, str]]:
        found = re.match(rf"AWS4-HMAC-SHA256 Credential=(\w+)/[0-9]+/{REGION}/aps/", asked.headers["authorization"])
        if found is None or found[1] not in deploy.cloud.sts.sessions:
            return 403, b"", {}
        keys.add(found[1])
        # behind it stands the same store
        known = {**asked.headers, "authorization": f"Bearer {PROMETHEUS_TOKEN}"}
        return answer(Asked(asked.path, asked.target, asked.parameters, known))

    deploy.prometheus.answer = signed
    deploy.adopt()
    assert_decided(deploy, deploy.deployed(), "pass canary.not_worse", "promote")
    (key,) = keys
    assert "aps:QueryMetrics" in json.dumps(deploy.cloud.sts.sessions[key].policy)


def test_the_clusters_login_program_gets_the_role_and_can_do_nothing_else_with_it(deploy: Deploy) -> None:
    with_role(deploy)
    program = deploy.folder / "aws"
    program.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        f"status = {{'token': 'k8s-' + os.environ['AWS_ACCESS_KEY_ID']}}\n"
        f"print(json.dumps({{'apiVersion': {V1!r}, 'kind': 'ExecCredential', 'status': status}}))\n"
    )
    program.chmod(0o755)
    plugin = {"apiVersion": V1, "command": str(program), "interactiveMode": "Never", "args": ["eks", "get-token"]}
    deploy.given["AEGIS_KUBECONFIG"] = kubeconfig(deploy.api, user={"exec": plugin})

    def know(asked: ClusterAsked) -> None:
        # whoever has a session of the role
        token = asked.authorization.removeprefix("Bearer ")
        if token.removeprefix("k8s-") in deploy.cloud.sts.sessions:
            deploy.api.users[token] = ALL_RIGHTS

    deploy.api.users.clear()
    deploy.api.before = know
    deploy.adopt()
    assert_decided(deploy, deploy.deployed(), "pass canary.not_worse", "promote")
    policies = [json.dumps(session.policy) for session in deploy.cloud.sts.sessions.values()]
    assert len(policies) == 1
    assert "sts:GetCallerIdentity" in policies[0]
    assert "s3:" not in policies[0]
