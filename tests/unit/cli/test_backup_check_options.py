"""What a check of backups is asked for: inputs and arguments, and that they only tighten the policy."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from aegis.cli.backup_check import command as backup_check
from aegis.cli.backup_check.options import BackupCheckOptions
from aegis.cli.backup_check.run import applied
from aegis.core.errors import UsageError
from aegis.core.policy import BackedUp, BackupCheckPolicy, Policy
from aegis.core.policy_in_force import InForce

POLICY = BackupCheckPolicy(
    store="s3://staging/db/", databases=(BackedUp(name="shop"), BackedUp(name="mail", max_age="12h", tier="full"))
)
IN_FORCE = InForce(Policy(version=1, backup_check=POLICY), "aegis.yml", "")


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    backup_check.add_command(parser.add_subparsers())
    return parser.parse_args(["backup-check", *words])


def test_nothing_asked_is_a_check() -> None:
    options = BackupCheckOptions.from_arguments(arguments(), {})
    assert options == BackupCheckOptions()
    inputs = BackupCheckOptions.from_inputs({"GITHUB_WORKSPACE": "/w"})
    assert inputs == BackupCheckOptions(path="/w", github=True, upload=True)
    assert inputs.mode == "check"


def test_everything_asked_by_arguments() -> None:
    words = ("x", "--mode=verify", "--database=shop", "--max-age=2h", "--tier=full", "--base=main", "--policy=p.yml")
    files = ("--identity-file=i", "--database-url-file=u", "--output=o")
    secrets = {"OCI_CLIENT_ID": "id", "OCI_CLIENT_SECRET": "s3cr3t", "AWS_REGION": "eu-x-1", "COSIGN_PUB_KEY": "k"}
    environ = {**secrets, "AWS_ROLE_TO_ASSUME": "arn"}
    options = BackupCheckOptions.from_arguments(arguments(*words, *files), environ)
    assert options == BackupCheckOptions(
        path="x", mode="verify", database="shop", max_age="2h", tier="full", base="main", policy="p.yml",
        identity_file=Path("i"), database_url_file=Path("u"), output=Path("o"), role="arn", region="eu-x-1",
        cosign_pub_key="k", oci_client_id="id", oci_client_secret="s3cr3t",
    )  # fmt: skip
    assert "s3cr3t" not in repr(options)


def test_everything_asked_by_inputs() -> None:
    environ = {
        "GITHUB_WORKSPACE": "/w",
        **{
            f"AEGIS_INPUT_{name}": value
            for name, value in {
                "PATH": "sub", "BASE": "main", "POLICY": "p.yml", "OUTPUT": "o", "UPLOAD": "never", "MODE": "run",
                "DATABASE": "shop", "MAX_AGE": "2h", "TIER": "data", "AWS_ROLE_TO_ASSUME": "arn",
                "AWS_REGION": "eu-x-1", "COSIGN_PUB_KEY": "k", "OCI_CLIENT_ID": "id", "OCI_CLIENT_SECRET": "s3cr3t",
            }.items()
        },
    }  # fmt: skip
    assert BackupCheckOptions.from_inputs(environ) == BackupCheckOptions(
        path="/w/sub", github=True, base="main", policy="p.yml", output=Path("/w/o"), upload=False, mode="run",
        database="shop", max_age="2h", tier="data", role="arn", region="eu-x-1", cosign_pub_key="k",
        oci_client_id="id", oci_client_secret="s3cr3t",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("MODE", "chek"), ("MODE", "CHECK"), ("TIER", "some"), ("TIER", "proof ")])
def test_inputs_that_there_are_not(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=value) as refused:
        BackupCheckOptions.from_inputs({f"AEGIS_INPUT_{name}": value})
    assert refused.value.code == "core.wrong_usage"


def test_options_tighten_every_database_that_is_judged() -> None:
    options = BackupCheckOptions(max_age="2h", tier="full")
    policy = applied(POLICY, IN_FORCE, options)
    assert [(each.name, each.max_age, each.tier) for each in policy.databases] == [
        ("shop", "2h", "full"), ("mail", "2h", "full"),
    ]  # fmt: skip
    (mail,) = applied(POLICY, IN_FORCE, BackupCheckOptions(database="mail", max_age="720m")).databases
    assert (mail.name, mail.max_age, mail.tier) == ("mail", "720m", "full")
    assert applied(POLICY, IN_FORCE, BackupCheckOptions()) == POLICY


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (BackupCheckOptions(max_age="13h"), "core.policy_loosened", "`max-age` is 13h"),
        (BackupCheckOptions(max_age="9999d", database="shop"), "core.policy_loosened", "has 26h for shop"),
        (BackupCheckOptions(tier="proof"), "core.policy_loosened", "has full for mail"),
        (BackupCheckOptions(tier="sample", database="shop"), "core.policy_loosened", "has proof for shop"),
        (BackupCheckOptions(max_age="soon"), "core.wrong_usage", "'soon'"),
        (BackupCheckOptions(max_age="0h"), "core.wrong_usage", "'0h'"),
        (BackupCheckOptions(max_age="-1h"), "core.wrong_usage", "'-1h'"),
        (BackupCheckOptions(max_age="1h\n"), "core.wrong_usage", "'1h"),
        (BackupCheckOptions(max_age="٣h"), "core.wrong_usage", "h'"),
        (BackupCheckOptions(database="shopp"), "core.wrong_usage", "'shopp'"),
        (BackupCheckOptions(database="Shop"), "core.wrong_usage", "'Shop'"),
    ],
    ids=range(11),
)
def test_options_loosen_nothing(options: BackupCheckOptions, code: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        applied(POLICY, IN_FORCE, options)
    assert refused.value.code == code
    assert said in refused.value.problem
