"""What strings name: each form that counts, and its near misses."""

from __future__ import annotations

import re

import pytest

from aegis.gates.scan.extract.python.file import extract
from aegis.gates.scan.model import Statement, Unreadable

SDK = re.compile(r"boto3|botocore|google|azure|oci|aws|gcloud|^s3$|^gs$|\baz\b")


def found(source: str) -> list[tuple[str, str, str]]:
    return [(one.surface, one.form, one.name) for one in extract(source, SDK) if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("importlib.import_module('boto3')", "boto3"),
        ("importlib.import_module(name='boto3')", "boto3"),
        ("importlib.import_module(\n    'boto3.session'\n)", "boto3.session"),
        ("importlib.__import__('boto3')", "boto3"),
        ("__import__('google.cloud', fromlist=['x'])", "google.cloud"),
        ("importlib.util.find_spec('botocore.crt.auth')", "botocore.crt.auth"),
        ("pkgutil.resolve_name('boto3:client')", "boto3.client"),
        ("runpy.run_module('boto3')", "boto3"),
        ("importlib.import_module('.session', package='boto3')", "boto3.session"),
        ("importlib.import_module('.session', 'boto3')", "boto3.session"),
        ("importlib.import_module('..x', 'google.cloud')", "google.x"),
        ("sys.modules['boto3']", "boto3"),
        ("sys.modules.get('boto3')", "boto3"),
        ("importlib.import_module(f'google.cloud.{x}')", "google.cloud"),
        ("importlib.import_module('google.cloud.' + x)", "google.cloud"),
        ("importlib.import_module('google.cloud.%s' % x)", "google.cloud"),
        ("importlib.import_module('google.' 'cloud')", "google.cloud"),
        ("importlib.import_module('google.' + 'cloud')", "google.cloud"),
        ("importlib.import_module('boto\\x33.botocore')", "boto3.botocore"),
        ("from importlib import import_module as im\nim('boto3')", "boto3"),
        ("load = importlib.import_module\nload('boto3')", "boto3"),
        ("load = __import__\nload('boto3')", "boto3"),
        ("boto3 = LazyLoader('boto3', globals(), 'boto3')", "boto3"),
        ("boto3 = lazy_import('boto3')", "boto3"),
        ("np = lazy.load('boto3')", "boto3"),
        ("boto3 = pytest.importorskip('boto3')", "boto3"),
        ("import_string('boto3.client')", "boto3.client"),
        ("importlib.import_module('google.import.x')", "google"),
        ("subprocess.run([sys.executable, '-m', 'awscli', 's3'])", "awscli"),
        ("os.system('python3 -m awscli s3 ls')", "awscli"),
    ],
)
def test_dynamic(source: str, name: str) -> None:
    assert ("python", "dynamic", name) in found(source)


@pytest.mark.parametrize(
    "source",
    [
        "raise ImportError('boto3')",
        "log.info('boto3')",
        "importlib.import_module(x, 'boto3')",
        "importlib.import_module(name)",
        "x = {'modules': 'boto3'}",
        "pins['boto3'] = '>=1'",
        "metadata.version('boto3')",
    ],
)
def test_not_dynamic(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("@patch('boto3.client')\ndef f(): pass", "boto3.client"),
        (
            "with mock.patch('botocore.client.BaseClient._make_api_call'): pass",
            "botocore.client.BaseClient._make_api_call",
        ),
        ("mock.patch.dict('boto3.x.y', {})", "boto3.x.y"),
        ("mock.patch(target='boto3.client')", "boto3.client"),
        ("mocker.patch('boto3.client', x)", "boto3.client"),
        ("monkeypatch.setattr('botocore.x.y', z)", "botocore.x.y"),
        ("monkeypatch.setitem(sys.modules, 'boto3', None)", "boto3"),
        ("patch.dict('sys.modules', {'boto3': None})", "boto3"),
        ("patch.dict(sys.modules, {'boto3': None, 'x': 1})", "boto3"),
    ],
)
def test_mock(source: str, name: str) -> None:
    assert ("python", "mock", name) in found(source)


