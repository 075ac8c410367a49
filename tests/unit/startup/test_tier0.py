from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from aegis.startup import tier0
from aegis.startup.problem import COULD_NOT_DECIDE, MISCONFIGURED, StartupProblem

REPOSITORY = {"full_name": "octo/shop", "fork": False}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A job of each action with its defaults in a checked-out repository."""
    (tmp_path / ".git").mkdir()
    return {
        "GITHUB_WORKSPACE": str(tmp_path),
        "GITHUB_EVENT_NAME": "push",
        "AEGIS_INPUT_PATH": ".",
        "AEGIS_INPUT_STRICT": "true",
        "AEGIS_INPUT_UPLOAD": "auto",
        "AEGIS_INPUT_CLOUD": "aws",
        "AEGIS_INPUT_MODE": "check",
        "AEGIS_INPUT_TASK": "judge",
    }


def payload(environ: dict[str, str], tmp_path: Path, content: str) -> dict[str, str]:
    place = tmp_path / "event.json"
    place.write_text(content, "utf-8")
    return environ | {"GITHUB_EVENT_PATH": str(place), "GITHUB_EVENT_NAME": "pull_request"}


def pull_request(head: Any) -> str:
    return json.dumps({"pull_request": {"base": {"repo": REPOSITORY}, "head": {"repo": head}}})


def test_the_defaults_pass(environ: dict[str, str]) -> None:
    assert tier0.check("scan", environ) == tier0.Facts("push", from_fork=False, dependabot=False)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("STRICT", "yes", "`strict` is 'yes'"),
        ("STRICT", "", "`strict` is ''"),
        ("STRICT", "True", "`strict` is 'True'"),
        ("UPLOAD", "always", "`upload` is 'always'"),
        ("PATH", "a\nb", r"`path` holds a control character: 'a\nb'"),
        ("OUTPUT", "out\x1b[2J", "`output` holds a control character"),
        ("BASE", "--upload-pack=x", "`base` is '--upload-pack=x'"),
        ("INDEX_URL", "file:///etc", "`index-url` is 'file:///etc'"),
        ("INDEX_URL", "https://", "`index-url` is 'https://'"),
        ("INDEX_URL", "http://[::1", "`index-url` is '(not a URL)'"),
        ("INDEX_URL", "ftp://bob:hunter2@host/", "`index-url` is 'ftp://host/'"),
        ("PATH", "nowhere", "nowhere"),
    ],
)
def test_a_wrong_input_is_named_with_what_is_expected(
    environ: dict[str, str], name: str, value: str, says: str
) -> None:
    with pytest.raises(StartupProblem, match=re.escape(says)) as caught:
        tier0.check("scan", environ | {f"AEGIS_INPUT_{name}": value})
    assert caught.value.exit_code == MISCONFIGURED
    assert caught.value.expected
    assert "hunter2" not in str(caught.value)


def test_allowed_values_stand_in_the_error(environ: dict[str, str]) -> None:
    with pytest.raises(StartupProblem, match="`true` or `false`"):
        tier0.check("scan", environ | {"AEGIS_INPUT_STRICT": "1"})


def test_a_token_is_never_shown(environ: dict[str, str]) -> None:
    with pytest.raises(StartupProblem) as caught:
        tier0.check("scan", environ | {"AEGIS_INPUT_GITHUB_TOKEN": "ghs_secret\n"})
    assert "ghs_secret" not in str(caught.value)


def test_a_key_may_have_several_lines(environ: dict[str, str]) -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nMFkw\r\n-----END PUBLIC KEY-----\n"
    assert tier0.check("verify", environ | {"AEGIS_INPUT_COSIGN_PUB_KEY": pem})
    with pytest.raises(StartupProblem, match="control character"):
        tier0.check("verify", environ | {"AEGIS_INPUT_COSIGN_PUB_KEY": f"{pem}\x1b[2J"})


@pytest.mark.parametrize("name", ["OCI_CLIENT_ID", "OCI_CLIENT_SECRET", "GITHUB_TOKEN"])
def test_a_secret_is_refused_without_being_shown(environ: dict[str, str], name: str) -> None:
    with pytest.raises(StartupProblem, match=r"\(hidden\)") as caught:
        tier0.check("verify", environ | {f"AEGIS_INPUT_{name}": "hunter2\n"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MODE", "", "`mode` is ''"),
        ("MODE", "restore", "`check` or `verify` or `run`"),
        ("TIER", "everything", "`sample` or `data` or `proof` or `full`"),
        ("DATABASE", "shop\n", "`database` holds a control character"),
        ("MAX_AGE", "1d\x00", "`max-age` holds a control character"),
    ],
)
def test_wrong_wishes_for_backups_are_refused(environ: dict[str, str], name: str, value: str, says: str) -> None:
    with pytest.raises(StartupProblem) as caught:
        tier0.check("backup-check", environ | {f"AEGIS_INPUT_{name}": value})
    assert says in f"{caught.value.problem} {caught.value.expected}"


@pytest.mark.parametrize("tier", ["", "sample", "full"])
def test_a_tier_may_be_left_to_the_policy(environ: dict[str, str], tier: str) -> None:
    assert tier0.check("backup-check", environ | {"AEGIS_INPUT_TIER": tier})


@pytest.mark.parametrize("gate", ["verify", "backup-check", "all"])
def test_a_cloud_that_there_is_not_is_refused(environ: dict[str, str], gate: str) -> None:
    with pytest.raises(StartupProblem, match="`aws` or `oci`"):
        tier0.check(gate, environ | {"AEGIS_INPUT_CLOUD": "gcp"})


def test_the_root_action_has_no_path_and_no_strict(environ: dict[str, str]) -> None:
    assert tier0.check("all", environ | {"AEGIS_INPUT_STRICT": "yes", "AEGIS_INPUT_PATH": ""}).event == "push"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TASK", "", "`task` is ''"),
        ("TASK", "judge ", "`judge` or `list` or `merge`"),
        ("GATE", "deploy", "`scan` or `verify` or `canary` or `backup-check`"),
        ("VERDICTS", "verdicts\n", "`verdicts` holds a control character"),
    ],
)
def test_wrong_wishes_for_a_matrix_are_refused(environ: dict[str, str], name: str, value: str, says: str) -> None:
    with pytest.raises(StartupProblem) as caught:
        tier0.check("all", environ | {f"AEGIS_INPUT_{name}": value})
    assert says in f"{caught.value.problem} {caught.value.expected}"


def test_an_old_python_is_refused(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 12, "final", 0))
    with pytest.raises(StartupProblem, match=r"Python 3\.10"):
        tier0.check("scan", environ)


def test_pull_request_target_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(StartupProblem, match="pull_request_target") as caught:
        tier0.check("scan", environ | {"GITHUB_EVENT_NAME": "pull_request_target"})
    assert caught.value.exit_code == MISCONFIGURED


def test_a_missing_checkout_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".git").rmdir()
    with pytest.raises(StartupProblem, match="no git repository") as caught:
        tier0.check("scan", environ)
    assert "actions/checkout" in caught.value.remedy


def test_a_checkout_in_a_folder_is_found_from_below(environ: dict[str, str], tmp_path: Path) -> None:
    below = tmp_path / "app" / "src"
    below.mkdir(parents=True)
    (tmp_path / ".git").rename(tmp_path / "app" / ".git")
    assert tier0.check("scan", environ | {"AEGIS_INPUT_PATH": "app/src"})


@pytest.mark.parametrize(
    ("head", "from_fork"),
    [
        (REPOSITORY, False),
        ({"full_name": "eve/shop", "fork": True}, True),
        ({"full_name": "eve/shop", "fork": False}, True),
        (None, True),  # the fork was deleted meanwhile
    ],
)
def test_a_fork_is_known_by_its_head(environ: dict[str, str], tmp_path: Path, head: Any, from_fork: bool) -> None:
    facts = tier0.check("scan", payload(environ, tmp_path, pull_request(head)))
    assert facts.from_fork is from_fork
    assert facts.read_only is from_fork


def test_dependabot_is_read_only_too(environ: dict[str, str]) -> None:
    assert tier0.check("scan", environ | {"GITHUB_ACTOR": "dependabot[bot]"}).read_only


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00", "[" * 100_000])
def test_a_broken_payload_is_no_pass(environ: dict[str, str], tmp_path: Path, content: str) -> None:
    with pytest.raises(StartupProblem, match="payload") as caught:
        tier0.check("scan", payload(environ, tmp_path, content))
    assert caught.value.exit_code == COULD_NOT_DECIDE


@pytest.mark.parametrize("content", ['{"pull_request": []}', '{"pull_request": {"head": 3, "base": "x"}}'])
def test_a_payload_of_another_shape_is_survived(environ: dict[str, str], tmp_path: Path, content: str) -> None:
    assert tier0.check("scan", payload(environ, tmp_path, content)).event == "pull_request"


def test_githubs_own_input_variables_are_not_read(environ: dict[str, str]) -> None:
    assert tier0.check("scan", environ | {"INPUT_STRICT": "nonsense", "INPUT_UPLOAD": "nonsense"})
