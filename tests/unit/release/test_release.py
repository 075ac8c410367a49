"""What may be released, and what the workflow that does it holds."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.release import DEMANDED, IMAGES, ReleaseError, check, digests, guarded, main, pinned, tell
from tests.support.scan.gitrepo import GitRepo

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"


def git(root: Path, *words: str) -> None:
    GitRepo(root).git(*words)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A commit of main, with version 1.4.0 and its section, tagged."""
    (tmp_path / "src" / "aegis").mkdir(parents=True)
    (tmp_path / "src" / "aegis" / "__init__.py").write_text('"""Aegis."""\n\n__version__ = "1.4.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [1.4.0] - 2026-11-26\n")
    GitRepo.init(tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "a")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(tmp_path, "tag", "v1.4.0")
    git(tmp_path, "tag", "v1")
    return tmp_path


def test_a_version_of_main_is_released(checkout: Path) -> None:
    for name in ("v1.3.9", "v0.99.0", "v2.0.0", "v10.0.0", "vacation"):  # of other majors, older, or no version at all
        git(checkout, "tag", name)
    assert check("v1.4.0", checkout) == "1.4.0"


@pytest.mark.parametrize("tag", ["1.4.0", "v1.4", "v1.4.0-rc1", "v01.4.0", "v1.4.0\n", "", "v1", "v1.4.0;id"])
def test_what_is_no_version_is_refused(checkout: Path, tag: str) -> None:
    with pytest.raises(ReleaseError, match=r"expected v1\.2\.3"):
        check(tag, checkout)


def test_another_version_than_the_code_says_is_refused(checkout: Path) -> None:
    with pytest.raises(ReleaseError, match=r"the tag is v1\.4\.1, and the version of src/aegis/__init__\.py 1\.4\.0"):
        check("v1.4.1", checkout)


def test_a_version_without_its_changes_is_refused(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("## [Unreleased]\n## [1.4.01]\n")
    with pytest.raises(ReleaseError, match=r"no section \[1\.4\.0\]"):
        check("v1.4.0", checkout)


def test_a_commit_that_was_not_reviewed_is_refused(checkout: Path) -> None:
    git(checkout, "commit", "-q", "--allow-empty", "-m", "on no branch")
    with pytest.raises(ReleaseError, match="not on main"):
        check("v1.4.0", checkout)


def test_a_checkout_that_has_no_main_is_refused(checkout: Path) -> None:
    git(checkout, "update-ref", "-d", "refs/remotes/origin/main")
    with pytest.raises(ReleaseError, match="not on main"):
        check("v1.4.0", checkout)


@pytest.mark.parametrize("newer", ["v1.4.1", "v1.10.0"])
def test_the_moving_tag_never_goes_back(checkout: Path, newer: str) -> None:
    git(checkout, "tag", newer)
    with pytest.raises(ReleaseError, match=f"older than {re.escape(newer)}"):
        check("v1.4.0", checkout)


def digest_of(name: str) -> str:
    return "sha256:" + f"{IMAGES.index(name):064x}"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    for name in IMAGES:
        (tmp_path / f"{name}.digest").write_text(f"{digest_of(name)}\n")
    return tmp_path


def test_the_digests_are_told_with_the_commands_that_take_them(told: Path) -> None:
    text = tell(digests(told), "ghcr.io/org")
    for name in IMAGES:
        assert f"| `{name}` | `ghcr.io/org/{name}@{digest_of(name)}` |" in text
    assert f"--to helm/values.oci.yaml \\\n  --image-digest {digest_of('aegis-oci')} \\\n" in text
    assert f"  --backup-image-digest {digest_of('aegis-backup')}\n" in text


def test_every_action_and_reusable_workflow_is_told_by_its_commit(tmp_path: Path) -> None:
    for action in ("action.yml", "actions/scan/action.yml", "actions/verify/action.yml"):
        (tmp_path / action).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / action).touch()
    flows = tmp_path / ".github" / "workflows"
    flows.mkdir(parents=True)
    (flows / "ci.yml").write_text("on: push\n# workflow_call: is no trigger of it\n")
    (flows / "scan.yml").write_text("on:\n  workflow_call:\n")
    told = pinned("v1.4.0", "a1" * 20, "org/aegis", tmp_path)
    assert re.findall(r"(?m)^uses: (.+)$", told) == [
        f"org/aegis{path}@{'a1' * 20} # v1.4.0"
        for path in ("", "/actions/scan", "/actions/verify", "/.github/workflows/scan.yml")
    ]


@pytest.mark.parametrize(
    ("tag", "commit"), [("v1", "a" * 40), ("v1.4.0", "main"), ("v1.4.0", "A" * 40), ("v1.4.0", "")]
)
def test_only_a_version_and_a_whole_commit_are_a_pin(tag: str, commit: str) -> None:
    with pytest.raises(ReleaseError, match="expected"):
        pinned(tag, commit, "org/aegis")


def test_the_release_notes_tell_the_pins_and_the_images() -> None:
    steps = {step["name"]: step for step in jobs()["publish"]["steps"]}
    tells = steps["Tell what will be published"]["run"]
    assert 'release.py pin "${GITHUB_REF_NAME}" --commit "${GITHUB_SHA}"' in tells
    assert "release.py tell digests" in tells
    assert "--notes-file dist/notes.md" in steps["Release"]["run"]


def test_an_image_that_was_not_built_is_missed(told: Path) -> None:
    (told / "aegis-judge.digest").unlink()
    with pytest.raises(ReleaseError, match="no digest of aegis-judge"):
        digests(told)


def test_an_image_that_nobody_knows_is_refused(told: Path) -> None:
    (told / "miner.digest").write_text(digest_of("aegis"))
    with pytest.raises(ReleaseError, match="a digest of miner"):
        digests(told)


@pytest.mark.parametrize("wrong", ["", "null", "sha256:12", "sha256:" + "A" * 64, digest_of("aegis") + " `id`"])
def test_what_is_no_digest_is_refused(told: Path, wrong: str) -> None:
    (told / "aegis.digest").write_text(wrong)
    with pytest.raises(ReleaseError, match="the digest of aegis is"):
        digests(told)


REGISTRY_ANSWERS = """#!{python}
# `docker buildx imagetools`, by the files of a folder: NAME:TAG holds the digest, or the error that there is
import sys
from pathlib import Path

folder = Path({folder!r})
assert sys.argv[1:3] == ["buildx", "imagetools"], sys.argv
verb, *words = sys.argv[3:]
if verb == "inspect":
    assert words[:2] == ["--format", "{{{{ .Manifest.Digest }}}}"], words
    (reference,) = words[2:]
    file = folder / reference.rpartition("/")[2]
    told = file.read_text() if file.exists() else f"ERROR: {{reference}}: not found"
    if told.startswith("ERROR"):
        print(told, file=sys.stderr)
        sys.exit(1)
    print(told)
else:
    assert verb == "create", verb
    prefer, tag, reference, source = words
    assert (prefer, tag) == ("--prefer-index=false", "--tag"), words
    (folder / reference.rpartition("/")[2]).write_text(source.partition("@")[2])
"""


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the names that the registry has; a program `docker` that asks it is the first on the path."""
    folder = tmp_path_factory.mktemp("registry")
    program = tmp_path_factory.mktemp("bin") / "docker"
    program.write_text(REGISTRY_ANSWERS.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return folder


def name_all(told: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["release.py", "name", str(told), "--registry", "ghcr.io/org", "--tag", "v1.4.0"])
    return main()


def names(registry: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in registry.iterdir()}


def test_every_image_gets_the_versions_name(told: Path, registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert name_all(told, monkeypatch) == 0
    assert names(registry) == {f"{image}:v1.4.0": digest_of(image) for image in IMAGES}
    assert name_all(told, monkeypatch) == 0  # again, after a later step failed


def test_a_version_that_is_another_image_stays_and_no_other_is_named(
    told: Path, registry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (registry / "aegis-oci:v1.4.0").write_text(digest_of("aegis"))
    assert name_all(told, monkeypatch) == 1
    assert names(registry) == {"aegis-oci:v1.4.0": digest_of("aegis")}
    assert "ghcr.io/org/aegis-oci:v1.4.0 is" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [
        "ERROR: unexpected status from HEAD request to https://ghcr.io/v2/org/aegis/manifests/v1.4.0: 503",
        "ERROR: ghcr.io/org/aegis:v1.4.0: 429 Too Many Requests",
        "ERROR: failed to authorize: failed to fetch oauth token: denied",
        "ERROR: docker: buildx: not found",
        "ERROR: ghcr.io/org/aegis:v1.4.0: not found in the cache; i/o timeout",
        "ERROR",
        "",
        "sha256:12",
    ],
)
def test_a_registry_that_does_not_answer_has_perhaps_the_name(
    told: Path, registry: Path, answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (registry / "aegis:v1.4.0").write_text(answer)
    assert name_all(told, monkeypatch) == 1
    assert names(registry) == {"aegis:v1.4.0": answer}
    assert "could not be learnt" in capsys.readouterr().out


def ruleset(**other: Any) -> dict[str, Any]:
    """As GitHub tells one."""
    return {
        "id": 7,
        "name": "versions",
        "target": "tag",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": ["refs/tags/v*"], "exclude": []}},
        "rules": [{"type": kind} for kind in DEMANDED],
        **other,
    }


def only(*include: str, exclude: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"ref_name": {"include": list(include), "exclude": list(exclude)}}


@pytest.mark.parametrize(
    "rulesets",
    [
        [ruleset()],
        [ruleset(conditions=only("~ALL"))],
        [ruleset(rules=[{"type": kind}]) for kind in DEMANDED],
        [ruleset(enforcement="disabled"), ruleset()],
    ],
    ids=["one", "all tags", "one for each", "another that sleeps"],
)
def test_versions_that_only_releasers_make_are_guarded(rulesets: list[dict[str, Any]]) -> None:
    guarded(rulesets)


@pytest.mark.parametrize(
    ("rulesets", "missing"),
    [
        ([], "creation, deletion, update"),
        *(
            ([ruleset(rules=[{"type": kind} for kind in DEMANDED if kind != left_out])], left_out)
            for left_out in DEMANDED
        ),
        ([ruleset(enforcement="evaluate")], "creation"),
        ([ruleset(target="branch")], "creation"),
        ([ruleset(conditions=only("refs/tags/v*.*.*"))], "creation"),  # v1 is free
        ([ruleset(conditions=only("refs/tags/v*", exclude=("refs/tags/v1",)))], "creation"),
        ([ruleset(conditions=None)], "creation"),
        ([ruleset(rules=None)], "creation"),
    ],
    ids=["none", *DEMANDED, "evaluated only", "branches", "versions only", "but v1", "no condition", "no rule"],
)
def test_a_version_that_every_writer_could_make_is_refused(rulesets: list[dict[str, Any]], missing: str) -> None:
    with pytest.raises(ReleaseError, match=f"restricts {missing}"):
        guarded(rulesets)


@pytest.mark.parametrize("told", [{"message": "Not Found"}, None, ["versions"]])
def test_what_are_no_rulesets_is_refused(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rulesets.json").write_text(json.dumps(told))
    monkeypatch.setattr(sys, "argv", ["release.py", "guarded", str(tmp_path / "rulesets.json")])
    assert main() == 1
    assert "no list of objects" in capsys.readouterr().out


def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]
    return found


def test_the_workflow_builds_every_image_and_the_dockerfile_knows_them() -> None:
    matrix = jobs()["image"]["strategy"]["matrix"]["include"]
    assert sorted(one["image"] for one in matrix) == sorted(IMAGES)
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    for one in matrix:
        assert re.search(rf"(?m)^FROM \S+ AS {one['target']}$", dockerfile)
        stage = dockerfile[dockerfile.index(f"AS {one['target']}-packages\n") :]
        found = re.search(r"COPY (locks/\S+) packages\.txt", stage)
        assert found
        assert (ROOT / found[1].replace("${CLOUD}", one["cloud"])).is_file()


def test_what_builds_the_wheel_holds_no_right_and_only_a_person_lets_the_rest_go_on() -> None:
    found = jobs()
    assert found["check"]["permissions"] == found["wheel"]["permissions"] == {"contents": "read"}
    writers = [name for name, job in found.items() if job["permissions"].get("contents") == "write"]
    assert writers == ["publish"]
    powerful = {name for name, job in found.items() if set(job["permissions"].values()) != {"read"}}
    assert powerful == {name for name, job in found.items() if job.get("environment") == "release"}
    assert powerful == {"image", "publish"}
    assert found["publish"]["needs"] == ["wheel", "image"]
    assert found["wheel"]["needs"] == found["image"]["needs"] == "check"


def test_an_image_gets_the_versions_name_only_when_all_of_them_are_there() -> None:
    names = [step["name"] for step in jobs()["publish"]["steps"]]
    ordered = ["Tell what will be published", "Sign the wheel", "Name the images", "Release", "Move the major version"]
    assert [name for name in names if name in ordered] == ordered
    (build,) = [step for step in jobs()["image"]["steps"] if step.get("id") == "build"]
    assert "push-by-digest=true" in build["run"]
    assert "--tag" not in build["run"]


def test_a_tag_that_every_writer_could_make_stops_at_the_first_job() -> None:
    steps = {step["name"]: step for step in jobs()["check"]["steps"]}
    assert "release.py guarded" in steps["Demand that only releasers make and move such tags"]["run"]


def test_an_old_release_that_runs_again_is_asked_again_and_only_a_releaser_moves_v1() -> None:
    steps = jobs()["publish"]["steps"]
    assert steps[0]["with"]["fetch-depth"] == 0
    assert steps[1]["run"] == 'python3 -I scripts/release.py check "${GITHUB_REF_NAME}"'
    assert steps[-1]["env"] == {"GH_TOKEN": "${{ secrets.RELEASE_TOKEN }}"}
    assert "release.py name" in next(step["run"] for step in steps if step["name"] == "Name the images")
    assert "|| true" not in WORKFLOW.read_text("utf-8")