@pytest.mark.parametrize(
    "source",
    ["client.patch('/boto3/x')", "dispatch('boto3.client')", "patch.dict(x, {'boto3': 1})", "setattr(x, 'boto3.y', 1)"],
)
def test_not_mock(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("exec('import boto3')", [(1, "boto3")]),
        ("eval('__import__(\"boto3\")')", [(1, "boto3")]),
        ("script = 'import boto3, os; boto3.client(\\\\\"s3\\\\\")'", [(1, "boto3")]),
        ("write('''\nimport os\nfrom google.cloud import storage\n''')", [(3, "google.cloud.storage")]),
        ("write(f'''import boto3\nx = {y!r}\n''')", [(1, "boto3")]),
        ("write('''\nimport os\nimport boto3\nx = %s\n''' % x)", [(3, "boto3")]),
        ("os.system('python -c \"import boto3\"')", [(1, "boto3")]),
        ("subprocess.run([sys.executable, '-c', 'import boto3'])", [(1, "boto3")]),
        ("x = '''\n  cd /tmp\n  python3 -c 'import boto3'\n'''", [(3, "boto3")]),
        ("write('x = 1\\nimport boto3\\n')", [(1, "boto3")]),
        ("write('''x = %s\nif x:\n    import boto3\n''' % y)", [(3, "boto3")]),
        ("write('''x = {{cookiecutter.x}}\nimport boto3\n''')", [(2, "boto3")]),
        ("x = 'import os\\nimport boto3'", [(1, "boto3")]),
    ],
)
def test_embedded(source: str, expected: list[tuple[int, str]]) -> None:
    got = [
        (one.line, one.name) for one in extract(source, SDK) if isinstance(one, Statement) and one.surface == "python"
    ]
    assert got == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""import boto3"""',
        'def f():\n    """Use it:\n\n    import boto3\n    """',
        'class A:\n    x = 1\n    "import boto3"',
        "raise RuntimeError('import boto3 first, please')",
        "log('could not import boto3')",
        "log('Error:\\nimport boto3 failed')",
        "help('To use this,\\n    import boto3\\nand go on')",
        "x = 'from google import'",
        "# exec('import boto3')",
    ],
)
def test_not_embedded(source: str) -> None:
    assert found(source) == []


def test_embedded_code_names_commands_too() -> None:
    source = "write('''import os\nos.system(\"aws s3 ls\")\nimport boto3\n''')"
    assert found(source) == [("command", "command", "aws s3 ls"), ("python", "embedded", "boto3")]


def test_code_nested_without_end_is_told() -> None:
    code = "import boto3"
    for _ in range(6):
        code = f"exec({code!r})"
    assert extract(code, SDK) == [Unreadable(1, "code nested too deeply in strings")]


def test_a_string_after_a_definition_may_be_more_than_its_docstring() -> None:
    code = "import boto3\\n" + "x = 1\\n" * 20
    assert found(f"def f():\n    '{code}'.run()\n") == [("python", "embedded", "boto3")]
    assert found(f"def f():\n    '{code}'\n") == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("os.system('pip install boto3')", "boto3"),
        ("x = 'pip install -U boto3 six'", "boto3"),
        ("x = '''\nRUN python -m pip install google-cloud-storage\n'''", "google-cloud-storage"),
        ("subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'boto3'])", "boto3"),
        ("subprocess.check_call(['pip', 'install', '-U', 'boto3'])", "boto3"),
    ],
)
def test_installs(source: str, name: str) -> None:
    assert ("pypi", "manifest", name) in found(source)


@pytest.mark.parametrize(
    "source", ["raise ImportError('boto3 is missing: pip install boto3')", "log('Please pip install boto3')"]
)
def test_not_installs(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("subprocess.run(['aws', 's3', 'cp', x])", "aws s3 cp"),
        ("subprocess.run(args=['aws', 's3'])", "aws s3"),
        ("subprocess.run(['aws', *args])", "aws"),
        ("subprocess.run(['aws'] + args)", "aws"),
        ("subprocess.run(shlex.split('aws s3 ls'))", "aws s3 ls"),
        ("subprocess.run('aws s3 ls'.split())", "aws s3 ls"),
        ("subprocess.run(('aws', 's3'), check=True)", "aws s3"),
        ("import subprocess as sp\nsp.call(['aws', 's3'])", "aws s3"),
        ("from subprocess import run\nrun(['aws', 's3'])", "aws s3"),
        ("check_output(['gcloud', 'config', 'set'])", "gcloud config set"),
        ("subprocess.run('aws s3 ls', shell=True)", "aws s3 ls"),
        ("subprocess.run(f'aws s3 cp {x} y', shell=True)", "aws s3 cp"),
        ("subprocess.run('aws s3 cp ' + x, shell=True)", "aws s3 cp"),
        ("subprocess.run(['/usr/local/bin/aws', 's3'])", "aws s3"),
        ("subprocess.run(['sudo', 'aws', 's3'])", "aws s3"),
        ("subprocess.run(['bash', '-c', 'cd x && aws s3 ls'])", "aws s3 ls"),
        ("os.system('cd /tmp && aws s3 ls | cat')", "aws s3 ls"),
        ("os.popen('TOKEN=$(az account list) x')", "az account list"),
        ("os.execvp('aws', ['aws', 's3'])", "aws"),
        ("os.execlp('aws', 'aws', 's3')", "aws aws s3"),
        ("os.spawnlp(os.P_WAIT, 'aws', 'aws', 's3')", "aws aws s3"),
        ("await asyncio.create_subprocess_exec('aws', 's3', x)", "aws s3"),
        ("await asyncio.create_subprocess_shell('aws s3 ls')", "aws s3 ls"),
        ("shutil.which('aws')", "aws"),
        ("cmd = ['gcloud', 'compute', zone]", "gcloud compute"),
        ("cmd: list[str] = [\n    'gcloud',\n    'compute',\n]", "gcloud compute"),
        ("build(command=['gcloud', 'dataflow', name], x=1)", "gcloud dataflow"),
        ("x = ['aws', 's3']\nsubprocess.run(x)", "aws s3"),
        ("x = 'aws s3 ls'\nos.system(x)", "aws s3 ls"),
        ("BashOperator(bash_command='aws s3 ls')", "aws s3 ls"),
        ("commands = ['aws s3 ls', 'true']", "aws s3 ls"),
        ("session.run('aws', 's3', 'ls')", "aws s3 ls"),
        ("return_code = self.run_command(['aws', 's3'])", "aws s3"),
    ],
)
def test_commands(source: str, name: str) -> None:
    assert ("command", "command", name) in found(source)


@pytest.mark.parametrize(
    "source",
    [
        "if parts[0:3] != ['arn', 'aws', 'iam']: pass",
        "if parts[:2] == ['aws', 'iam']: pass",
        "conf.get('aws', 'session_factory')",
        "create_rest_apigw(name='aws lambda api')",
        "print(yellow('aws eks update-kubeconfig --name <CLUSTER NAME>'))",
        "def f():\n    'aws s3 ls'",
        "# os.system('aws s3 ls')",
        "if cmd != ['aws', 's3']: pass",
        "assert cmd == ['aws', 's3']",
        "providers = ['aws', 'gcp']",
        "PROVIDER_NAMES = ('aws', 'azure', 'gcp')",
        "x = {'aws': 1}",
        "conn_type='aws'",
        "resource_vocabulary('aws', aliases=True)",
        "x['aws']",
        "os.environ.get('aws')",
        "run('aws')",
        "subprocess.run(['ls', 'aws'])",
        "os.system('echo aws s3 ls')",
        "parser.add_argument('--x', const='aws')",
        "raise X('run aws s3 ls first')",
        "'aws' in ['aws', 'x']",
    ],
)
def test_not_commands(source: str) -> None:
    assert found(source) == []


def test_a_command_is_told_once() -> None:
    assert found("cmd = [\n    'aws',\n    'x',\n    'google',\n]\n") == [("command", "command", "aws x google")]


def test_the_line_is_the_strings() -> None:
    source = "cmd = [\n    'gcloud',\n    'auth',\n    f'--key={x}',\n]\n"
    assert extract(source, SDK) == [Statement(2, 5, "command", "command", "gcloud auth", 'gcloud auth "--key=…"')]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("open('s3://bucket/key')", ["s3"]),
        ("f'gs://{bucket}'", []),
        ("x = f'gs://{bucket}'", ["gs"]),
        ("x.startswith(('s3://', 'gs://'))", ["s3", "gs"]),
        ("x = 'S3://a'", ["s3"]),
        ("x = 'see s3://a'", []),
        ("x = 'https://aws.amazon.com'", []),
        ("'''s3://doc'''", []),
        ("# 's3://x'", []),
    ],
)
def test_schemes(source: str, expected: list[str]) -> None:
    assert [name for surface, form, name in found(source) if (surface, form) == ("scheme", "scheme")] == expected


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from sh import aws", ["aws"]),
        ("from sh import (\n  ls,\n  aws as a,\n)", ["aws"]),
        ("import sh\nsh.aws('s3', 'ls')", ["aws"]),
        ("import sh as s\ns.aws.s3.ls()", ["aws"]),
        ("import sh\nsh.Command('aws')('s3')", ["aws"]),
        ("from plumbum.cmd import gcloud", ["gcloud"]),
        ("from plumbum import cmd\ncmd.gcloud('auth')", ["gcloud"]),
        ("from plumbum import local\nlocal['aws']('s3')", ["aws"]),
        ("from sh import *\nx.sh.aws()", []),
        ("import shell\nsh.aws()", []),
        ("from plumbum import aws", []),
    ],
)
def test_commands_as_functions(source: str, names: list[str]) -> None:
    assert [name for surface, form, name in found(source) if (surface, form) == ("command", "command")] == names


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ('# /// script\n# dependencies = [\n#   "boto3>=1",\n# ]\n# ///\n', [(3, 5)]),
        ('#!/usr/bin/env -S uv run\n# /// script\r\n# dependencies = ["x", "boto3"]\r\n# ///\r\n', [(3, 24)]),
        ('# /// script\n# [tool.uv]\n# dev-dependencies = ["boto3"]\n# ///\n', [(3, 23)]),
        ('# dependencies = ["boto3"]\n', []),
        ('# /// other\n# dependencies = ["boto3"]\n# ///\n', []),
        ('# /// script\n# ///\n\n# dependencies = ["boto3"]\n', []),
    ],
)
def test_inline_metadata_of_a_script(source: str, places: list[tuple[int, int]]) -> None:
    manifest = [one for one in extract(source, SDK) if isinstance(one, Statement) and one.form == "manifest"]
    assert [(one.line, one.column) for one in manifest] == places
    assert {(one.surface, one.name) for one in manifest} <= {("pypi", "boto3")}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("command_list = ['gcloud']\ngo(command_list + more)", ["gcloud"]),
        ("cmd_args = ['gcloud', *more]", ["gcloud"]),
        ("words = ['aws']\nsubprocess.run(words)", ["aws"]),
        ("words = ['aws']\ngo(words)", []),
        ("commands = ['aws']", []),
    ],
)
def test_commands_that_are_only_begun(source: str, names: list[str]) -> None:
    assert [name for surface, form, name in found(source) if (surface, form) == ("command", "command")] == names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("pip.main(['install', 'boto3'])", ["boto3"]),
        ("from pip._internal import main as go\ngo(['install', '-q', 'boto3'])", ["boto3"]),
        ("subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'boto3>=1'])", ["boto3"]),
        ("go([sys.executable, '-m', 'pip', 'install', 'boto3'])", ["boto3"]),
        ("go([python, '-m', 'pip', 'install', 'boto3'])", ["boto3"]),
        ("words = ['pip', 'install', 'x', 'botocore']", ["botocore"]),
        ("session.install('pytest', 'boto3')", ["boto3"]),
        ("setup(install_requires=['x', 'boto3>=1'])", ["boto3"]),
        ("setup(install_requires='boto3')", ["boto3"]),
        ("setup(extras_require={'s3': ['boto3'], 'x': 'botocore'})", ["boto3", "botocore"]),
        ("NEEDS: list[str] = [\n    'boto3>=1',\n]\nsetup(install_requires=NEEDS)", ["boto3"]),
        ("pip.main(['download', x])\nmain(['install', 'boto3'])", []),
        ("go(['-m', 'pip', 'show', 'boto3'])", []),
        ("session.notify('boto3')", []),
        ("setup(name='boto3', extras_require={'boto3': ['x']})", []),
        ("NEEDS = ['boto3']\nother(NEEDS)", []),
    ],
)
def test_distributions_that_code_asks_for(source: str, names: list[str]) -> None:
    assert [name for surface, form, name in found(source) if (surface, form) == ("pypi", "manifest")] == names


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("f\"{__import__('boto3')}\"", ("python", "dynamic", "boto3")),
        ('x = 1\nf"{__import__("boto3").client("s3")!r:>{w}}"', ("python", "dynamic", "boto3")),
        ("x = f'a {{b}} {os.system(\"aws s3 ls\")}' 'c'", ("command", "command", "aws s3 ls")),
        ("f\"{f'{__import__(chr(34) + 'boto3')}'}\"", None),
    ],
)
def test_expressions_in_formatted_strings(source: str, expected: tuple[str, str, str] | None) -> None:
    assert expected is None or found(source) == [expected]
    lines = source.count("\n") + 1
    assert all(one.line == lines for one in extract(source, SDK))
