"""Which commands, code, packages and images a shell text uses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.shell import recipes
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

ANY = re.compile("")
CLOUD = re.compile(r"aws|boto3|gcloud|az\b")


def used(source: str) -> list[tuple[int, str, str]]:
    """Line, form and name of everything that is not plain shell."""
    found = [item for item in shell.extract(source, CLOUD) if isinstance(item, Statement)]
    return [
        (item.line, item.form, item.name) for item in found if item.name.split()[0] not in ("echo", "python", "cat")
    ]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("aws s3 ls", "aws s3 ls"),
        ("cd x && aws s3 ls", "aws s3 ls"),
        ("true; aws s3 ls", "aws s3 ls"),
        ("false || aws s3 ls", "aws s3 ls"),
        ("cat f | aws s3 cp - s3://b", "aws s3 cp - s3://b"),
        ("x=$(aws s3 ls)", "aws s3 ls"),
        ('x="$(aws s3 ls)"', "aws s3 ls"),
        ("x=`aws s3 ls`", "aws s3 ls"),
        ("x=$((aws s3 ls) | head)", "aws s3 ls"),
        ("diff <(aws s3 ls) b", "aws s3 ls"),
        ("if aws s3 ls; then :; fi", "aws s3 ls"),
        ("for i in a; do aws s3 ls; done", "aws s3 ls"),
        ("! aws s3 ls", "aws s3 ls"),
        ("A=b aws s3 ls", "aws s3 ls"),
        ("sudo -u root aws s3 ls", "aws s3 ls"),
        ("env -i A=b aws s3 ls", "aws s3 ls"),
        ("xargs -n 1 aws s3 ls", "aws s3 ls"),
        ("timeout -k 5 10s aws s3 ls", "aws s3 ls"),
        ("time nohup exec aws s3 ls", "aws s3 ls"),
        ("command -- aws s3 ls", "aws s3 ls"),
        ("/usr/local/bin/aws s3 ls", "aws s3 ls"),
        ('"$HOME"/bin/aws s3 ls', "aws s3 ls"),
        ("aws \\\n s3 ls", "aws s3 ls"),
        ("bash -c 'aws s3 ls'", "aws s3 ls"),
        ("eval 'aws s3 ls'", "aws s3 ls"),
        ("trap 'aws s3 ls' EXIT", "aws s3 ls"),
        ("bash <<E\naws s3 ls\nE", "aws s3 ls"),
        ("cat <<E | sh\naws s3 ls\nE", "aws s3 ls"),
        ("case $x in a) aws s3 ls;; esac", "aws s3 ls"),
        ("${x:-$(aws s3 ls)}", "aws s3 ls"),
        ("aws s3 cp $f s3://b", "aws s3 cp"),
        ("aws.exe s3 ls", "aws s3 ls"),
        ("ssh host aws s3 ls", "aws s3 ls"),
        ("ssh -o A=b -i key me@host 'cd x; aws s3 ls'", "aws s3 ls"),
        ("ssh host cd x '&&' aws s3 ls", "aws s3 ls"),
        ("sshpass -p x ssh host sudo aws s3 ls", "aws s3 ls"),
        ("find . -type f -exec aws s3 ls \\;", "aws s3 ls"),
        ("find . -execdir sudo aws s3 ls ';' -print", "aws s3 ls"),
        ("find . -exec sh -c 'aws s3 ls' _ {} +", "aws s3 ls"),
        ("docker exec -it -u root web aws s3 ls", "aws s3 ls"),
        ("docker compose -f x.yml exec web aws s3 ls", "aws s3 ls"),
        ("docker run --rm -v a:b debian aws s3 ls", "aws s3 ls"),
        ("docker run --rm --entrypoint aws x s3 ls", "aws"),
        ("docker run --entrypoint=/bin/aws x s3 ls", "aws"),
        ("kubectl -n x exec pod -c web -- aws s3 ls", "aws s3 ls"),
        ("docker run example/my-aws aws s3 ls", "aws s3 ls"),
        ("poetry run aws s3 ls", "aws s3 ls"),
        ("aws-vault exec me -- gcloud auth login", "gcloud auth login"),
        ("strace -f -o out aws s3 ls", "aws s3 ls"),
        ("script -q -c 'aws s3 ls' /dev/null", "aws s3 ls"),
        ("ls | xargs --no-run-if-empty -I{} --max-procs 4 aws s3 ls", "aws s3 ls"),
    ],
)
def test_commands_at_command_positions(source: str, name: str) -> None:
    commands = [found for _, form, found in used(source) if form == "command"]
    assert [found for found in commands if CLOUD.match(found.partition(" ")[0]) and "aws-vault" not in found] == [name]


@pytest.mark.parametrize(
    "source",
    [
        "# aws s3 ls",
        "echo aws s3 ls",
        'echo "see: aws s3 ls"',
        "aws() { :; }",
        "case $1 in aws|gcloud) : ;; esac",
        "[[ $x == aws && gcloud == $y ]]",
        "x=(aws s3 ls)",
        "x=aws",
        "command -v aws",
        "cat <<E\naws s3 ls\nE",
        "for aws in a b; do :; done",
        "cat < aws > gcloud",
        "ssh aws uptime",
        "find . -name aws -print",
        "find aws -exec echo aws \\;",
        "docker exec aws ls",
        "docker run amazon/aws-cli s3 ls",
        "kubectl exec aws -- ls",
        "poetry run pytest aws",
    ],
)
def test_words_that_are_no_commands(source: str) -> None:
    assert [found for found in used(source) if found[2].startswith(("aws", "gcloud"))] == []


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("python -c 'import boto3'", 1, 12),
        ("python3 - <<'P'\nimport os\nimport boto3\nP", 3, 1),
        ("bash -c \"python -c 'import boto3'\"", 1, 21),
    ],
)
def test_embedded_code_stands_where_it_is_written(source: str, line: int, column: int) -> None:
    found = [item for item in shell.extract(source, CLOUD) if isinstance(item, Statement) and item.form == "embedded"]
    assert [(item.name, item.line, item.column) for item in found] == [("boto3", line, column)]


@pytest.mark.parametrize(
    ("source", "surface", "names"),
    [
        ("pip install -r r.txt 'boto3>=1' awscli", "pypi", ["boto3", "awscli"]),
        ("python3 -m pip install boto3[crt]", "pypi", ["boto3"]),
        ("uv pip install boto3", "pypi", ["boto3"]),
        ("npm i -D @aws-sdk/client-s3@3 s3@npm:aws-sdk@2", "npm", ["@aws-sdk/client-s3", "aws-sdk"]),
        ("go get github.com/aws/aws-sdk-go@v1", "go", ["github.com/aws/aws-sdk-go"]),
        ("docker run --rm -e A=b amazon/aws-cli:2 s3 ls", "image", ["amazon/aws-cli:2"]),
        ("pip show boto3", "pypi", []),
        ("docker run --name aws alpine", "image", []),
    ],
)
def test_packages_and_images(source: str, surface: str, names: list[str]) -> None:
    found = [item for item in shell.extract(source, CLOUD) if isinstance(item, Statement)]
    assert [item.name for item in found if item.surface == surface] == names


@pytest.mark.parametrize(
    "source", ["x='aws", 'x="aws', "x=$(aws s3", "${aws", "(" * 200 + "aws", "ssh h " * 2000 + "aws"]
)
def test_what_cannot_be_followed_is_told(source: str) -> None:
    assert any(isinstance(item, Unreadable) for item in shell.extract(source, CLOUD))


@given(st.text(alphabet="aws3 ;|&()<>{}[]$`\"'\\#\n\t=-c!EOF", max_size=80))
def test_reads_any_text(source: str) -> None:
    for item in shell.extract(source, ANY):
        assert 1 <= item.line <= source.count("\n") + 1


@given(st.lists(st.sampled_from(["aws s3 ls", "gcloud auth login", "az login"]), min_size=1, max_size=6), st.data())
def test_joined_commands_are_all_found(commands: list[str], data: st.DataObject) -> None:
    joiner = data.draw(st.sampled_from([" && ", "; ", " | ", "\n", " || ", " & "]))
    assert [name for _, _, name in used(joiner.join(commands))] == commands


def test_linear_in_hostile_text() -> None:
    for piece in ("$((", "`", '"$(', "<<E\n", "${", "((", "x=("):
        assert shell.extract("aws " + piece * 20_000, CLOUD) is not None


def test_makefile_recipes_and_shell_calls() -> None:
    source = "A := $(shell aws sts x)\naws: b\n\t@aws s3 ls $(X) $$HOME\n\t-sudo aws s3 cp $$(aws s3 y) z\n"
    found = [item for item in recipes.makefile(source, CLOUD) if isinstance(item, Statement)]
    assert [(item.line, item.name) for item in found] == [
        (1, "aws sts x"),
        (3, "aws s3 ls"),
        (4, "aws s3 cp"),
        (4, "aws s3 y"),
    ]


def test_justfile_and_jenkinsfile() -> None:
    just = "aws := 'x'\ndeploy env:\n    @aws s3 ls {{ env }}\n"
    assert [item.line for item in recipes.justfile(just, CLOUD)] == [3]
    jenkins = "steps {\n  sh 'aws s3 ls'\n  echo 'aws'\n  sh '''\n    az login\n  '''\n}\n"
    assert [item.line for item in recipes.jenkinsfile(jenkins, CLOUD)] == [2, 5]
