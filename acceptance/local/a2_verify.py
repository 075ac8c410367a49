"""A2: on a pull request, the example's check gets short-lived credentials by OIDC, and verifies what lies in staging.

Real are the workflow, the action with its start-up, STS with the role's trust policy, IAM, S3 and cosign. GitHub's
runner is played by act, and its token service by this machine.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.local.commands import Commands  # noqa: E402 - probes run without being installed
from acceptance.local.judging_cloud import JudgingCloud, judging_cloud  # noqa: E402
from acceptance.probe import Probe, probing  # noqa: E402
from aegis.startup import surroundings  # noqa: E402
from aegis.startup.uv import find_uv  # noqa: E402
from tests.doubles.github_oidc import BEARER  # noqa: E402
from tests.doubles.sigstore.signer import PrivateSigstore  # noqa: E402
from tests.e2e.verify.versitygw import AUDIENCE, REGION, ROOT_KEY, ROOT_SECRET  # noqa: E402
from tests.support.actions import staged  # noqa: E402
from tests.support.actions.act import Act, Run, commit, export  # noqa: E402
from tests.support.actions.consumer import AWS_CHECK, CLAIMS, SIGNER, VOCABULARY, copy  # noqa: E402
from tests.support.actions.events import pull_request  # noqa: E402
from tests.support.actions.leaks import secrets_in, without_masks  # noqa: E402
from tests.support.programs import cosign  # noqa: E402
from tests.support.signing.signing import pem, private, private_pem  # noqa: E402

KEY = private("ecdsa-p256")
FAULTS = {
    "changed-after-signing": "one byte of a file that cosign has signed is other in the bucket",
    "other-repository": "the role trusts another repository than the one whose pull request this is",
    "long-lived-key": "the job may ask for no token, and has an access key of the account instead",
    "token-kept": "a step of the job writes its token to a file",
}
KEEPS_TOKEN = f"""\
      - name: Debug
        run: |
          curl --fail --silent --header "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience={AUDIENCE}" > "$HOME/token.json"
"""
LONG_LIVED = {"AWS_ACCESS_KEY_ID": ROOT_KEY, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe, tempfile.TemporaryDirectory(prefix="a2-") as temporary:
        folder, sigstore = Path(temporary), PrivateSigstore()
        trusted = "octo/other" if probe.fault == "other-repository" else "octo/shop"
        with judging_cloud(AWS_CHECK, trusted=trusted) as cloud:
            cloud.put(_model(sigstore), "ranking/")
            vocabulary = VOCABULARY.replace(b"red", b"rod") if probe.fault == "changed-after-signing" else VOCABULARY
            signature = _signed(folder, VOCABULARY)
            cloud.put({"vocabulary.json": vocabulary, "vocabulary.json.sigstore.json": signature})
            run, kept = _checked(folder, cloud, sigstore, probe.fault)
        _judge(probe, run, kept, cloud, folder)


def _model(sigstore: PrivateSigstore) -> dict[str, bytes]:
    """The example's model, signed by its workflow's identity."""
    sign = staged.by_identity(sigstore, identity=SIGNER, claims={**sigstore.request().claims, **CLAIMS})
    return staged.model(staged.WEIGHTS, sign) | staged.release("ranking", staged.WEIGHTS, "1.4.0", sign)


def _signed(folder: Path, content: bytes) -> bytes:
    """The bundle by cosign."""
    (folder / "cosign").mkdir()
    tool = cosign.Cosign.within(folder / "cosign")
    file = folder / "cosign" / "vocabulary.json"
    file.write_bytes(content)
    return tool.sign(tool.import_key(private_pem(KEY), "builders"), file)


def _checked(folder: Path, cloud: JudgingCloud, sigstore: PrivateSigstore, fault: str | None) -> tuple[Run, Path]:
    """The pull request's run, and the folder of what it uploaded."""
    places = {
        "account": cloud.role.split(":")[4],
        "sts-endpoint": cloud.addresses["iam"],
        "s3-endpoint": cloud.addresses["s3"],
    }
    repository = copy(folder / "shop", [AWS_CHECK], {"aegis.yml": {"aws": places}}, sigstore.trusted_root())
    if fault == "token-kept":
        workflow = repository / AWS_CHECK
        workflow.write_text(workflow.read_text().replace("    steps:\n", f"    steps:\n{KEEPS_TOKEN}", 1))
    commit(repository, {}, "The service as it is")
    event = pull_request(repository, {"README.md": "A shop.\n"})
    runner, kept = folder / "runner", folder / "artifacts"
    runner.mkdir()
    # many runners have it; without, the job would fetch it with pip
    uv = find_uv(ROOT, surroundings.cache_folder(os.environ), os.environ).parent
    variables = {"AWS_ROLE_TO_ASSUME": cloud.role, "AWS_REGION": REGION, "COSIGN_PUB_KEY": pem(KEY)}
    options = tuple(word for name, value in variables.items() for word in ("--var", f"{name}={value}"))
    job = LONG_LIVED if fault == "long-lived-key" else cloud.job
    act = Act(
        export(folder / "action"), runner, (uv,), {**job, "ARTIFACTS": str(kept)}, ("--insecure-secrets", *options)
    )
    return act.run(repository, event.name, event.payload), kept


def _judge(probe: Probe, run: Run, kept: Path, cloud: JudgingCloud, folder: Path) -> None:
    """What came of it."""
    commands = Commands(probe.evidence, [*cloud.minted, BEARER, ROOT_SECRET])
    commands.keep("log", run.log)
    commands.keep("summary", run.summary)
    verdicts = [json.loads(file.read_bytes()) for file in kept.rglob("verdict.json")]
    if not verdicts:
        raise RuntimeError(f"the run left no verdict: {run.log[-3000:]}")
    verdict = verdicts[0]
    (probe.evidence / "verdict.json").write_text(json.dumps(verdict, indent=1))
    found = {finding["rule"] for finding in verdict["findings"]}
    reason = min(found) if found else verdict["reason"]
    tokens = [_claims(token) for token in cloud.minted]
    probe.facts |= {
        "workflow": AWS_CHECK,
        "event": "pull_request",
        "jobs": dict(run.jobs),
        "decision": verdict["decision"],
        "reasons": sorted(found),
        "tokens": tokens,
        "versions": {"cosign": cosign.VERSION},
    }
    probe.check(
        "check-is-green",
        run.green and verdict["decision"] == "pass",
        f"the check is {'green' if run.green else 'red'}: {verdict['decision']}, {reason}",
        reason=reason,
    )
    probe.check(
        "credentials-by-oidc",
        any(token["aud"] == AUDIENCE and token["environment"] == "staging" for token in tokens),
        f"{len(tokens)} token(s) were minted for {AUDIENCE}",
        reason="probe.no_oidc_token",
    )
    leaked = secrets_in([BEARER, *cloud.minted], without_masks(run), [folder / "runner", kept])
    probe.check("no-token-left", leaked == [], "; ".join(leaked) or "none in log or files", reason="probe.token_leaked")


def _claims(token: str) -> dict[str, Any]:
    """What a token says, without its signature, and only what is no secret."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {name: claims.get(name) for name in ("iss", "aud", "sub", "environment", "job_workflow_ref")}


if __name__ == "__main__":
    main()
