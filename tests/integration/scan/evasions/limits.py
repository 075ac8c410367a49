"""Ways to hide a use that a static look at what git tracks can't see, each with the reason.

They pass; `test_evasion.py` proves that too, so that a limit that is none any more leaves this list. What stands
against them is review, `--second-opinion` where it helps, and an identity at run time that has no rights to spare.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.integration.scan.evasions.case import Files


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A repository that passes although it uses an SDK."""

    id: str
    files: Files
    reason: str


LIMITS = [
    Limit(
        id="name-joined-at-run-time",
        files={"svc.py": 'import importlib\nimportlib.import_module("".join(["bo", "to", "3"]))\n'},
        reason="what a call returns is not known without running it, and no token of an SDK stands in the file",
    ),
    Limit(
        id="name-joined-over-several-lines",
        files={"svc.py": 'import importlib\nA = "bo"\nB = "to3"\nimportlib.import_module(A + B)\n'},
        reason="the lines are searched one by one, and none of them holds a token or joins two strings",
    ),
    Limit(
        id="name-from-base-64",
        files={"svc.py": 'import base64\n__import__(base64.b64decode("Ym90bzM=").decode())\n'},
        reason="decoding is computing; every encoding that somebody thinks of would need its own decoder",
    ),
    Limit(
        id="name-from-surroundings",
        files={"svc.py": 'import os\n__import__(os.environ["STORE"])\n'},
        reason="the name is not in the repository",
    ),
    Limit(
        id="code-from-elsewhere",
        files={"svc.sh": "curl -s https://example.org/x | sh\n"},
        reason="the code is not in the repository",
    ),
    Limit(
        id="code-in-a-file-of-no-known-kind",
        files={"data.txt": "import boto3\n", "svc.py": 'exec(open("data.txt").read())\n'},
        reason="a text is code only for the program that reads it so; documentation is full of import statements",
    ),
    Limit(
        id="script-with-an-odd-ending-that-is-not-executable",
        files={"svc.cgi": "#!/usr/bin/python3\nimport boto3\n"},
        reason="its first line is read only if it has no ending, a known one, or the permission to be run",
    ),
    Limit(
        id="notebook-that-splits-a-name-over-items",
        files={"svc.ipynb": '{"cells": [{"cell_type": "code", "source": ["import bo",\n"to3"]}], "nbformat": 4}'},
        reason="Jupyter writes one line an item; the lines are searched one by one",
    ),
    Limit(
        id="command-that-the-shell-puts-together",
        files={"svc.sh": "A=a\n${A}ws sts get-caller-identity\n"},
        reason="a shell has endless ways to build a word",
    ),
    Limit(
        id="name-formatted-or-reversed",
        files={"svc.py": '__import__("{}3".format("boto"))\n__import__("3otob"[::-1])\n'},
        reason="what a method or a slice returns is not known without running it",
    ),
    Limit(
        id="alias-of-the-shell",
        files={"svc.sh": "alias a=aws\na sts get-caller-identity\n"},
        reason="a shell has endless ways to build a word",
    ),
    Limit(
        id="library-of-commands-under-another-name",
        files={"svc.py": 'import sh as s\ns.az("login")\n'},
        reason="`s.az` alone is any object's attribute; the lines are searched one by one",
    ),
    Limit(
        id="template-that-splits-a-name",
        files={"svc.js": 'require(`a${"ws-sdk"}`);\n'},
        reason="no token of an SDK stands in the line; one that begins the template is found",
    ),
    Limit(
        id="page-with-a-copy-of-an-sdk",
        files={"index.html": '<script src="/vendor/aws-sdk.min.js"></script>\n'},
        reason="a path in the project may lead to anything; the copy's own code is what is scanned",
    ),
    Limit(
        id="settings-of-tox-within-toml",
        files={"pyproject.toml": '[tool.tox]\nlegacy_tox_ini = """\n[testenv]\ndeps = boto3\n"""\n'},
        reason="a file within a string of another; `tox.ini` and the tables of `[tool.tox]` are read",
    ),
    Limit(
        id="code-for-another-interpreter",
        files={"svc.sh": 'perl -e "system(q(aws s3 ls))"\n'},
        reason="of code on a command line, shell, Python and JavaScript are read",
    ),
    Limit(
        id="command-through-a-pipe",
        files={"svc.sh": 'echo "aws s3 ls" | sh\nA=(aws s3 ls)\n"${A[@]}"\n'},
        reason="what a command writes is not known without running it; arrays hold options more often than commands",
    ),
    Limit(
        id="program-in-a-constant",
        files={"svc.go": 'package s\n\nimport "os/exec"\n\nconst A = "aws"\n\nvar C = exec.Command(A, "s3")\n'},
        reason="a word alone says nothing; constants are followed to imports, and in shell and make to commands",
    ),
    Limit(
        id="class-in-the-settings-of-a-framework",
        files={"conf.yaml": "_target_: boto3.client\n", "beans.xml": '<bean class="com.amazonaws.s3.X"/>\n'},
        reason="each framework has its own files and keys; its package may stand in a manifest",
    ),
    Limit(
        id="tasks-and-user-data-within-strings",
        files={
            "pyproject.toml": '[tool.poe.tasks]\nup = "aws s3 ls"\n',
            "main.tf": 'resource "x" "y" {\n  user_data = <<EOF\n#!/bin/sh\naws s3 ls\nEOF\n}\n',
        },
        reason="which strings of a settings file are commands is known to the tool alone that reads it",
    ),
    Limit(
        id="package-of-a-distribution",
        files={"Dockerfile": "FROM debian\nRUN apt-get install -y awscli\n"},
        reason="the catalogue holds the packages of languages; the command itself is found where it is called",
    ),
    Limit(
        id="languages-without-an-extractor",
        files={"svc.rb": 'require "aws-sdk-s3"\n', "svc.scala": "import com.amazonaws.auth.X\n"},
        reason="Ruby, Scala, Groovy, C#, PHP and Rust are not read",
    ),
    Limit(
        id="web-request-without-an-sdk",
        files={"svc.py": 'import urllib.request as u\nu.urlopen("https://sts.example.org/")\n'},
        reason="the gate is about SDKs; what a service may reach is for the network and its identity to decide",
    ),
]
