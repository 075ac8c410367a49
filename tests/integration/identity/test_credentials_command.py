"""`aegis credentials` as a process of its own, against an issuer and an STS that really judge."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.doubles.aws.sts import Fault
from tests.doubles.github_oidc import BEARER
from tests.integration.cli.command import AEGIS, Done, environment
from tests.support.network.aws import REGION, ROLE, Cloud, cloud
from tests.support.tokens.trusts import document, statement, tight

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = (sys.executable, str(ROOT / "scripts" / "exchange_oidc_credentials.py"))
POLICY = """\
version: 1
verify:
  signers:
    - key: keys/cosign.pub
  artifacts:
    - name: model
      kind: model
      source: s3://models/staging/llm/
  aws:
    role: {role}
    region: {region}
    sts-endpoint: {endpoint}
    s3-endpoint: https://s3.example
"""
SLEEPER = """\
import signal, sys, time
for number in (1, 2, 15):
    signal.signal(number, lambda number, frame: sys.exit(40 + number))
print("ready", flush=True)
while True:
    time.sleep(0.1)  # a signal that comes just before one long sleep would end with it
"""
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Cloud]:
    with cloud() as running:
        text = POLICY.format(role=running.sts.arn(ROLE), region=REGION, endpoint=running.sts.address)
        (tmp_path / "aegis.yml").write_text(text)
        (tmp_path / "trust.json").write_text(json.dumps(tight()))
        yield running


def surroundings(here: Cloud, folder: Path) -> dict[str, str]:
    """Of a step of a workflow: with its files, and another identity that must not count."""
    files = {}
    for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"):
        (folder / name).touch()
        files[name] = str(folder / name)
    run = {
        "GITHUB_RUN_ID": "9001",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_REPOSITORY": "octo/shop",
        "RUNNER_TEMP": str(folder),
    }
    other = {"AWS_PROFILE": "missing", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "AKIAOTHER"}
    return environment(folder, TMPDIR=str(folder), **files, **run, **other, **here.issuer.environ)


def run(
    folder: Path,
    environ: Mapping[str, str],
    *arguments: str,
    given: str = "",
    program: tuple[str, ...] = (*AEGIS, "credentials"),
) -> Done:
    done = subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=dict(environ),
        input=given,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def secrets(here: Cloud) -> list[str]:
    """What must be nowhere but in memory, in the child's environment, and behind `::add-mask::`."""
    return [*here.issuer.minted, *(one for session in here.sts.sessions.values() for one in session.secrets)]


