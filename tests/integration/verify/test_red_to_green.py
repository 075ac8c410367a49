"""Each refusal of an unsigned artifact prints the line that signs it: the line is run, and the check is green."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.integration.verify.command import Command, write_key
from tests.support.scan.gitrepo import GitRepo
from tests.support.signing.verifying import FILES, SLSA

KEYS = {f"keys/{number}.pub": FILES[f"keys/{number}.pub"] for number in (0, 1)}
MODEL = {"models/m/config.json": "{}\n", "models/m/a/weights.bin": "w" * 5000, "models/tool.bin": "a tool\n"}


def policy(artifact: str) -> str:
    return f"version: 1\nverify:\n  artifacts:\n    - {{{artifact}}}\n"


def run_line(aegis: Command, remedy: str, **places: Path | str) -> None:
    """The command in a remedy, with its capital words replaced."""
    found = re.search(r"aegis (sign .*?|verify release .*?)(?:, then|$)", remedy)
    assert found is not None, remedy
    line = found[1]
    for name, place in places.items():
        line = re.sub(rf"\b{name}\b", str(place), line)
    aegis(*shlex.split(line)).ends(0)


@pytest.fixture
def predicate(tmp_path: Path) -> Path:
    (tmp_path / "p.json").write_text("{}")
    return tmp_path / "p.json"


@pytest.mark.parametrize(
    ("artifact", "place"),
    [
        ("name: tool, kind: file, source: models/tool.bin", "models/tool.bin"),
        ("name: m, kind: model, source: models/m/", "models/m"),
        ("name: m, kind: model, source: models/m/, signatures: ['own name.sig']", "models/m"),
        (f"name: t, kind: attestation, source: models/tool.bin, predicate-types: ['{SLSA}']", "models/tool.bin"),
        (f"name: t, kind: attestation, source: models/m/, predicate-types: ['{SLSA}']", "models/m"),
    ],
)
def test_each_kind(
    tmp_path: Path, repo: GitRepo, key: Path, predicate: Path, aegis: Command, artifact: str, place: str
) -> None:
    repo.commit({"aegis.yml": policy(f"{artifact}, signers: [{{key: keys/0.pub}}]"), **KEYS, **MODEL})
    done = aegis.gate(repo).ends(1)
    assert done.rules == ["verify.unsigned"]
    target = repo.root / place
    places = {"FILE": target, "FOLDER": target, "KEY.pem": key, "PREDICATE.json": predicate}
    run_line(aegis, done.remedies, **{name.replace(".", r"\."): where for name, where in places.items()})
    aegis.gate(repo).ends(0)


@pytest.mark.parametrize("shards", [(), ("--shard-size", "1000")])
def test_a_model_with_a_release_and_its_next_versions(
    tmp_path: Path, repo: GitRepo, key: Path, aegis: Command, shards: tuple[str, ...]
) -> None:
    asked = policy("name: m, kind: model, source: models/m/, release: {}, signers: [{key: keys/0.pub}]")
    repo.commit({"aegis.yml": asked, **KEYS, **MODEL})
    folder, statement = repo.root / "models/m", repo.root / "models/m/release.sigstore.json"
    aegis("sign", "model", folder, "--key", key, *shards).ends(0)
    done = aegis.gate(repo).ends(1)
    assert done.rules == ["verify.release_missing"]

    def release(version: str) -> None:
        line = done.remedies.replace(" --key", f" --bundle {statement} --key")
        run_line(aegis, line, FOLDER=folder, VERSION=version, **{r"KEY\.pem": key})

    release("1.0")
    done_first = aegis.gate(repo).ends(0)
    assert "aegis verify release accept m" in done_first.json["notices"][0]
    aegis("verify", "release", "accept", "m", "--path", repo.root).ends(0, "m 1.0")
    repo.commit()
    assert aegis.gate(repo).ends(0).json["notices"] == []
    old = {name: (folder / name).read_bytes() for name in ("config.json", "model.sig", "release.sigstore.json")}
    # the next version
    (folder / "config.json").write_text("{2: 2}\n")
    assert aegis.gate(repo).ends(1).rules == ["verify.file_differs"] or aegis.gate(repo).rules == ["verify.file_trunca"]
    statement.unlink()
    aegis("sign", "model", folder, "--key", key, *shards).ends(0)
    release("1.1")
    aegis("verify", "release", "accept", "m", "--path", repo.root).ends(0, "m 1.1")
    repo.commit()
    aegis.gate(repo).ends(0)
    # back to the first one, with all of its valid signatures
    for name, content in old.items():
        (folder / name).write_bytes(content)
    assert aegis.gate(repo).ends(1).rules == ["verify.rollback"]
    aegis("verify", "release", "accept", "m", "--path", repo.root).ends(1, "verify.rollback")
    # the same version once more, over other files
    (folder / "config.json").write_text("{3: 3}\n")
    statement.unlink()
    aegis("sign", "model", folder, "--key", key, *shards).ends(0)
    release("1.1")
    assert aegis.gate(repo).ends(1).rules == ["verify.version_reused"]


def test_two_signers_of_a_model(tmp_path: Path, repo: GitRepo, key: Path, aegis: Command) -> None:
    signers = "signers: [{key: keys/0.pub}, {key: keys/1.pub}], threshold: 2, signatures: [a.sig, b.sig], release: {}"
    repo.commit({"aegis.yml": policy(f"name: m, kind: model, source: models/m/, {signers}"), **KEYS, **MODEL})
    folder = repo.root / "models/m"
    second = write_key(tmp_path, number=1)
    aegis("sign", "model", folder, "--key", key, "--signature", folder / "a.sig").ends(0)
    assert aegis.gate(repo).ends(1).rules == ["verify.unsigned"]
    aegis("sign", "model", folder, "--key", second, "--signature", folder / "b.sig", "--ignore-path", "a.sig").ends(0)
    arguments = ("--version", "1", "--folder", folder, "--bundle", folder / "release.sigstore.json", "--key", key)
    aegis("verify", "release", "sign", "m", *arguments, "--signature", folder / "a.sig").ends(0)
    aegis.gate(repo).ends(0)
    # the first one signs alone, twice
    aegis("sign", "model", folder, "--key", key, "--signature", folder / "b.sig", "--ignore-path", "a.sig",
          "--ignore-path", "release.sigstore.json").ends(0)  # fmt: skip
    assert aegis.gate(repo).ends(1).rules == ["verify.too_few_signers"]


class TestAccept:
    ASKED = """\
