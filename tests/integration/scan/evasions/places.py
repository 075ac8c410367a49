"""Files that other tools skip for their place, their name, their size or their kind."""

from __future__ import annotations

from tests.integration.scan.evasions.case import UNREAD, Case
from tests.support.scan.gitrepo import GitRepo

USE = "import boto3\n"
REQUIRE = 'require("aws-sdk");'
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n"
BUN_LOCKB = b"#!/usr/bin/env bun\nbun-lockfile-format-v0\n\x02\0\0\0\xff\x8a^3.0.0aws-sdk^2.0.0"


def _with_submodule(repo: GitRepo, _: object) -> None:
    other = GitRepo.init(repo.root.parent / "other")
    other.commit({"svc.py": USE})
    repo.git("submodule", "--quiet", "add", f"file://{other.root}", "lib")
    repo.git("commit", "--quiet", "--message=submodule")


def _sparse(repo: GitRepo, _: object) -> None:
    repo.git("sparse-checkout", "set", "--no-cone", "/*", "!/svc.py")


def _skip_worktree(repo: GitRepo, _: object) -> None:
    repo.git("update-index", "--skip-worktree", "svc.py")
    repo.write({"svc.py": USE})


def _assume_unchanged(repo: GitRepo, _: object) -> None:
    repo.git("update-index", "--assume-unchanged", "svc.py")
    repo.write({"svc.py": USE})


def _executable(repo: GitRepo, _: object) -> None:
    (repo.root / "bin" / "svc.cgi").chmod(0o755)
    repo.commit()


def _deep(levels: int) -> str:
    return "/".join(["d" * 20] * levels) + "/svc.py"


CASES = [
    *(
        Case(id=f"folder-{folder.replace('/', '-')}", files={f"{folder}/svc.py": USE}, path=f"{folder}/svc.py")
        for folder in ("dist", "build", "vendor", "third_party", "src/generated", ".github/scripts", "docs")
    ),
    # `add --all` keeps ignored files out only where a .gitignore names them.
    Case(id="folder-venv", files={".venv/lib/svc.py": USE}, path=".venv/lib/svc.py"),
    Case(id="folder-node-modules", files={"node_modules/x/index.js": REQUIRE}, path="node_modules/x/index.js"),
    Case(id="folder-tests", files={"tests/helper.py": USE}, path="tests/helper.py", rule="scan.test"),
    Case(id="size-over-a-megabyte", files={"svc.py": "x = 1\n" * 300_000 + USE}, path="svc.py", line=300_001),
    Case(id="size-over-the-limit", files={"svc.py": USE + "#" * (33 << 20)}, path="svc.py", rule=UNREAD, line=None),
    Case(id="one-minified-line", files={"svc.js": "var x=1;" * 40_000 + REQUIRE}, path="svc.js"),
    Case(id="one-minified-line-use-first", files={"svc.js": REQUIRE + "var x=1;" * 40_000}, path="svc.js"),
    Case(id="nul-byte", files={"svc.js": b"// \0\n" + REQUIRE.encode()}, path="svc.js", line=2),
    Case(id="nul-byte-python", files={"svc.py": b"'\0'\nimport boto3\n"}, path="svc.py", line=2),
    Case(id="upper-case-suffix", files={"SVC.PY": USE}, path="SVC.PY"),
    Case(id="two-names-that-differ-in-case", files={"svc.py": "x = 1\n", "Svc.py": USE}, path="Svc.py"),
    Case(id="windowed-python", files={"svc.pyw": USE}, path="svc.pyw"),
    Case(id="stub-file", files={"svc.pyi": USE}, path="svc.pyi"),
    Case(id="cython", files={"svc.pyx": USE}, path="svc.pyx"),
    Case(id="scons", files={"SConstruct": USE}, path="SConstruct"),
    Case(id="module-javascript", files={"svc.mjs": 'import "aws-sdk";\n'}, path="svc.mjs"),
    Case(id="common-typescript", files={"svc.cts": 'import x = require("aws-sdk");\n'}, path="svc.cts"),
    Case(id="script-without-suffix", files={"bin/svc": "#!/usr/bin/env -S python3 -u\n" + USE}, path="bin/svc", line=2),
    Case(id="script-versioned-shebang", files={"bin/svc": "#!/opt/py/bin/python3.12\n" + USE}, path="bin/svc", line=2),
    Case(
        id="script-with-odd-suffix",
        files={"bin/svc.cgi": "#!/usr/bin/python3\n" + USE},
        path="bin/svc.cgi",
        line=2,
        prepare=_executable,
    ),
    Case(
        id="script-with-odd-suffix-becomes-executable",
        before={"bin/svc.cgi": "#!/usr/bin/python3\n" + USE},
        files={"README.md": "new\n"},
        path="bin/svc.cgi",
        line=2,
        prepare=_executable,
    ),
    Case(id="script-node", files={"bin/svc": "#!/usr/bin/env node\n" + REQUIRE}, path="bin/svc", line=2),
    Case(
        id="notebook",
        files={
            "svc.ipynb": '{"cells": [{"cell_type": "code", "source": ["from google import (\\n", "  cloud)"]}],'
            ' "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}'
        },
        path="svc.ipynb",
    ),
    Case(id="deep-path", files={_deep(12): USE}, path=_deep(12)),
    Case(id="line-feed-in-name", files={"a\nb.py": USE}, path="a\nb.py"),
    Case(id="name-like-an-option", files={"-v.py": USE}, path="-v.py"),
    Case(id="name-like-a-pathspec", files={":(exclude)*.py": USE}, path=":(exclude)*.py"),
    Case(
        id="name-like-a-pathspec-in-a-change",
        before={"x.py": "x = 1\n"},
        files={":!*.py": USE, "x.py": "x = 2\n"},
        path=":!*.py",
    ),
    Case(id="name-like-a-glob", before={"[a].py": "x = 1\n"}, files={"[a].py": USE}, path="[a].py"),
    Case(id="name-not-utf-8", files={"sv\udce9.py": USE}, path="sv\\xe9.py"),
    Case(id="name-with-quotes", files={'s"v\\c\t.py': USE}, path='s"v\\c\t.py'),
    Case(id="lfs-pointer", files={"svc.py": LFS}, path="svc.py", rule=UNREAD),
    Case(id="lfs-pointer-in-a-change", before={"svc.py": "x = 1\n"}, files={"svc.py": LFS}, path="svc.py", rule=UNREAD),
    # Its names stand in it without anything between them, so that no search can tell that there is none.
    Case(id="bun-binary-lock", files={"bun.lockb": BUN_LOCKB}, path="bun.lockb", rule=UNREAD),
    Case(id="submodule", files={}, path="lib", rule=UNREAD, line=None, prepare=_with_submodule),
    Case(id="sparse-checkout", files={"svc.py": USE}, path="svc.py", rule=UNREAD, line=None, prepare=_sparse),
    Case(
        id="skip-worktree", files={"svc.py": "x = 1\n"}, path="svc.py", rule=UNREAD, line=None, prepare=_skip_worktree
    ),
    Case(id="assume-unchanged", files={"svc.py": "x = 1\n"}, path="svc.py", prepare=_assume_unchanged),
]