def unmasked(text: str) -> str:
    """Without the commands by which the runner learns what to hide."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("::add-mask::"))


def assert_nothing_left(here: Cloud, folder: Path, *texts: str) -> None:
    assert secrets(here)
    places = {"text": "\n".join(map(unmasked, texts)).encode()}
    places |= {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    for place, data in places.items():
        for secret in (BEARER, *secrets(here)):
            assert secret.encode() not in data, place


class TestExec:
    def test_the_child_alone_has_the_credentials(self, here: Cloud, tmp_path: Path) -> None:
        done = run(tmp_path, surroundings(here, tmp_path), "exec", "--", sys.executable, "-c", SHOW)
        assert done.code == 0, done.err
        seen = json.loads(done.out)
        (session,) = here.sts.sessions.values()
        assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"], seen["AWS_SESSION_TOKEN"]) == session.secrets
        assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == REGION
        assert seen["AWS_ENDPOINT_URL_S3"] == "https://s3.example"
        assert session.name == "aegis-verify-9001-1"
        assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"} & set(seen)
        assert_nothing_left(here, tmp_path, done.err)

    def test_they_read_what_the_policy_names_and_nothing_else(self, here: Cloud, tmp_path: Path) -> None:
        run(tmp_path, surroundings(here, tmp_path), "exec", "--", "true")
        (key,) = here.sts.sessions
        arn = "arn:aws:s3:::models"
        assert here.sts.allowed(key, "s3:GetObject", f"{arn}/staging/llm/weights.bin", {})
        assert here.sts.allowed(key, "s3:ListBucket", arn, {"s3:prefix": "staging/llm/"})
        for action, resource in (
            ("s3:GetObject", f"{arn}/production/x"),
            ("s3:PutObject", f"{arn}/staging/llm/x"),
            ("iam:PassRole", "*"),
        ):
            assert not here.sts.allowed(key, action, resource, {})

    def test_every_secret_is_masked_on_stderr_before_the_command_runs(self, here: Cloud, tmp_path: Path) -> None:
        done = run(tmp_path, surroundings(here, tmp_path), "exec", "--", "true")
        assert done.out == ""
        masked = [
            line.removeprefix("::add-mask::") for line in done.err.splitlines() if line.startswith("::add-mask::")
        ]
        assert masked == secrets(here)

    @pytest.mark.parametrize("code", [0, 1, 7, 255])
    def test_the_exit_code_is_the_command_s(self, here: Cloud, tmp_path: Path, code: int) -> None:
        assert run(tmp_path, surroundings(here, tmp_path), "exec", "--", "sh", "-c", f"exit {code}").code == code

    def test_arguments_arrive_as_they_are(self, here: Cloud, tmp_path: Path) -> None:
        odd = ["--policy", "-x", "a b", "", "--", "$(id)"]
        show = "import json, sys; print(json.dumps(sys.argv[1:]))"
        done = run(tmp_path, surroundings(here, tmp_path), "exec", "--", sys.executable, "-c", show, *odd)
        assert json.loads(done.out) == odd

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_signal_reaches_the_command_and_nothing_is_left(
        self, here: Cloud, tmp_path: Path, number: signal.Signals
    ) -> None:
        with subprocess.Popen(
            [*AEGIS, "credentials", "exec", "--", sys.executable, "-c", SLEEPER], cwd=tmp_path,
            env=surroundings(here, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            process.send_signal(number)
            out, err = process.communicate(timeout=120)
        assert process.returncode == 40 + number
        assert_nothing_left(here, tmp_path, out, err, arguments.decode())

    def test_a_signal_while_the_exchange_hangs(self, here: Cloud, tmp_path: Path) -> None:
        here.sts.faults = [Fault(silence=60, times=9)]
        with subprocess.Popen(
            [*AEGIS, "credentials", "exec", "--", "true"], cwd=tmp_path,
            env=surroundings(here, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            while not here.sts.requests:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=120)
        assert process.returncode == 3
        assert "core.interrupted" in err
        assert_nothing_left(here, tmp_path, out, err)

    def test_a_role_that_does_not_trust_the_job(self, here: Cloud, tmp_path: Path) -> None:
        here.issuer.claims["environment"] = "prod"
        done = run(tmp_path, surroundings(here, tmp_path), "exec", "--", "touch", "ran")
        done.refused(3, "verify.role_denied", "environment='prod'")
        assert not (tmp_path / "ran").exists()
        assert len(here.sts.requests) == 1
        assert_nothing_left(here, tmp_path, done.out, done.err)

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["exec"], "no command"),
            (["exec", "--"], "no command"),
            (["exec", "--", "no-such-program-x"], "cannot be run"),
            (["exec", "--policy", "missing.yml", "--", "true"], "cannot be read"),
            (["exec", "--role", "x", "--", "true"], "ARN of an IAM role"),
            (["exec", "--region", "x y", "--", "true"], "region"),
            (["process", "--policy", "empty.yml"], "no section `verify`"),
        ],
    )
    def test_wrong_usage(self, here: Cloud, tmp_path: Path, arguments: list[str], told: str) -> None:
        (tmp_path / "empty.yml").write_text("version: 1\n")
        done = run(tmp_path, surroundings(here, tmp_path), *arguments)
        done.refused(2, told)
        assert not any(secret in unmasked(done.err) for secret in secrets(here))

    def test_outside_a_workflow(self, here: Cloud, tmp_path: Path) -> None:
        run(tmp_path, environment(tmp_path), "exec", "--", "true").refused(3, "verify.no_workflow")

    def test_nothing_is_masked_where_nobody_reads_it(self, here: Cloud, tmp_path: Path) -> None:
        environ = {**surroundings(here, tmp_path), "GITHUB_ACTIONS": ""}
        assert "::add-mask::" not in run(tmp_path, environ, "exec", "--", "true").err


class TestProcess:
    def test_the_protocol_of_aws(self, here: Cloud, tmp_path: Path) -> None:
        done = run(tmp_path, surroundings(here, tmp_path), "process")
        answer = json.loads(done.out)
        (session,) = here.sts.sessions.values()
        assert answer["Version"] == 1
        assert (answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]) == session.secrets
        assert_nothing_left(here, tmp_path, done.err)

    def test_an_sdk_takes_it(self, here: Cloud, tmp_path: Path) -> None:
        command = " ".join([*SCRIPT, "process", "--policy", str(tmp_path / "aegis.yml")])
        (tmp_path / "config").write_text(f"[profile verify]\ncredential_process = {command}\n")
        environ = {**surroundings(here, tmp_path), "AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "verify"}
        del environ["AWS_ACCESS_KEY_ID"]
        ask = "import botocore.session as b; print(b.Session().get_credentials().get_frozen_credentials().access_key)"
        done = run(tmp_path, environ, "-c", ask, program=(sys.executable,))
        assert done.out.strip() in here.sts.sessions, done.err

    def test_when_it_fails_stderr_holds_no_secret_at_all(self, here: Cloud, tmp_path: Path) -> None:
        """An SDK puts what stood there into its own message."""
        here.sts.roles = ()
        done = run(tmp_path, surroundings(here, tmp_path), "process")
        done.refused(3, "verify.role_denied")
        assert done.out == ""
        assert here.issuer.minted
        assert not any(secret in done.err for secret in secrets(here))

    def test_it_does_not_print_to_a_terminal(self, here: Cloud, tmp_path: Path) -> None:
        ours, theirs = pty.openpty()
        try:
            done = subprocess.run(
                [*AEGIS, "credentials", "process"], cwd=tmp_path, env=surroundings(here, tmp_path), stdout=theirs,
                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=180, check=False,
            )  # fmt: skip
        finally:
            os.close(theirs)
            os.close(ours)
        assert done.returncode == 2
        assert "the output is a terminal" in done.stderr
        assert here.issuer.minted == []


class TestDoctor:
    def doctor(self, here: Cloud, folder: Path, *arguments: str, given: str = "") -> Done:
        return run(folder, surroundings(here, folder), "doctor", *arguments, given=given)

    def test_a_job_that_is_trusted(self, here: Cloud, tmp_path: Path) -> None:
        done = self.doctor(here, tmp_path, "--trust-policy", "trust.json")
        assert done.code == 0, done.out + done.err
        assert "✗" not in done.out
        assert "the trust allows this token" in done.out
        assert_nothing_left(here, tmp_path, done.out, done.err)

    def test_each_condition_is_shown_beside_the_token(self, here: Cloud, tmp_path: Path) -> None:
        here.issuer.claims["environment"] = "prod"
        done = self.doctor(here, tmp_path, "--trust-policy", "trust.json")
        assert done.code == 1
        failing = [line.strip() for line in done.out.splitlines() if line.lstrip().startswith("✗ String")]
        assert failing == ["✗ StringEquals token.actions.githubusercontent.com:environment"]
        assert "token:  prod\n      policy: staging\n      fix:    Set `environment: staging`" in done.out

    def test_a_token_of_somebody_else_s_on_the_input(self, here: Cloud, tmp_path: Path) -> None:
        token = here.issuer.token(sub="repo:octo@42/shop@7001:environment:staging")
        done = self.doctor(here, tmp_path, "--token-file", "-", "--trust-policy", "trust.json", given=token + "\n")
        assert done.code == 0, done.out
        assert here.issuer.minted == []
        assert token not in done.out + done.err

    def test_a_token_that_is_over_is_not_trusted(self, here: Cloud, tmp_path: Path) -> None:
        token = here.issuer.token(exp=int(time.time()) - 5)
        done = self.doctor(here, tmp_path, "--token-file", "-", "--trust-policy", "trust.json", given=token)
        assert done.code == 1
        assert "mint a new one" in done.out

    def test_what_cannot_be_known(self, here: Cloud, tmp_path: Path) -> None:
        unknown = document(statement(("IpAddress", "aws:SourceIp", "203.0.113.0/24")))
        (tmp_path / "trust.json").write_text(json.dumps(unknown))
        done = self.doctor(here, tmp_path, "--trust-policy", "trust.json")
        assert done.code == 3
        assert "? IpAddress aws:SourceIp" in done.out

    def test_without_a_trust_policy_nothing_is_judged(self, here: Cloud, tmp_path: Path) -> None:
        done = self.doctor(here, tmp_path)
        assert done.code == 3
        assert "sub: repo:octo/shop:environment:staging" in done.out
        assert "nothing was judged" in done.out

    def test_a_fork_is_told_so(self, here: Cloud, tmp_path: Path) -> None:
        (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"head": {"repo": {"full_name": "m/shop"}}}}))
        environ = {
            name: value for name, value in surroundings(here, tmp_path).items() if not name.startswith("ACTIONS_")
        }
        environ |= {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(tmp_path / "event.json")}
        run(tmp_path, environ, "doctor").refused(3, "verify.no_id_token_fork", "from a fork")

    @pytest.mark.parametrize(
        ("arguments", "given", "code"),
        [
            (["--trust-policy", "missing.json"], "", 2),
            (["--trust-policy", "aegis.yml"], "", 2),
            (["--role", "x", "--trust-policy", "trust.json"], "", 2),
            (["--token-file", "-"], "", 3),
            (["--token-file", "-"], "é", 2),
            (["--token-file", "missing"], "", 2),
            (["--token-file", "-"], "a" * 30_000, 3),
        ],
    )
    def test_wrong_usage(self, here: Cloud, tmp_path: Path, arguments: list[str], given: str, code: int) -> None:
        self.doctor(here, tmp_path, *arguments, given=given).refused(code)

    def test_nothing_in_a_claim_acts_in_the_log(self, here: Cloud, tmp_path: Path) -> None:
        here.issuer.claims["ref"] = "refs/heads/x\n::error::pwned\x1b[2J"
        done = self.doctor(here, tmp_path, "--trust-policy", "trust.json")
        assert "\n::error::" not in done.out + done.err
        assert "\x1b" not in done.out + done.err


class TestDoctorOfOci:
    def test_the_printed_trust_and_another_job(self, here: Cloud, tmp_path: Path) -> None:
        given = (*TestTrustAndLint.GIVEN, "--environment", "staging", *TestTrustAndLint.OF_OCI)
        (tmp_path / "oci.json").write_text(run(tmp_path, environment(tmp_path), "trust", "--cloud", "oci", *given).out)
        asked = ("doctor", "--cloud", "oci", "--trust-policy", "oci.json", "--client-id", "abc")
        done = run(tmp_path, surroundings(here, tmp_path), *asked)
        assert done.code == 0, done.out + done.err
        assert "aud: https://cloud.oracle.com" in done.out
        here.issuer.claims["repository_id"] = "7002"
        done = run(tmp_path, surroundings(here, tmp_path), *asked)
        assert done.code == 1
        assert "✗ repository_id" in done.out


class TestTrustAndLint:
    GIVEN = (
        "--repository",
        "octo/shop",
        "--repository-id",
        "7001",
        "--owner-id",
        "42",
        "--workflow",
        ".github/workflows/verify.yml",
    )
    OF_OCI = (
        "--client-id",
        "abc",
        "--service-user",
        "u1",
        "--group",
        "verifiers",
        "--compartment",
        "staging",
        "--bucket",
        "models",
    )

    def test_what_is_printed_is_what_works(self, here: Cloud, tmp_path: Path) -> None:
        done = run(
            tmp_path, environment(tmp_path), "trust", "--cloud", "aws", *self.GIVEN, "--environment", "staging",
            "--ref", "refs/heads/main", "--account", here.sts.account,
        )  # fmt: skip
        assert done.code == 0, done.err
        assert json.loads(done.out) == tight()
        (tmp_path / "printed.json").write_text(done.out)
        assert run(tmp_path, environment(tmp_path), "lint", "printed.json").code == 0

    def test_what_oci_needs(self, tmp_path: Path) -> None:
        asked = ("trust", "--cloud", "oci", *self.GIVEN, "--environment", "staging")
        done = run(tmp_path, environment(tmp_path), *asked, *self.OF_OCI)
        assert done.code == 0, done.err
        assert json.loads(done.out)["issuer"] == "https://token.actions.githubusercontent.com"
        assert "note: IAM policy: Allow group" in done.err
        run(tmp_path, environment(tmp_path), *asked).refused(2, "--client-id")

    def test_what_is_missing_is_named(self, tmp_path: Path) -> None:
        given = ("trust", "--cloud", "aws", *self.GIVEN)
        run(tmp_path, environment(tmp_path), *given, "--environment", "x").refused(2, "--account")
        run(tmp_path, environment(tmp_path), *given, "--account", "1" * 12).refused(2, "an environment, a ref, or both")

    def test_lint_names_what_is_dangerous(self, tmp_path: Path) -> None:
        (tmp_path / "bad.json").write_text(json.dumps(document(statement(("StringLike", "sub", "repo:octo/*")))))
        (tmp_path / "w.yml").write_text(
            "on: push\npermissions: write-all\njobs: {a: {steps: [{uses: actions/checkout@v4}]}}"
        )
        done = run(tmp_path, environment(tmp_path), "lint", "bad.json", "w.yml")
        assert done.code == 1
        for rule in ("no-audience", "open-repository", "exposed-token", "persisted-credentials"):
            assert f"[{rule}]" in done.out
        run(tmp_path, environment(tmp_path), "lint", "missing.json").refused(
            2, "'missing.json' cannot be read: No such file or directory"
        )
        run(tmp_path, environment(tmp_path), "lint", ".").refused(2, "cannot be read")


def test_the_runbook_s_script_is_the_same_command(here: Cloud, tmp_path: Path) -> None:
    done = run(tmp_path, surroundings(here, tmp_path), "exec", "--", "echo", "done", program=SCRIPT)
    assert (done.code, done.out) == (0, "done\n")
