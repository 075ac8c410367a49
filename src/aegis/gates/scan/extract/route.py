"""Which extractors read which file.

A file is known by its name, its folder or its first line. The module of an extractor is imported when a file of its
kind is met, not before: a run over one language pays for one language.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import PurePosixPath
from typing import cast

from aegis.gates.scan.model import Statement, Unreadable

Extractor = Callable[[str, re.Pattern[str], int | None], list[Statement | Unreadable]]

_HERE = "aegis.gates.scan.extract"

TEST_GLOBS: tuple[str, ...] = (
    "**/test/**",
    "**/tests/**",
    "**/testing/**",
    "**/__tests__/**",
    "**/__mocks__/**",
    "**/spec/**",
    "**/e2e/**",
    "**/src/test/**",
    "**/src/*Test/**",
    "**/testdata/**",
    "**/conftest.py",
    "**/test_*.py",
    "**/*_test.py",
    "**/*_test.go",
    "**/*.test.js",
    "**/*.test.jsx",
    "**/*.test.ts",
    "**/*.test.tsx",
    "**/*.test.mjs",
    "**/*.test.cjs",
    "**/*.test.mts",
    "**/*.spec.js",
    "**/*.spec.jsx",
    "**/*.spec.ts",
    "**/*.spec.tsx",
    "**/*.spec.mjs",
    "**/*.spec.cjs",
    "**/*.spec.mts",
    "**/*Test.java",
    "**/*Tests.java",
    "**/*IT.java",
    "**/*Test.kt",
    "**/*Tests.kt",
    "**/*.bats",
)
"""What counts as test code unless the policy says otherwise: globs in which `**/` also matches no folder at all."""

_BY_SUFFIX: dict[str, str] = {
    **dict.fromkeys((".py", ".pyi", ".pyw", ".pyx", ".pxd", ".pxi"), "python.file"),
    ".ipynb": "python.notebook",
    ".smk": "python.snakefile",
    **dict.fromkeys(
        (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte", ".astro"), "javascript.file"
    ),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "javascript.html"),
    ".go": "go",
    ".java": "jvm.file:java",
    **dict.fromkeys((".kt", ".kts"), "jvm.file:kotlin"),
    **dict.fromkeys((".sh", ".bash", ".zsh", ".ksh", ".bats", ".envrc"), "shell.text"),
    **dict.fromkeys((".dockerfile", ".containerfile"), "dockerfile"),
    **dict.fromkeys((".yml", ".yaml"), "kubernetes"),
    **dict.fromkeys((".tf", ".tofu", ".tftest.hcl"), "terraform"),
}

_BY_NAME: dict[str, str] = {
    **dict.fromkeys(("sconstruct", "sconscript", "wscript"), "python.file"),
    "snakefile": "python.snakefile",
    **dict.fromkeys(("makefile", "gnumakefile", "bsdmakefile"), "shell.recipes:makefile"),
    **dict.fromkeys(("justfile", ".justfile"), "shell.recipes:justfile"),
    **dict.fromkeys((".bashrc", ".bash_profile", ".profile", ".zshrc", ".envrc"), "shell.text"),
    "jenkinsfile": "shell.recipes:jenkinsfile",
    "action.yml": "workflow",
    "action.yaml": "workflow",
    ".gitlab-ci.yml": "workflow",
    ".gitlab-ci.yaml": "workflow",
    "bitbucket-pipelines.yml": "workflow",
    ".terraform.lock.hcl": "terraform:lock",
    "package.json": "manifests.npm:package_json",
    "package-lock.json": "manifests.npm:package_lock",
    "npm-shrinkwrap.json": "manifests.npm:package_lock",
    "yarn.lock": "manifests.npm:yarn_lock",
    "pnpm-lock.yaml": "manifests.npm:pnpm_lock",
    "bun.lock": "manifests.npm:bun_lock",
    "bun.lockb": "manifests.npm:bun_lockb",
    "pnpm-workspace.yaml": "manifests.npm:pnpm_workspace",
    **dict.fromkeys(
        ("deno.json", "deno.jsonc", "import_map.json", "import-map.json", "importmap.json"), "manifests.npm:deno"
    ),
    "go.mod": "manifests.go:go_mod",
    "go.sum": "manifests.go:go_sum",
    "go.work": "manifests.go:go_mod",
    "go.work.sum": "manifests.go:go_sum",
    "pom.xml": "manifests.jvm:pom",
    "gradle.lockfile": "manifests.jvm:gradle_lock",
    "pyproject.toml": "manifests.python:pyproject",
    "setup.cfg": "manifests.python:setup_cfg",
    "tox.ini": "manifests.tools:tox",
    **dict.fromkeys((".pre-commit-config.yaml", ".pre-commit-config.yml"), "manifests.tools:pre_commit"),
    "pipfile": "manifests.python:pipfile",
    "pipfile.lock": "manifests.python:pipfile_lock",
    "poetry.lock": "manifests.python:toml_lock",
    "uv.lock": "manifests.python:toml_lock",
    "pdm.lock": "manifests.python:toml_lock",
    "manifest.json": "manifests.python:home_assistant",
}

_BY_PATTERN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), target)
    for pattern, target in (
        (r"(?:^|/)\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml$", "workflow"),
        (r"(?:^|/)\.circleci/[^/]+\.ya?ml$", "workflow"),
        (r"(?:^|/)(?:[\w.-]*azure-pipelines?[\w.-]*|\.?[\w.-]*gitlab-ci[\w.-]*)\.ya?ml$", "workflow"),
        (r"(?:^|/)\.azure-pipelines/.*\.ya?ml$", "workflow"),
        (r"(?:^|/)(?:Docker|Container)file(?:[.-][^/]*)?$", "dockerfile"),
        (r"(?:^|/)[^/]*(?:requirements?|constraints?)[^/]*\.(?:txt|in|pip|lock)$", "manifests.python:requirements"),
        (r"(?:^|/)(?:requirements|constraints)/[^/]+\.(?:txt|in)$", "manifests.python:requirements"),
        (r"(?:^|/)pylock(?:\.[^/.]+)?\.toml$", "manifests.python:toml_lock"),
        (r"(?:^|/)(?:[^/]*environment[^/]*|conda[^/]*|meta)\.ya?ml$", "manifests.python:conda"),
        (r"\.versions\.toml$", "manifests.jvm:version_catalog"),
        (r"\.gradle$", "manifests.jvm:gradle"),
        (r"\.gradle\.kts$", "manifests.jvm:gradle"),
        (r"\.pom$", "manifests.jvm:pom"),
        (r"\.tf\.json$", "terraform:tf_json"),
        (r"(?:^|/)setup\.py$", "manifests.python:setup_py"),
        (r"\.mk$", "shell.recipes:makefile"),
        (r"\.just$", "shell.recipes:justfile"),
        (r"\.jenkinsfile$", "shell.recipes:jenkinsfile"),
    )
)

_SHEBANG = re.compile(
    r"\ufeff?#![ \t]*\S*?(?:env[ \t]+(?:-\S+[ \t]+)*(?:\w+=\S*[ \t]+)*)?([A-Za-z]+)[\d.]*(?:[ \t]|$)", re.MULTILINE
)
_BY_INTERPRETER: dict[str, str] = {
    **dict.fromkeys(("python", "pypy", "uv", "pipx"), "python.file"),
    **dict.fromkeys(("sh", "bash", "zsh", "ksh", "dash", "ash", "bats"), "shell.text"),
    **dict.fromkeys(("node", "bun", "deno", "tsx", "zx"), "javascript.file"),
    "make": "shell.recipes:makefile",
    "just": "shell.recipes:justfile",
}


SUFFIXES: tuple[str, ...] = tuple(_BY_SUFFIX)
"""Endings of file names that are always read."""
_SUFFIXES_OF_PATTERNS = frozenset(
    {".txt", ".in", ".pip", ".lock", ".toml", ".gradle", ".pom", ".mk", ".just", ".jenkinsfile"}
)


def is_read(path: str, *, executable: bool = False) -> bool:
    """Whether some extractor may read the file. Without an ending, or executable, its first line decides later."""
    name = path.rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    if not (dot and stem) or executable or f".{ending}" in _BY_SUFFIX or name in _BY_NAME:
        return True
    likely = f".{ending}" in _SUFFIXES_OF_PATTERNS or name.startswith(("docker", "container")) or ".tf." in name
    return likely and bool(targets(path, ""))


def extractors_for(path: str, head: str) -> tuple[Extractor, ...]:
    """Every extractor that has to read the file at `path`, whose text begins with `head`. None: not a kind we know.

    `path` is relative to the repository, with forward slashes; of `head` only the first line matters.
    """
    return tuple(_load(target) for target in targets(path, head))


def is_python(path: str, head: str) -> bool:
    """Whether Python itself would read the file, and so follow what it declares about its encoding."""
    return not {"python.file", "python.snakefile"}.isdisjoint(targets(path, head))


def targets(path: str, head: str) -> tuple[str, ...]:
    """The extractors of a file as `module:function`, in a fixed order and without doubles."""
    name = PurePosixPath(path).name
    found = [target for pattern, target in _BY_PATTERN if pattern.search(path)]
    by_name = _BY_NAME.get(name.lower())
    if by_name:
        found.append(by_name)
    by_suffix = _BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
    if by_suffix and not (by_suffix == "kubernetes" and found and not found[0].endswith(":conda")):
        found.append(by_suffix)
    if not found:
        interpreter = _SHEBANG.match(head)
        if interpreter and interpreter[1].lower() in _BY_INTERPRETER:
            found.append(_BY_INTERPRETER[interpreter[1].lower()])
    return tuple(dict.fromkeys(found))


def _load(target: str) -> Extractor:
    """The function that `module:function` (or `module` for its `extract`) names."""
    module, _, function = target.partition(":")
    return cast("Extractor", getattr(import_module(f"{_HERE}.{module}"), function or "extract"))
