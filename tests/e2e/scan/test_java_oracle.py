"""The Java extractor against javac's parser, on source jars that use SDKs.

javac's tree has every member select; compared is what a catalogue can ask for: names with a provider's word in them,
cut after the first type (`com.amazonaws.Foo.bar` is a use of `com.amazonaws.Foo`).
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

from aegis.gates.scan.extract.jvm import file as jvm
from aegis.gates.scan.model import Statement, Unreadable
from tests.support.programs import maven

_ARTIFACTS = (
    "org.apache.iceberg:iceberg-aws:1.6.1",
    "org.apache.hadoop:hadoop-aws:3.3.6",
    "org.apache.hadoop:hadoop-aws:3.4.1",
    "org.apache.hadoop:hadoop-azure:3.4.1",
    "org.apache.beam:beam-sdks-java-io-google-cloud-platform:2.60.0",
    "org.springframework.cloud:spring-cloud-aws-core:2.2.6.RELEASE",
)
_WANTED = re.compile(r"(?<![A-Za-z0-9])(?:amazonaws|awssdk|google|azure)")
_ANNOTATION = re.compile(r"@[\w.]+(?:\([^()]*\))?\s+")
_CLASS = re.compile(r"[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*[.$][A-Z][\w$]*(?:\.[A-Za-z_][\w$]*)*")
_FIRST_TYPE = re.compile(r"((?:[^.A-Z][^.]*\.)*[A-Z][^.]*)(?:\..*)?")

Named = set[tuple[str, int, str]]


def test_every_import_name_and_class_string_and_no_other() -> None:
    counted: Counter[str] = Counter()
    for artifact in _ARTIFACTS:
        for path, theirs in _by_javac(maven.sources(artifact)).items():
            found = jvm.java(path.read_bytes().decode("utf-8", "replace"), _WANTED)
            ours = {(one.form, one.line, one.name) for one in _of_java(found)}
            assert ours == theirs, f"{path}: missed {theirs - ours}, invented {ours - theirs}"
            counted.update(kind for kind, _, _ in theirs)
    assert (counted["import"] >= 3_500, counted["reference"] >= 400, counted["dynamic"] >= 10) == (
        True, True, True,
    ), counted  # fmt: skip


def _of_java(found: list[Statement | Unreadable]) -> list[Statement]:
    statements = [one for one in found if isinstance(one, Statement)]
    assert len(statements) == len(found), found
    return [one for one in statements if one.surface == "java"]


def _by_javac(folder: Path) -> dict[Path, Named]:
    program = Path(__file__).parents[1] / "tools" / "javaimports" / "JavaImports.java"
    ran = subprocess.run(["java", str(program), str(folder)], check=True, capture_output=True, text=True, timeout=300)
    named: defaultdict[Path, Named] = defaultdict(set)
    for kind, file, line, name in (row.split("\t") for row in ran.stdout.splitlines()):
        assert kind != "problem", f"javac cannot read {file}: {name}"
        named[Path(file)] |= {(*one, int(line), two) for one, two in _judged(kind, name) if _WANTED.search(two)}
    return named


def _judged(kind: str, name: str) -> list[tuple[tuple[str], str]]:
    """The form and the name that a row of the oracle stands for."""
    if kind == "import":
        return [(("import",), name.removesuffix(".*"))]
    if kind == "reference" and (name[0].islower() or name[0] == "_"):
        plain = _ANNOTATION.sub("", name)
        typed = _FIRST_TYPE.fullmatch(plain)
        return [(("reference",), typed[1] if typed else plain)]
    if kind == "string" and _CLASS.fullmatch(name):
        return [(("dynamic",), name)]
    return []
