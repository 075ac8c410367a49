"""Command-line tools and code in strings, called the long way round."""

from __future__ import annotations

from tests.integration.scan.evasions.case import Case

WORKFLOW = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          {0}\n"


def _shell(name: str, command: str, line: int = 2, rule: str = "scan.cli") -> Case:
    return Case(id=f"shell-{name}", files={"svc.sh": f"#!/bin/sh\n{command}\n"}, path="svc.sh", rule=rule, line=line)


CASES = [
    _shell("continuation", "a=1 && \\\n  aws \\\n  s3 ls", 3),
    _shell("path", "/usr/local/bin/aws s3 ls"),
    _shell("env", "env -i PATH=/bin aws s3 ls"),
    _shell("which", "$(which aws) s3 ls"),
    _shell("assignment", "AWS_PROFILE=x aws s3 ls"),
    _shell("substitution", 'x="$(aws s3 ls)"'),
    _shell("backticks", "x=`aws s3 ls`"),
    _shell("inner-shell", "bash -c 'aws s3 ls'"),
    _shell("pipe", "cat x|aws s3 cp - s3://b/k"),
    _shell("xargs", "ls | xargs -n1 aws s3 rm"),
    _shell("sudo", "sudo -u root -- aws s3 ls"),
    _shell("backslash", "\\aws s3 ls"),
    _shell("quoted", '"aws" s3 ls'),
    _shell("split-quotes", "a''ws s3 ls"),
    _shell("eval", 'eval "aws s3 ls"'),
    _shell("function", "f() { aws s3 ls; }"),
    _shell("case-branch", "case $x in y) aws s3 ls;; esac"),
    _shell("heredoc-python", "python3 - <<EOF\nimport boto3\nEOF", 3, "scan.embedded"),
    _shell("heredoc-to-shell", "bash <<'EOF'\naws s3 ls\nEOF", 3, "scan.cli"),
    _shell("inline-python", 'python3 -c "import boto3"', 2, "scan.embedded"),
    _shell("module-run", "python3 -m awscli s3 ls"),
    _shell("ssh", "ssh -p 22 host aws s3 ls"),
    _shell("ssh-quoted", "ssh host 'cd /; aws s3 ls'"),
    _shell("find", "find . -type f -exec aws s3 rm {} \\;"),
    _shell("container", "docker exec -it web aws s3 ls"),
    _shell("pod", "kubectl exec -n x pod -- aws s3 ls"),
    _shell("container-of-another-image", "docker run --rm debian aws s3 ls"),
    _shell("project-runner", "uv run aws s3 ls"),
    _shell("trace", "strace -f aws s3 ls"),
    _shell("terminal", "script -qc 'aws s3 ls' /dev/null"),
    _shell("in-a-variable", "A=aws\n$A s3 ls", 3),
    _shell("in-a-variable-with-words", 'export A="aws s3"\nif true; then sudo ${A} ls; fi', 3),
    _shell("in-a-variable-in-quotes", "A=b; A='aws'\nx=$(\"$A\" s3 ls)", 3),
    _shell("words-of-env", "env -S 'aws s3 ls'"),
    _shell("words-of-env-by-its-long-option", "sudo env A=b --split-string 'aws s3 ls'"),
    _shell("words-of-env-glued", "env -S'aws s3 ls'"),
    _shell("module-run-with-options", "python -Im awscli s3 ls"),
    _shell("install-for-one-run", "uv run --with x --with boto3 python x.py", 2, "scan.manifest"),
    _shell("install-for-one-run-glued", "uvx --with=boto3 x", 2, "scan.manifest"),
    _shell("install", "pip install boto3", 2, "scan.manifest"),
    Case(
        id="subprocess-list",
        files={"svc.py": 'import subprocess\nsubprocess.run(["aws", "s3", "ls"])\n'},
        path="svc.py",
        rule="scan.cli",
        line=2,
    ),
    Case(
        id="subprocess-list-that-is-only-begun",
        files={"svc.py": 'command_list = ["aws"]\ncommand_list.extend(words)\ngo(command_list)\n'},
        path="svc.py",
        rule="scan.cli",
    ),
    Case(
        id="subprocess-string",
        files={"svc.py": 'import os\nos.system("cd /; aws s3 ls")\n'},
        path="svc.py",
        rule="scan.cli",
        line=2,
    ),
    Case(
        id="subprocess-in-a-long-string",
        files={"svc.py": 'import os\nos.system("""\ncd / && aws sts get-caller-identity\n""")\n'},
        path="svc.py",
        rule="scan.cli",
        line=3,
    ),
    Case(
        id="subprocess-behind-an-escape",
        files={"svc.py": 'import os\nos.system("true\\naws sts get-caller-identity")\n'},
        path="svc.py",
        rule="scan.cli",
        line=2,
    ),
    Case(
        id="exec-behind-an-escape",
        files={"svc.js": 'const { execSync } = require("child_process");\nexecSync("true\\naws sts help");\n'},
        path="svc.js",
        rule="scan.cli",
        line=2,
    ),
    Case(
        id="subprocess-inner-python",
        files={"svc.py": 'import subprocess\nsubprocess.run([x, "-c", "import boto3"])\n'},
        path="svc.py",
        rule="scan.embedded",
        line=2,
    ),
    Case(
        id="command-as-a-function",
        files={"svc.py": "from sh import (\n    ls,\n    aws,\n)\n"},
        path="svc.py",
        rule="scan.cli",
    ),
    Case(
        id="command-as-an-attribute",
        files={"svc.py": 'import sh\nsh.az("login")\n'},
        path="svc.py",
        rule="scan.cli",
        line=2,
    ),
    Case(
        id="command-by-subscript",
        files={"svc.py": 'from plumbum import local\nlocal["aws"]("s3")\n'},
        path="svc.py",
        rule="scan.cli",
        line=2,
    ),
    Case(
        id="script-with-inline-dependencies",
        files={"svc.py": '# /// script\n# dependencies = [\n#   "boto3",\n# ]\n# ///\n'},
        path="svc.py",
        rule="scan.manifest",
        line=3,
    ),
    *(
        Case(id=f"python-{name}", files={path: text}, path=path, rule="scan.manifest", line=line)
        for name, path, text, line in (
            ("pip-as-a-module", "svc.py", 'import pip\npip.main(["install", "boto3"])\n', 2),
            ("pip-by-another", "svc.py", 'import sys\ngo([sys.executable, "-m", "pip", "install", "boto3"])\n', 2),
            ("setup-elsewhere", "build_it.py", 'from setuptools import setup\nsetup(install_requires=["boto3"])\n', 2),
            ("nox", "noxfile.py", 'import nox\ndef t(session):\n    session.install("x", "boto3")\n', 3),
        )
    ),
    *(
        Case(id=f"manifest-{name}", files={path: text}, path=path, rule="scan.manifest", line=line)
        for name, path, text, line in (
            ("tox", "tox.ini", "[testenv]\ndeps =\n    boto3\n", 3),
            ("hook", ".pre-commit-config.yaml", "repos:\n- hooks:\n  - additional_dependencies: [boto3]\n", 3),
            ("continued-name", "requirements.txt", "bo\\\nto3\n", 1),
            ("deno", "deno.json", '{"imports": {"s3": "npm:@aws-sdk/client-s3@3"}}\n', 1),
            ("rye", "requirements.lock", "boto3==1.34.0\n", 1),
            ("workspace", "go.work", "go 1.22\nreplace x => github.com/aws/aws-sdk-go v1.0.0\n", 2),
            ("subpath-import", "package.json", '{"imports": {"#s3": "@aws-sdk/client-s3"}}\n', 1),
            ("bun", "bun.lock", '{"packages": {\n"s3": ["@aws-sdk/client-s3@3.1.0", "", {}, "sha512-x"],\n}}\n', 2),
            ("import-map", "import_map.json", '{"imports": {"s3": "https://esm.sh/aws-sdk@2"}}\n', 1),
        )
    ),
    Case(
        id="exec-of-a-module-used-at-once",
        files={"svc.js": 'require("child_process").execSync("aws s3 ls");\n'},
        path="svc.js",
        rule="scan.cli",
    ),
    Case(
        id="go-generate",
        files={"svc.go": "package svc\n\n//go:generate aws s3 ls\n"},
        path="svc.go",
        rule="scan.cli",
        line=3,
    ),
    Case(
        id="go-dot-import-of-exec",
        files={"svc.go": 'package svc\n\nimport . "os/exec"\n\nvar c = Command("aws", "s3", "ls")\n'},
        path="svc.go",
        rule="scan.cli",
        line=5,
    ),
    Case(
        id="makefile-continuation",
        files={"Makefile": "all:\n\t@true; \\\n\t  aws \\\n\t  s3 ls\n"},
        path="Makefile",
        rule="scan.cli",
        line=3,
    ),
    *(
        Case(id=f"snakemake-{name}", files={path: text}, path=path, rule=f"scan.{kind}", line=line)
        for name, path, text, kind, line in (
            ("shell", "Snakefile", 'rule a:\n    input: "x"\n    shell:\n        "aws s3 cp {input} ."\n', "cli", 4),
            ("shell-in-parts", "a.smk", 'rule a:\n    shell:\n        "set -e; "\n        "a" "ws s3 ls"\n', "cli", 4),
            (
                "inner-python",
                "a.smk",
                'rule a:\n    shell: """\n    python -c \'import boto3\'\n    """\n',
                "embedded",
                3,
            ),
            ("run", "workflow/Snakefile", "rule a:\n    run:\n        import boto3\n", "runtime", 3),
            ("top", "Snakefile", "import boto3\nrule all:\n    input: 'x'\n", "runtime", 1),
            ("call", "Snakefile", 'onsuccess:\n    shell("aws sns publish")\n', "cli", 2),
            ("container", "Snakefile", 'rule a:\n    container: "docker://amazon/aws-cli"\n', "image", 2),
        )
    ),
    Case(
        id="makefile-variable",
        files={"Makefile": "AWS ?= aws # the tool\nall:\n\t@$(AWS) s3 ls\n"},
        path="Makefile",
        rule="scan.cli",
        line=3,
    ),
    *(
        Case(id=f"config-map-{name}", files={"k8s/a.yaml": text}, path="k8s/a.yaml", rule=f"scan.{kind}", line=5)
        for name, kind, text in (
            ("python", "embedded", "kind: ConfigMap\ndata:\n  a.py: |\n    import os\n    import boto3\n"),
            ("shell", "cli", "kind: ConfigMap\ndata:\n  a.sh: |\n    set -e\n    aws s3 ls\n"),
        )
    ),
    Case(
        id="dockerfile-continuation",
        files={"Dockerfile": "FROM debian\nRUN true && \\\n  # comment\n  aws s3 ls\n"},
        path="Dockerfile",
        rule="scan.cli",
        line=4,
    ),
    Case(
        id="dockerfile-exec-form",
        files={"build/app.Dockerfile": 'FROM debian\nENTRYPOINT ["aws", "s3"]\n'},
        path="build/app.Dockerfile",
        rule="scan.cli",
        line=2,
    ),
    Case(
        id="dockerfile-shell-that-is-none",
        files={"Dockerfile": 'FROM python\nSHELL ["/usr/bin/python3", "-c"]\nRUN import os; \\\n  import boto3\n'},
        path="Dockerfile",
        rule="scan.embedded",
        line=4,
    ),
    Case(
        id="workflow-run",
        files={".github/workflows/x.yml": WORKFLOW.format("aws s3 ls")},
        path=".github/workflows/x.yml",
        rule="scan.cli",
        line=7,
    ),
    Case(
        id="workflow-quoted-key",
        files={".github/workflows/x.yml": WORKFLOW.format("aws s3 ls").replace("run:", '"r\\x75n":')},
        path=".github/workflows/x.yml",
        rule="scan.cli",
        line=7,
    ),
    Case(
        id="workflow-action-by-alias",
        files={
            ".github/workflows/x.yml": "on: push\nx-a: &a aws-actions/configure-aws-credentials@v4\njobs:\n  a:\n"
            "    runs-on: x\n    steps:\n      - uses: *a\n"
        },
        path=".github/workflows/x.yml",
        rule="scan.ci",
        line=2,
    ),
    Case(
        id="workflow-inner-python",
        files={
            ".github/workflows/x.yml": WORKFLOW.format("import boto3").replace("- run", "- shell: python\n        run")
        },
        path=".github/workflows/x.yml",
        rule="scan.embedded",
        line=8,
    ),
]
