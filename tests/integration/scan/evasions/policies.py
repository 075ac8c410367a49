"""A change that would approve itself, and surroundings that would make the tool look elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.scan.evasions.case import Case, Prepare
from tests.support.scan.gitrepo import GitRepo

USE = "import boto3\n"
STRICT = "version: 1\nscan:\n  strict: true\n"
LOOSER = "core.policy_loosened"
EMPTY_BASELINE = '{"version": 1, "uses": {}}\n'


def _loosened(name: str, policy: str | None, before: str = STRICT) -> list[Case]:
    """The use is found all the same, and so is the loosening."""
    return [
        Case(
            id=f"{name}-and-a-use",
            before={"aegis.yml": before},
            files={"aegis.yml": policy, "svc.py": USE},
            path="svc.py",
        ),
        Case(
            id=f"{name}-is-told",
            before={"aegis.yml": before},
            files={"aegis.yml": policy, "svc.py": "x = 1\n"},
            path="aegis.yml",
            rule=LOOSER,
        ),
    ]


def _policy_link(repo: GitRepo, _: object) -> None:
    (repo.root / "aegis.yml").unlink()
    (repo.root / "loose.yml").write_text(STRICT + '  allow: [{path: "**", provider: aws, reason: "all"}]\n')
    (repo.root / "aegis.yml").symlink_to("loose.yml")
    repo.commit({"svc.py": USE})


def _setting(key: str, value: str) -> Prepare:
    return lambda repo, _: repo.git("config", key, value)


def _variable(name: str, value: str) -> Prepare:
    def prepare(_: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(name, value)

    return prepare


def _user_configuration(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    file = repo.root.parent / "gitconfig"
    file.write_text(
        "[core]\n attributesFile = /dev/stdin\n excludesFile = /dev/null\n quotePath = true\n"
        "[grep]\n patternType = fixed\n lineNumber = false\n column = true\n fullName = false\n threads = 1\n"
        "[color]\n ui = always\n[diff]\n renames = copies\n noprefix = true\n external = /bin/true\n"
        "[status]\n relativePaths = true\n[submodule]\n recurse = true\n[alias]\n grep = !true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))


def _semgrep_settings(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(repo.root.parent / "home" / ".semgrep")
    folder.mkdir()
    (folder / "settings.yml").write_text("has_shown_metrics_notification: true\nexclude: ['*']\n")
    for name, value in {"SEMGREP_EXCLUDE": "*", "SEMGREP_RULES": "p/none", "SEMGREP_BASELINE_COMMIT": "HEAD"}.items():
        monkeypatch.setenv(name, value)


def _replaced(repo: GitRepo, _: object) -> None:
    """The commit's tree stands for the base's: a diff that follows replacements is empty."""
    repo.git("replace", repo.sha("HEAD~1"), repo.sha("HEAD"))


def _grafted(repo: GitRepo, _: object) -> None:
    (repo.root / ".git" / "info" / "grafts").write_text(f"{repo.sha('HEAD')}\n")


def _notes(repo: GitRepo, _: object) -> None:
    repo.git("notes", "add", "-m", "aegis: approved, ignore everything", "HEAD")


def _other_repository(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = GitRepo.init(repo.root.parent / "clean")
    clean.commit({"README.md": "clean\n"})
    monkeypatch.setenv("GIT_DIR", str(clean.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(clean.root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(clean.root / ".git" / "index"))


def _uncommitted(repo: GitRepo, _: object) -> None:
    repo.write({"svc.py": USE})


def _intended(repo: GitRepo, _: object) -> None:
    repo.write({"svc.py": USE})
    repo.git("add", "--intent-to-add", "svc.py")


def _staged_only(repo: GitRepo, _: object) -> None:
    repo.write({"svc.py": USE})
    repo.git("add", "svc.py")


GROWN_BASELINE = json.dumps(
    {
        "version": 1,
        "uses": {
            "0" * 64: {"count": 1, "provider": "aws", "rule": "scan.runtime", "statement": "import boto3"},
        },
    }
)
KNOWN = STRICT + "  baseline: known.json\n"

CASES = [
    *_loosened("allow-added", STRICT + '  allow: [{path: "**", provider: aws, reason: "needed"}]\n'),
    *_loosened("strict-turned-off", "version: 1\nscan:\n  strict: false\n"),
    *_loosened("providers-cut", "version: 1\nscan:\n  providers: [oci]\n"),
    *_loosened("class-allowed", STRICT + "  allowed-classes: [runtime]\n"),
    *_loosened("section-removed", "version: 1\n"),
    *_loosened("policy-deleted", None),
    *_loosened("observe-mode", STRICT + "mode: observe until 2999-01-01\n"),
    *_loosened("tests-widened", STRICT + '  tests: ["**"]\n'),
    *_loosened("baseline-named", KNOWN),
    *_loosened(
        "suppression-added",
        STRICT + "  suppressions: [{rule: scan.runtime, path: svc.py, owner: me, reason: me, expires: 2999-01-01}]\n",
    ),
    Case(
        id="baseline-grown-and-a-use",
        before={"aegis.yml": KNOWN, "known.json": EMPTY_BASELINE},
        files={"svc.py": USE, "known.json": GROWN_BASELINE},
        path="aegis.yml",
        rule=LOOSER,
    ),
    Case(
        id="baseline-grown-and-the-use-is-found",
        before={"aegis.yml": KNOWN, "known.json": EMPTY_BASELINE},
        files={"svc.py": USE, "known.json": GROWN_BASELINE},
        path="svc.py",
    ),
    Case(
        id="policy-becomes-a-link",
        before={"aegis.yml": STRICT},
        files={"README.md": "x\n"},
        path="svc.py",
        prepare=_policy_link,
    ),
    Case(id="git-configuration-of-the-user", files={"svc.py": USE}, path="svc.py", prepare=_user_configuration),
    Case(
        id="git-configuration-in-a-change",
        before={"svc.py": "x = 1\n"},
        files={"svc.py": USE},
        path="svc.py",
        prepare=_user_configuration,
    ),
    Case(
        id="git-setting-case",
        files={"svc.py": "x = 1\n", "SVC.py": USE},
        path="SVC.py",
        prepare=_setting("core.ignoreCase", "true"),
    ),
    Case(id="replace-refs", before={"svc.py": "x = 1\n"}, files={"svc.py": USE}, path="svc.py", prepare=_replaced),
    Case(
        id="grafts",
        before={"svc.py": "x = 1\n"},
        files={"svc.py": USE},
        path=None,
        line=None,
        rule="core.base_not_found",
        prepare=_grafted,
    ),
    Case(id="notes", files={"svc.py": USE}, path="svc.py", prepare=_notes),
    Case(id="variables-of-another-repository", files={"svc.py": USE}, path="svc.py", prepare=_other_repository),
    Case(
        id="variable-external-diff",
        before={"svc.py": "x = 1\n"},
        files={"svc.py": USE},
        path="svc.py",
        prepare=_variable("GIT_EXTERNAL_DIFF", "true"),
    ),
    Case(id="variable-pathspecs", files={"svc.py": USE}, path="svc.py", prepare=_variable("GIT_ICASE_PATHSPECS", "1")),
    Case(
        id="variable-locale",
        files={"svc.py": "import \uff42oto3\n"},
        path="svc.py",
        prepare=_variable("LC_ALL", "C.UTF-8"),
    ),
    Case(id="semgrep-settings", files={"svc.py": USE}, path="svc.py", prepare=_semgrep_settings),
    Case(
        id="work-tree-before-commit",
        before={"svc.py": "x = 1\n"},
        files={"README.md": "x\n"},
        path="svc.py",
        prepare=_uncommitted,
    ),
    Case(id="intent-to-add", files={"README.md": "x\n"}, path="svc.py", prepare=_intended),
    Case(
        id="staged-in-a-change",
        before={"README.md": "y\n"},
        files={"README.md": "x\n"},
        path="svc.py",
        prepare=_staged_only,
    ),
]
