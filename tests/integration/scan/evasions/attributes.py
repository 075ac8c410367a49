"""Files of other tools that say "do not look here", and comments that say it in the code."""

from __future__ import annotations

from tests.integration.scan.evasions.case import Case, Prepare
from tests.support.scan.gitrepo import GitRepo

USE = "import boto3\n"


def _ignored(repo: GitRepo, _: object) -> None:
    repo.write({".gitignore": "*.py\n.gitignore\n", "svc.py": USE})
    repo.git("add", "--force", "svc.py", ".gitignore")
    repo.git("commit", "--quiet", "--message=ignored")


def _local(text: str) -> Prepare:
    def prepare(repo: GitRepo, _: object) -> None:
        info = repo.root / ".git" / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_text(text)
        (info / "exclude").write_text("*\n")

    return prepare


CASES = [
    Case(id="gitattributes-binary", files={".gitattributes": "*.py binary\n", "svc.py": USE}, path="svc.py"),
    Case(
        id="gitattributes-no-diff-in-a-change",
        before={".gitattributes": "*.py -diff -text\n", "svc.py": "x = 1\n"},
        files={"svc.py": USE},
        path="svc.py",
    ),
    Case(
        id="gitattributes-added-by-the-change",
        before={"svc.py": "x = 1\n"},
        files={".gitattributes": "* binary linguist-generated linguist-vendored\n", "svc.py": USE},
        path="svc.py",
    ),
    Case(id="gitattributes-export-ignore", files={".gitattributes": "* export-ignore\n", "svc.py": USE}, path="svc.py"),
    Case(
        id="gitattributes-diff-driver-without-hunks",
        before={".gitattributes": "*.py diff=none\n", "svc.py": "x = 1\n"},
        files={"svc.py": USE},
        path="svc.py",
        prepare=lambda repo, _: repo.git("config", "diff.none.textconv", "true"),
    ),
    Case(id="gitattributes-of-the-clone", files={"svc.py": USE}, path="svc.py", prepare=_local("* binary -diff\n")),
    Case(
        id="gitattributes-working-tree-encoding",
        files={
            ".gitattributes": "*.ts text working-tree-encoding=UTF-16\n",
            "svc.ts": 'import "aws-sdk";\n'.encode("utf-16"),
        },
        path="svc.ts",
    ),
    Case(id="gitignore-of-a-tracked-file", files={}, path="svc.py", prepare=_ignored),
    Case(id="semgrepignore", files={".semgrepignore": "*\n:include .gitignore\n", "svc.py": USE}, path="svc.py"),
    Case(
        id="ignore-files-of-other-tools",
        files={
            ".eslintignore": "*\n",
            ".trivyignore": "*\n",
            ".gitleaksignore": "*\n",
            ".dockerignore": "*\n",
            ".ignore": "*\n",
            ".rgignore": "*\n",
            "ruff.toml": 'exclude = ["*"]\n',
            "svc.py": USE,
        },
        path="svc.py",
    ),
    Case(id="comment-nosemgrep", files={"svc.py": "import boto3  # nosemgrep\n"}, path="svc.py"),
    Case(id="comment-nosem-above", files={"svc.py": "# nosem\nimport boto3\n"}, path="svc.py", line=2),
    Case(
        id="comment-noqa",
        files={"svc.py": "# ruff: noqa\n# flake8: noqa\nimport boto3  # noqa\n"},
        path="svc.py",
        line=3,
    ),
    Case(
        id="comment-type-ignore-nosec",
        files={"svc.py": "import boto3  # type: ignore # nosec # NOSONAR\n"},
        path="svc.py",
    ),
    Case(
        id="comment-of-our-own-name",
        files={"svc.py": "# aegis: ignore-file\nimport boto3  # aegis: ignore\n"},
        path="svc.py",
        line=2,
    ),
    Case(
        id="comment-eslint-disable",
        files={"svc.ts": '/* eslint-disable */\n// @ts-nocheck\nimport "aws-sdk"; // eslint-disable-line\n'},
        path="svc.ts",
        line=3,
    ),
    Case(
        id="comment-nolint",
        files={"svc.go": 'package svc\n\nimport _ "github.com/aws/aws-sdk-go/aws" //nolint:depguard\n'},
        path="svc.go",
        line=3,
    ),
    Case(
        id="comment-noinspection",
        files={"Svc.java": "//noinspection\nimport com.amazonaws.auth.X; // NOPMD CHECKSTYLE:OFF\nclass Svc {}\n"},
        path="Svc.java",
        line=2,
    ),
]
