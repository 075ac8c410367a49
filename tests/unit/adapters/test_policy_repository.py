from __future__ import annotations

import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from aegis.adapters.git.policy import PolicyRepository
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.policy import Extends
from aegis.core.policy_file import parse_policy
from tests.doubles.github import TOKEN
from tests.support.scan.gitrepo import HERMETIC, GitRepo

POLICY = b"version: 1\nscan:\n  strict: true\n"
COMMIT = "1f" * 20


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HERMETIC.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def organisation(tmp_path: Path) -> GitRepo:
    """The organisation's repository, where the server keeps it."""
    return GitRepo.init(tmp_path / "server" / "octo" / "policies")


def served(repo: GitRepo, **environ: str) -> PolicyRepository:
    return PolicyRepository({"GITHUB_SERVER_URL": f"file://{repo.root.parent.parent}", **environ})


def wanted(commit: str = COMMIT, path: str = "aegis.yml") -> Extends:
    return Extends(repository="octo/policies", commit=commit, path=path)


def refused(repository: PolicyRepository, extends: Extends) -> str:
    """What the user is told; the token is in nothing that could be printed."""
    with pytest.raises(CouldNotDecide) as caught:
        repository.fetch(extends)
    assert caught.value.code == "core.extends_unresolved"
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


class TestOverARealRepository:
    def test_the_file_at_that_commit_is_given_and_not_the_branch_s(self, organisation: GitRepo) -> None:
        pinned = organisation.commit({"aegis.yml": POLICY})
        organisation.commit({"aegis.yml": b"version: 1\nmode: observe until 2999-01-01\n"})
        assert served(organisation).fetch(wanted(pinned)) == POLICY

    def test_a_file_in_a_folder(self, organisation: GitRepo) -> None:
        pinned = organisation.commit({"gates/python.yml": POLICY})
        assert served(organisation).fetch(wanted(pinned, "gates/python.yml")) == POLICY

    def test_the_bytes_are_not_converted(self, organisation: GitRepo) -> None:
        content = b"version: 1\r\n# caf\xc3\xa9\r\n"
        pinned = organisation.commit({"aegis.yml": content, ".gitattributes": "* text=auto eol=lf\n"})
        raw = organisation.git("cat-file", "-s", f"{pinned}:aegis.yml")
        assert len(served(organisation).fetch(wanted(pinned))) == int(raw)

    def test_a_commit_that_is_not_there(self, organisation: GitRepo) -> None:
        organisation.commit({"aegis.yml": POLICY})
        said = refused(served(organisation), wanted("ab" * 20))
        assert f"octo/policies@{'ab' * 20}:aegis.yml" in said
        assert "expected:" in said
        assert "next: correct `extends`" in said

    @pytest.mark.parametrize("path", ["missing.yml", "folder", "../aegis.yml", "/etc/passwd", "a\nb", ":aegis.yml"])
    def test_a_path_that_is_no_file_of_the_commit(self, organisation: GitRepo, path: str) -> None:
        pinned = organisation.commit({"aegis.yml": POLICY, "folder/x": "x"})
        refused(served(organisation), wanted(pinned, path))

    def test_a_repository_that_is_not_there(self, tmp_path: Path) -> None:
        refused(PolicyRepository({"GITHUB_SERVER_URL": f"file://{tmp_path}"}), wanted())

    @pytest.mark.parametrize("commit", ["main", "v1", "HEAD", "1f" * 10, "1F" * 20, "1f" * 20 + r"\n"])
    def test_what_can_move_is_no_commit(self, commit: str) -> None:
        text = f'version: 1\nextends: {{repository: octo/policies, commit: "{commit}"}}\n'
        with pytest.raises(UsageError, match=r"extends\.commit") as caught:
            parse_policy(text.encode(), file="aegis.yml")
        assert caught.value.code == "core.policy_invalid"


class TestServer:
    @pytest.mark.parametrize(
        "server",
        [
            "http://github.com",
            "ssh://git@github.com",
            "ext::sh -c 'touch pwned'",
            "--upload-pack=touch pwned",
            "https://github.com/ --upload-pack=x",
            f"https://user:{TOKEN}@github.com",
            "file://host/share",
        ],
    )
    def test_another_kind_of_server_is_refused_before_git_starts(
        self, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(CouldNotDecide, match="GITHUB_SERVER_URL is"):
            PolicyRepository({"GITHUB_SERVER_URL": server}).fetch(wanted())

    def test_the_default_is_github_and_needs_git(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nonexistent")
        assert "git could not be started" in refused(PolicyRepository({}), wanted())

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_server_that_never_answers_is_left(self, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        with _silent() as port:
            # Not in the environment that is handed on: a proxy would be asked instead.
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            repository = PolicyRepository(
                {"GITHUB_SERVER_URL": f"{scheme}://127.0.0.1:{port}", "AEGIS_INPUT_GITHUB_TOKEN": TOKEN},
                timeout_seconds=1.0,
            )
            start = time.monotonic()
            said = refused(repository, wanted())
            assert time.monotonic() - start < 300  # without an end of its own it would wait for ever
        assert ("no answer within 1 s" in said) == (scheme == "https")


class TestToken:
    def fetch(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> tuple[str, str]:
        """The arguments and the environment that a git in our place was given."""
        tools = tmp_path / "tools"
        tools.mkdir()
        git = tools / "git"
        git.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{tmp_path}/arguments"\nenv >>"{tmp_path}/environment"\n'
            'case " $* " in *" init "*) exit 0;; esac\necho "fatal: no" >&2\nexit 128\n'
        )
        git.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        monkeypatch.setenv("AEGIS_INPUT_GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GIT_TRACE", "1")
        refused(PolicyRepository({"GITHUB_SERVER_URL": server, "AEGIS_INPUT_GITHUB_TOKEN": TOKEN}), wanted())
        return (tmp_path / "arguments").read_text(), (tmp_path / "environment").read_text()

    def test_it_is_in_no_argument_and_bound_to_the_server(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arguments, environment = self.fetch(tmp_path, monkeypatch, "https://github.example")
        assert "https://github.example/" in arguments.split("\nfetch\n")[1]
        assert TOKEN not in arguments
        assert "GIT_CONFIG_KEY_0=http.https://github.example/.extraheader" in environment
        assert "http.followRedirects=false" in arguments  # a redirect would take the header along
        assert TOKEN not in environment  # only encoded, in the one header
        assert "GIT_TRACE" not in environment

    def test_a_file_server_gets_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _, environment = self.fetch(tmp_path, monkeypatch, f"file://{tmp_path}")
        assert "Authorization" not in environment


@contextmanager
def _silent() -> Iterator[int]:
    """A port on loopback that takes connections and says nothing."""
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    kept.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in kept:
        connection.close()
