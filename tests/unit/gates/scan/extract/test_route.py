"""Which extractor reads which file."""

from __future__ import annotations

import pytest

from aegis.gates.scan.extract import route


@pytest.mark.parametrize(
    ("path", "head", "expected"),
    [
        ("a/b.py", "", ("python.file",)),
        ("bin/tool", "#!/usr/bin/env python3\n", ("python.file",)),
        ("bin/tool", "#!/usr/bin/env -S A=b python3.12 -u\n", ("python.file",)),
        ("bin/tool", "#!/bin/bash -e\n", ("shell.text",)),
        ("bin/tool", "text", ()),
        ("n.ipynb", "", ("python.notebook",)),
        ("a.vue", "", ("javascript.file",)),
        ("workflow/Snakefile", "", ("python.snakefile",)),
        ("workflow/rules/a.smk", "", ("python.snakefile",)),
        ("a.html", "", ("javascript.html",)),
        ("tox.ini", "", ("manifests.tools:tox",)),
        ("other.ini", "", ()),
        (".pre-commit-config.yaml", "", ("manifests.tools:pre_commit",)),
        ("deno.jsonc", "", ("manifests.npm:deno",)),
        ("a.kts", "", ("jvm.file:kotlin",)),
        ("build.gradle.kts", "", ("manifests.jvm:gradle", "jvm.file:kotlin")),
        ("Makefile", "", ("shell.recipes:makefile",)),
        (".github/workflows/ci.yml", "", ("workflow",)),
        ("sub/action.yaml", "", ("workflow",)),
        (".gitlab-ci.yml", "", ("workflow",)),
        ("k8s/deployment.yaml", "", ("kubernetes",)),
        ("environment.yml", "", ("manifests.python:conda", "kubernetes")),
        ("docker/Dockerfile.prod", "", ("dockerfile",)),
        ("api.Dockerfile", "", ("dockerfile",)),
        ("main.tf", "", ("terraform",)),
        ("main.tf.json", "", ("terraform:tf_json",)),
        (".terraform.lock.hcl", "", ("terraform:lock",)),
        ("requirements-dev.txt", "", ("manifests.python:requirements",)),
        ("requirements/base.in", "", ("manifests.python:requirements",)),
        ("setup.py", "", ("manifests.python:setup_py", "python.file")),
        ("pnpm-lock.yaml", "", ("manifests.npm:pnpm_lock",)),
        ("go.work", "", ("manifests.go:go_mod",)),
        ("requirements-dev.lock", "", ("manifests.python:requirements",)),
        ("web/bun.lock", "", ("manifests.npm:bun_lock",)),
        ("bun.lockb", "#!/usr/bin/env bun\n", ("manifests.npm:bun_lockb",)),
        ("README.md", "", ()),
    ],
)
def test_targets(path: str, head: str, expected: tuple[str, ...]) -> None:
    assert route.targets(path, head) == expected


def test_every_target_is_there() -> None:
    targets = {*route._BY_SUFFIX.values(), *route._BY_NAME.values(), *(target for _, target in route._BY_PATTERN)}
    for target in sorted(targets | set(route._BY_INTERPRETER.values())):
        assert callable(route._load(target)), target