version: 1
verify:
  signers: [{key: keys/0.pub}]
  artifacts:
    - {name: one, kind: file, source: one.bin, release: {statement: one.json}}
    - {name: two, kind: file, source: two.bin, release: {statement: two.json}}
    - {name: three, kind: file, source: one.bin}
"""

    @pytest.fixture
    def signed(self, repo: GitRepo, key: Path, aegis: Command) -> GitRepo:
        repo.commit({"aegis.yml": self.ASKED, **KEYS, "one.bin": "1", "two.bin": "2"})
        for name in ("one", "two"):
            file = repo.root / f"{name}.bin"
            aegis("sign", "file", file, "--key", key).ends(0)
            self.release(aegis, repo, key, name, "1")
        return repo

    def release(self, aegis: Command, repo: GitRepo, key: Path, name: str, version: str, *, of: str = "") -> None:
        file, out = repo.root / f"{of or name}.bin", repo.root / f"{of or name}.json"
        aegis("verify", "release", "sign", name, "--version", version, "--file", file, "--key", key, "--bundle", out
              ).ends(0)  # fmt: skip

    def test_two_releases_before_a_commit(self, signed: GitRepo, aegis: Command) -> None:
        for name in ("one", "two", "one"):
            aegis("verify", "release", "accept", name, "--path", signed.root).ends(0)
        signed.commit()
        assert aegis.gate(signed).ends(0).json["notices"] == []

    @pytest.mark.parametrize("name", ["three", "four", ""])
    def test_of_what_has_no_release(self, signed: GitRepo, aegis: Command, name: str) -> None:
        aegis("verify", "release", "accept", name, "--path", signed.root).ends(2, "core.wrong_usage", "one, two")

    def test_another_artifacts_statement(self, signed: GitRepo, key: Path, aegis: Command) -> None:
        self.release(aegis, signed, key, "two", "7", of="one")
        aegis("verify", "release", "accept", "one", "--path", signed.root).ends(1, "verify.release_name")
        assert not (signed.root / "aegis.lock").exists()

    def test_a_strangers_statement(self, tmp_path: Path, signed: GitRepo, aegis: Command) -> None:
        self.release(aegis, signed, write_key(tmp_path, number=1), "one", "7")
        aegis("verify", "release", "accept", "one", "--path", signed.root).ends(1, "verify.wrong_key")

    def test_a_lock_behind_a_link_is_not_written(self, tmp_path: Path, signed: GitRepo, aegis: Command) -> None:
        (tmp_path / "elsewhere").write_text('{"version": 1, "artifacts": {}}')
        (signed.root / "aegis.lock").symlink_to(tmp_path / "elsewhere")
        aegis("verify", "release", "accept", "one", "--path", signed.root).ends(2, "verify.lock_invalid")
        assert (tmp_path / "elsewhere").read_text() == '{"version": 1, "artifacts": {}}'

    @pytest.mark.parametrize("content", ["", "[]", "{" * 99_999])
    def test_a_broken_lock_is_not_replaced(self, signed: GitRepo, aegis: Command, content: str) -> None:
        (signed.root / "aegis.lock").write_text(content)
        aegis("verify", "release", "accept", "one", "--path", signed.root).ends(2, "verify.lock_invalid")
        assert (signed.root / "aegis.lock").read_text() == content


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version", "1", "--digest", "0" * 64), 0),
        (("--version", "1", "--digest", "sha256:" + "0" * 64), 0),
        (("--version", "1", "--digest", "0" * 63), 2),
        (("--version", "1", "--digest", "A" * 64), 2),
        (("--version", "v1", "--digest", "0" * 64), 2),
        (("--version", "1.0-rc1", "--digest", "0" * 64), 2),
        (("--version", "1", "--digest", "0" * 64, "--days", "0"), 2),
        (("--version", "1", "--digest", "0" * 64, "--days", "3661"), 2),
        (("--version", "1", "--digest", "0" * 64, "--file", "x"), 2),
        (("--version", "1", "--file", "absent"), 2),
        (("--version", "1", "--folder", "absent"), 2),
        (("--version", "1"), 2),
        (("--digest", "0" * 64), 2),
    ],
)
def test_release_sign(tmp_path: Path, key: Path, aegis: Command, arguments: tuple[str, ...], code: int) -> None:
    out = tmp_path / "out.json"
    aegis("verify", "release", "sign", "m", *arguments, "--key", key, "--bundle", out).ends(code)
    assert out.exists() is (code == 0)


def test_a_folder_that_is_not_what_was_signed_gets_no_release(tmp_path: Path, key: Path, aegis: Command) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/a").write_text("a")
    aegis("sign", "model", tmp_path / "m", "--key", key).ends(0)
    (tmp_path / "m/a").write_text("b")
    out = tmp_path / "out"
    arguments = ("release", "sign", "m", "--version", "1", "--folder", tmp_path / "m", "--key", key, "--bundle", out)
    aegis("verify", *arguments).ends(1, "verify.file_differs")
    (tmp_path / "m/a").unlink()
    aegis("verify", *arguments).ends(1, "verify.file_missing")
    (tmp_path / "m/model.sig").write_text("{}")
    aegis("verify", *arguments).ends(1, "verify.bundle_malformed")
    assert not out.exists()
