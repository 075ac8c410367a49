"""`aegis init` in real repositories: written, brought up to date, and never over a person's edit."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from aegis.cli.init import choices as init_choices
from aegis.cli.init.folder import InitFolder
from aegis.cli.main import main
from aegis.core.errors import Refused
from aegis.core.policy_file import parse_policy
from aegis.scaffold.files import OURS
from tests.support.scan.gitrepo import GitRepo

SCAN = ".github/workflows/sdk-scan.yml"
OWNERS = ".github/CODEOWNERS"
RECORD = ".github/aegis-init.json"
ROOT = Path(__file__).resolve().parents[3]
EVERY = (
    "--gates", "scan,verify,canary,backup-check", "--repository", "octo/widgets", "--owner", "@octo/platform",
    "--artifact", "ranking=s3://models/ranking/", "--artifact", "words=oci://ns/models/words.json",
    "--account", "123456789012", "--oci-region", "eu-frankfurt-1",
    "--oci-domain", "https://idcs-1.identity.oraclecloud.com",
    "--backup-store", "s3://backups/postgresql/", "--database", "shop",
    "--prometheus", "https://prometheus.example.org", "--rollout", "shop/web", "--terraform",
)  # fmt: skip


@dataclass(frozen=True)
class Done:
    """What a command said."""

    code: int
    out: str
    err: str

    def states(self) -> dict[str, str]:
        """What became of each file."""
        lines = (line.split() for line in self.out.splitlines())
        return {words[1]: words[0] for words in lines if len(words) == 2}


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "widgets")


@pytest.fixture
def init(repo: GitRepo, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run the command in the repository."""

    def run(*arguments: str) -> Done:
        code = main(["init", str(repo.root), *arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Done(code, said.out, said.err)

    return run


def contents(root: Path) -> dict[str, bytes]:
    """Every file but git's own."""
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_an_empty_repository_gets_everything(repo: GitRepo, init: Callable[..., Done]) -> None:
    done = init(*EVERY)
    assert done.code == 0, done.err
    assert set(done.states().values()) == {"created"}
    files = contents(repo.root)
    assert {path for path in files if not path.startswith(".github/")} == {
        "aegis.yml", "aegis.oci.yml", "aegis.backup.yml", "aegis.canary.yml",
    }  # fmt: skip
    for path, data in files.items():
        if path.startswith("aegis"):
            parse_policy(data, file=path)
        elif path.endswith(".yml"):
            assert yaml.safe_load(data)["jobs"]
    assert "Variables AWS_ROLE_TO_ASSUME" in done.out
    assert init("--check").code == 0


def test_what_git_knows_is_not_asked(repo: GitRepo, init: Callable[..., Done]) -> None:
    repo.git("remote", "add", "origin", "git@github.com:octo/widgets.git")
    repo.git("checkout", "-q", "-b", "trunk")
    assert init("--gates", "scan,verify", "--artifact", "m=s3://models/m/").code == 0
    assert "octo/widgets/.github/workflows/sign-model.yml@refs/heads/trunk" in (repo.root / "aegis.yml").read_text()
    assert "branches: [trunk]" in (repo.root / SCAN).read_text()


def test_the_same_choices_write_the_same_bytes(tmp_path: Path, init: Callable[..., Done], repo: GitRepo) -> None:
    assert init(*EVERY).code == 0
    first = contents(repo.root)
    for path in first:
        (repo.root / path).unlink()
    assert init(*EVERY).code == 0
    assert contents(repo.root) == first


@pytest.mark.parametrize("path", [SCAN, "aegis.yml"])
def test_a_file_of_others_stops_everything_until_its_owner_says(
    path: str, repo: GitRepo, init: Callable[..., Done]
) -> None:
    (repo.root / path).parent.mkdir(parents=True, exist_ok=True)
    (repo.root / path).write_text("version: 1\n# mine\n")
    before = contents(repo.root)
    done = init("--gates", "scan")
    assert done.code == 1
    assert "init.file_edited" in done.err
    assert path in done.err
    assert contents(repo.root) == before
    assert init("--gates", "scan", "--keep", path).states()[path] == "kept"
    assert (repo.root / path).read_text() == "version: 1\n# mine\n"
    assert init("--check").code == 0
    assert init("--update").states()[path] == "kept"
    assert init("--update", "--overwrite", path).states()[path] == "updated"
    assert "# mine" not in (repo.root / path).read_text()


def test_an_edit_and_an_update_are_merged(repo: GitRepo, init: Callable[..., Done]) -> None:
    assert init("--gates", "scan").code == 0
    place = repo.root / SCAN
    place.write_text(place.read_text().replace("timeout-minutes: 10", "timeout-minutes: 25"))
    assert init("--update").states()[SCAN] == "edited"
    done = init("--update", "--branch", "trunk")
    assert done.states()[SCAN] == "merged"
    assert "timeout-minutes: 25" in place.read_text()
    assert "branches: [trunk]" in place.read_text()
    assert init("--check").code == 0


def test_an_edit_of_the_same_line_is_a_conflict_and_nothing_is_written(
    repo: GitRepo, init: Callable[..., Done]
) -> None:
    assert init("--gates", "scan", "--branch", "main").code == 0
    place = repo.root / SCAN
    place.write_text(place.read_text().replace("branches: [main]", "branches: [main, next]"))
    before = contents(repo.root)
    done = init("--update", "--branch", "trunk", "--owner", "@amy")
    assert (done.code, contents(repo.root)) == (1, before)
    assert "init.conflict" in done.err
    assert SCAN in done.err
    # the way out: the same change by hand
    place.write_text(place.read_text().replace("branches: [main, next]", "branches: [trunk]"))
    assert init("--update", "--branch", "trunk", "--owner", "@amy").states()[SCAN] == "unchanged"


def test_a_deleted_file_stays_away_and_is_told(repo: GitRepo, init: Callable[..., Done]) -> None:
    assert init("--gates", "scan").code == 0
    (repo.root / SCAN).unlink()
    assert init("--update").states()[SCAN] == "deleted"
    assert not (repo.root / SCAN).exists()
    done = init("--check")
    assert done.code == 1
    assert "init.out_of_date" in done.err
    assert init("--update", "--overwrite", SCAN).states()[SCAN] == "created"
    assert init("--check").code == 0


def test_a_gate_that_is_no_longer_chosen_takes_its_files_along_but_for_edited_ones(
    repo: GitRepo, init: Callable[..., Done]
) -> None:
    assert init(*EVERY).code == 0
    edited = repo.root / ".github/workflows/backup.yml"
    edited.write_text(edited.read_text() + "# ours\n")
    states = init("--update", "--gates", "scan", "--no-terraform").states()
    assert states[".github/workflows/terraform.yml"] == "removed"
    assert states[".github/workflows/backup.yml"] == "left"
    assert states[".github/workflows/backup-check.yml"] == "removed"
    assert edited.exists()
    assert not (repo.root / "aegis.backup.yml").exists()


def test_a_difference_writes_nothing(repo: GitRepo, init: Callable[..., Done]) -> None:
    done = init("--gates", "scan", "--diff")
    assert done.code == 0
    assert f"+++ b/{SCAN}" in done.out
    assert contents(repo.root) == {}
    assert init("--gates", "scan").code == 0
    before = contents(repo.root)
    shown = init("--update", "--branch", "trunk", "--diff")
    assert "-    branches: [main]\n+    branches: [trunk]\n" in shown.out
    assert contents(repo.root) == before
    patch = subprocess.run(["git", "apply", "-"], cwd=repo.root, input=shown.out, text=True, check=False)
    assert patch.returncode == 0
    assert "branches: [trunk]" in (repo.root / SCAN).read_text()


def test_a_difference_does_nothing_to_the_terminal(repo: GitRepo, init: Callable[..., Done]) -> None:
    assert init("--gates", "scan").code == 0
    file = repo.root / SCAN
    file.write_text(file.read_text().replace("\n", "\n# \x1b[2K\u202e\n", 1))
    shown = init("--update", "--branch", "trunk", "--overwrite", SCAN, "--diff")
    assert "-# \\x1b[2K\\u202e\n" in shown.out
    assert not {"\x1b", "\u202e"} & set(shown.out)


@pytest.mark.parametrize("place", [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"])
def test_owners_of_others_stay_before_ours(place: str, repo: GitRepo, init: Callable[..., Done]) -> None:
    file = repo.root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("* @everyone")
    assert init("--gates", "scan", "--owner", "@octo/platform").code == 0
    text = file.read_text()
    assert text.startswith("* @everyone\n\n# aegis: begin")
    assert f"/{place} @octo/platform\n" in text
    assert init("--update", "--owner", "@amy").code == 0
    assert file.read_text().startswith("* @everyone\n\n# aegis: begin")
    assert "@octo/platform" not in file.read_text()


def test_it_must_be_the_first_time_or_an_update(init: Callable[..., Done]) -> None:
    for mode in ("--update", "--check"):
        done = init(mode)
        assert (done.code, "init.not_yet" in done.err) == (2, True)
    assert init("--gates", "scan").code == 0
    done = init("--gates", "scan")
    assert (done.code, "init.already" in done.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--gates", "scan,lint"),
        ("--gates", "verify"),
        ("--gates", "scan", "--branch", "a b"),
        ("--gates", "scan", "--owner", "octo"),
        ("--gates", "verify", "--artifact", "s3://models/x"),
        ("--gates", "scan", "--keep", "README.md"),
        ("--gates", "scan", "--overwrite", "../x"),
    ],
    ids=["no gates", "unknown gate", "no artifact", "branch", "owner", "artifact", "keep", "overwrite"],
)
def test_wrong_choices_write_nothing(arguments: tuple[str, ...], repo: GitRepo, init: Callable[..., Done]) -> None:
    done = init(*arguments)
    assert done.code == 2
    assert "init.value_invalid" in done.err
    assert contents(repo.root) == {}


def test_a_broken_record_is_not_guessed_at(repo: GitRepo, init: Callable[..., Done]) -> None:
    assert init("--gates", "scan").code == 0
    (repo.root / RECORD).write_text("{")
    done = init("--update")
    assert (done.code, "init.record_invalid" in done.err) == (2, True)


FOREIGN = ("/outside.txt", "../outside.txt", ".github/../../outside.txt", ".git/config", "src/shop.py", "")


@pytest.mark.parametrize("part", ["files", "kept"])
@pytest.mark.parametrize("path", FOREIGN)
def test_a_record_names_no_file_of_others(
    part: str, path: str, repo: GitRepo, init: Callable[..., Done], tmp_path: Path
) -> None:
    """It comes with a branch or a clone: what it names would be read, and deleted as a file of ours."""
    assert init("--gates", "scan").code == 0
    outside = tmp_path / "outside.txt"
    source = repo.root / "src" / "shop.py"
    source.parent.mkdir()
    for place in (outside, source):
        place.write_text("known\n")
    config = repo.root / ".git" / "config"
    named = str(outside) if path.startswith("/") else path
    text = config.read_text() if path == ".git/config" else "known\n"
    document = json.loads((repo.root / RECORD).read_text())
    if part == "files":
        document["files"][named] = text.splitlines(keepends=True)
    else:
        document["kept"] = [named]
    (repo.root / RECORD).write_text(json.dumps(document))
    for mode in ("--update", "--check"):
        done = init(mode)
        assert (done.code, "init.record_invalid" in done.err) == (2, True), done.out + done.err
    assert (outside.read_text(), source.read_text(), config.exists()) == ("known\n", "known\n", True)


@pytest.mark.parametrize("path", ["/outside.txt", "../outside.txt", "a/../../outside.txt"])
def test_no_path_leads_out_of_the_repository(path: str, repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("known\n")
    named = str(tmp_path / "outside.txt") if path.startswith("/") else path
    with pytest.raises(Refused) as caught:
        InitFolder.of(repo.root).present([named])
    assert caught.value.code == "init.outside"


def test_every_file_that_is_written_is_known_to_be_ours(init: Callable[..., Done]) -> None:
    templates = {
        f".github/workflows/{path.name.removesuffix('.j2')}" for path in (ROOT / "templates/workflows").iterdir()
    }
    assert {path for path in OURS if "workflows" in path} == templates
    assert {path for path in OURS if path.startswith("aegis")} == {
        "aegis.yml", "aegis.oci.yml", "aegis.backup.yml", "aegis.canary.yml",
    }  # fmt: skip
    assert set(init(*EVERY).states()) <= OURS


def test_nothing_is_written_through_a_link(repo: GitRepo, init: Callable[..., Done], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (repo.root / ".github").symlink_to(elsewhere)
    done = init("--gates", "scan")
    assert (done.code, "init.outside" in done.err) == (1, True)
    assert list(elsewhere.iterdir()) == []
    assert contents(repo.root) == {}
    (repo.root / ".github").unlink()
    (elsewhere / "aegis.yml").write_text("secret")
    (repo.root / "aegis.yml").symlink_to(elsewhere / "aegis.yml")
    done = init("--gates", "scan", "--overwrite", "aegis.yml")
    assert (done.code, "core.output_unwritable" in done.err) == (3, True)
    assert (elsewhere / "aegis.yml").read_text() == "secret"


def test_a_file_that_is_no_text_is_told(repo: GitRepo, init: Callable[..., Done]) -> None:
    (repo.root / "aegis.yml").write_bytes(b"\xff\xfe")
    done = init("--gates", "scan")
    assert (done.code, "not UTF-8" in done.err) == (2, True)


def test_outside_a_repository_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path), "--gates", "scan"]) == 2
    assert "core.no_repository" in capsys.readouterr().err


def test_the_record_holds_the_choices_and_no_more(repo: GitRepo, init: Callable[..., Done]) -> None:
    assert init("--gates", "scan", "--branch", "main").code == 0
    document = json.loads((repo.root / RECORD).read_text())
    assert set(document) == {"version", "aegis", "choices", "files", "kept"}
    assert document["choices"]["gates"] == ["scan"]


def questions(*answers: str) -> Callable[[str], str]:
    """A person at the terminal."""
    left = list(answers)

    def ask(_question: str) -> str:
        return left.pop(0)

    return ask


def nothing_given() -> argparse.Namespace:
    """No argument at all."""
    from aegis.cli.init import command as init

    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    init.add_command(commands)
    return parser.parse_args(["init"])


def test_a_person_is_asked_for_what_the_gates_need() -> None:
    ask = questions("verify, scan", "ranking=s3://models/ranking/", "@octo/platform")
    found = init_choices.first(nothing_given(), "octo/widgets", "main", ask=ask)
    assert found.gates == ("scan", "verify")
    assert [artifact.name for artifact in found.artifacts] == ["ranking"]
    assert found.owners == ("@octo/platform",)
    assert init_choices.first(nothing_given(), None, "main", ask=questions("", "")).gates == ("scan",)


def test_a_store_of_verdicts_in_oci_asks_for_other_secrets(init: Callable[..., Done]) -> None:
    arguments = ("--gates", "scan", "--repository", "octo/w", "--workflows", "one", "--evidence", "oci://ns/kept/")
    refused = init(*arguments)
    assert (refused.code, "--oci-domain and --oci-region" in refused.err) == (2, True)
    done = init(*arguments, "--oci-region", "eu-frankfurt-1", "--oci-domain", "https://idcs-1.identity.oraclecloud.com")
    assert done.code == 0, done.err
    assert (
        "secrets OCI_CLIENT_ID and OCI_CLIENT_SECRET; a bucket with versions for oci://ns/kept/" in done.out + done.err
    )


def configurations() -> list[tuple[str, ...]]:
    """Choices whose workflows differ."""
    keyed = ("--key", "env:COSIGN_PUB_KEY")
    pinned = ("--ref", "d" * 40, "--ref-version", "v1.2.3", "--aegis", "acme/aegis")
    oci = ("--oci-domain", "https://idcs-1.identity.oraclecloud.com", "--oci-region", "eu-frankfurt-1")
    aws = ("--gates", "scan,verify", "--artifact", "m=s3://models/m/", "--repository", "octo/w")
    return [
        ("--gates", "scan"),
        ("--gates", "scan", "--workflows", "one"),
        (*aws, "--workflows", "one"),
        (*aws, "--workflows", "one", "--evidence", "s3://octo-evidence/aegis/"),
        (*aws, "--workflows", "one", "--evidence", "oci://octons/octo-evidence/", *oci),
        (*aws, *keyed),
        (*aws, "--branch", "1.0", "--environment", "Staging of ours 2"),
        EVERY,
        (*EVERY, *pinned),
        (*EVERY, "--recipient", "age1" + "q" * 58, "--recipient", "age1" + "p" * 58, "--repository-id", "77"),
    ]


@pytest.mark.parametrize("number", range(len(configurations())))
def test_every_workflow_is_clean_and_the_doctor_finds_nothing(
    number: int, repo: GitRepo, init: Callable[..., Done], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = configurations()[number]
    owner = () if "--owner" in arguments else ("--owner", "@octo/platform")
    done = init(*arguments, *owner)
    assert done.code == 0, done.err
    zizmor = Path(sys.executable).with_name("zizmor")
    shutil.copy(ROOT / "zizmor.yml", repo.root / "zizmor.yml")
    strict = ("--offline", "--no-progress", "--quiet", "--strict-collection", "--pedantic")
    ran = subprocess.run([zizmor, *strict, "."], cwd=repo.root, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    code = main(["doctor", str(repo.root)])
    assert code == 0, capsys.readouterr().out
