"""`aegis fleet scan`: real repositories of git, fetched without their history."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.cli.interruption import Stopped
from tests.doubles.github_fleet import OrganisationAtGitHub
from tests.doubles.github_settings import TOKEN
from tests.integration.fleet.conftest import Run
from tests.support.network.git_server import GitServer, git_server

USES = "import boto3\n\nboto3.client('s3')\n"


def served(github: OrganisationAtGitHub, tmp_path: Path) -> None:
    """Where git finds the repositories."""
    for name, member in github.members.items():
        if member.git.refs:
            member.git.written_to(tmp_path / "server" / "octo" / name)


def test_each_default_branch_is_scanned_by_its_own_policy(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path
) -> None:
    allow = "version: 1\nscan:\n  allow:\n    - {path: src/app.py, provider: aws, reason: moves to storage in May}\n"
    github.add("clean", {"src/app.py": "print(1)\n"})
    shop = github.add("shop", {"src/app.py": USES})
    github.add("allowed", {"src/app.py": USES, "aegis.yml": allow})
    github.add("broken", {"src/app.py": USES, "aegis.yml": "version: 9\n"})
    github.add("empty")
    served(github, tmp_path)
    done = run("scan", "--output", str(tmp_path / "verdicts"))
    assert done.states == {
        "clean": "well", "shop": "found", "allowed": "well", "broken": "error", "empty": "excluded",
    }  # fmt: skip
    assert (done.code, done.codes["broken"], done.codes["shop"]) == (3, "core.policy_invalid", "core.findings")
    assert "scan.runtime" in done.detail("shop")
    verdict = json.loads((tmp_path / "verdicts" / "shop" / "verdict.json").read_bytes())
    assert verdict["subject"] == [{"name": "octo/shop", "digest": {"gitCommit": shop.git.refs["refs/heads/main"]}}]
    assert verdict["source"]["repository"] == "octo/shop"
    assert [each["path"] for each in verdict["findings"]] == ["src/app.py"]
    assert run("scan", "--name", "shop", "--name", "clean").code == 1
    assert run("scan", "--name", "clean", "--name", "allowed").code == 0


def test_a_repository_that_git_cannot_fetch_is_no_clean_one(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path
) -> None:
    github.add("clean", {"src/app.py": "print(1)\n"})
    served(github, tmp_path)
    github.add("gone", {"src/app.py": "print(1)\n"})
    done = run("scan")
    assert (done.code, done.codes) == (3, {"clean": None, "gone": "fleet.not_fetched"})


def test_a_commit_that_the_server_does_not_have_is_not_replaced_by_another(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path
) -> None:
    shop = github.add("shop", {"src/app.py": "print(1)\n"})
    served(github, tmp_path)
    shop.git.commit({"src/app.py": USES})
    assert run("scan").codes == {"shop": "fleet.not_fetched"}


def test_what_a_repository_asks_git_to_run_is_not_run(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    config = tmp_path / "home" / ".gitconfig"
    config.parent.mkdir()
    config.write_text(f'[filter "lfs"]\n\tsmudge = touch {ran} && cat\n\trequired = true\n')
    monkeypatch.setenv("HOME", str(config.parent))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    github.add("shop", {"src/app.py": "print(1)\n", ".gitattributes": "*.py filter=lfs\n"})
    served(github, tmp_path)
    assert run("scan").states == {"shop": "well"}
    assert not ran.exists()


@pytest.mark.parametrize(
    ("api", "server", "code"),
    [
        ("https://api.example.org/elsewhere", "", 3),
        ("https://github.example/api/v3", "", None),
        ("", "", None),
    ],
)
def test_the_token_goes_to_the_server_of_the_api_alone(
    api: str, server: str, code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aegis.cli.fleet.fleet import server as server_of
    from aegis.core.errors import AegisError

    monkeypatch.setenv("GITHUB_API_URL", api)
    monkeypatch.setenv("GITHUB_SERVER_URL", server)
    if code is not None:
        with pytest.raises(AegisError) as caught:
            server_of()
        assert caught.value.exit_code == code
        return
    assert server_of() == ("https://github.example" if api else "https://github.com")


def test_the_token_is_in_no_argument_of_git(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    git = tools / "git"
    git.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{tmp_path}/arguments"\nenv >>"{tmp_path}/environment"\n'
        'case "$*" in *fetch*) echo "fatal: no" >&2; exit 128;; esac\n'
    )
    git.chmod(0o755)
    github.add("shop", {"README.md": "x\n"})
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    assert run("scan").codes == {"shop": "fleet.not_fetched"}
    assert TOKEN not in (tmp_path / "arguments").read_text()
    environment = (tmp_path / "environment").read_text()
    assert "GIT_CONFIG_KEY_0=http.https://github.example/.extraheader" in environment
    assert TOKEN not in environment  # encoded, in the one header


def test_a_signal_while_one_is_scanned_ends_the_whole_run(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        github.add(name, {"src/app.py": "print(1)\n"})
    served(github, tmp_path)
    from aegis.cli.scan import run as scan_run

    def stopped(*_: object) -> object:
        raise Stopped(signal.SIGINT)

    monkeypatch.setattr(scan_run, "_judge", stopped)
    done = run("scan")
    assert (done.code, done.states) == (3, {"a": "error", "b": "not reached"})
    assert done.codes["a"] == "core.interrupted"


@pytest.fixture
def https(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GitServer]:
    """git over HTTPS, for whoever shows the token."""
    github.add("shop", {"src/app.py": USES})
    served(github, tmp_path)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with git_server(tmp_path / "server", tmp_path, TOKEN) as server:
        monkeypatch.setenv("GITHUB_SERVER_URL", server.address)
        monkeypatch.setenv("GIT_SSL_CAINFO", str(server.authority))
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield server


def test_git_shows_the_token_to_its_server(run: Run, https: GitServer) -> None:
    assert run("scan").states == {"shop": "found"}
    assert len(https.seen) >= 2
    assert all(shown and TOKEN not in path for path, shown in https.seen)


def test_a_redirect_is_not_followed_with_the_token(run: Run, https: GitServer) -> None:
    https.redirect = https.address + "/elsewhere"
    assert run("scan").codes == {"shop": "fleet.not_fetched"}
    assert https.seen
    assert not [path for path, _ in https.seen if path.startswith("/elsewhere")]


def test_a_server_with_another_certificate_gets_no_token(
    run: Run, https: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_SSL_CAINFO")
    assert run("scan").codes == {"shop": "fleet.not_fetched"}
    assert https.seen == []
