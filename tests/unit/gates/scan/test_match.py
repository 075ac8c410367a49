"""Two readings of every statement, and controls that make a silent engine impossible."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.engine import Match
from aegis.gates.scan.catalogue import load
from aegis.gates.scan.match import WholeFile, match, statement_text
from aegis.gates.scan.model import Form, Statement, Surface
from tests.doubles.engine import ScriptedEngine

CATALOGUE = load()
NAMES: list[tuple[Surface, str]] = [
    ("python", "boto3"),
    ("npm", "@aws-sdk/client-s3"),
    ("go", "github.com/aws/aws-sdk-go/aws"),
    ("java", "com.amazonaws.auth.X"),
]


def statement(surface: Surface, name: str, form: Form = "import", text: str | None = None, line: int = 1) -> Statement:
    return Statement(line, 1, surface, form, name, text or statement_text(surface, name))


@pytest.mark.parametrize(("surface", "name"), NAMES)
def test_both_readings_agree(surface: Surface, name: str) -> None:
    engine = ScriptedEngine(CATALOGUE)
    one = statement(surface, name)
    answer = match([one], CATALOGUE, engine)
    assert (answer.matched[one].entry.provider, answer.matched[one].only) == ("aws", None)
    assert len(engine.asked) == 1


@pytest.mark.parametrize(("surface", "name"), NAMES)
def test_what_only_the_catalogue_sees_is_a_use_and_a_disagreement(surface: Surface, name: str) -> None:
    controls = 1 + len(CATALOGUE.providers)
    engine = ScriptedEngine(CATALOGUE, spoil=lambda hit: hit if hit.line <= controls + 1 else None)
    one = statement(surface, name)
    assert match([one], CATALOGUE, engine).matched[one].only == "the catalogue"


def test_what_only_the_engine_sees_is_a_use_and_a_disagreement() -> None:
    other, line = statement("python", "boto3_helpers"), 2 + 1 + len(CATALOGUE.providers)
    engine = ScriptedEngine(CATALOGUE, also=(Match("slice--aws--python", "slice:python", line, 1),))
    found = match([other], CATALOGUE, engine).matched[other]
    assert (found.entry.provider, found.only) == ("aws", "semgrep")


@pytest.mark.parametrize(("name", "asked"), [("requests", False), ("boto3_helpers", True)])
def test_what_neither_sees_is_left_out(name: str, asked: bool) -> None:
    engine = ScriptedEngine(CATALOGUE)
    assert match([statement("python", name)], CATALOGUE, engine).matched == {}
    assert bool(engine.asked) == asked


def test_equal_statements_are_asked_about_once() -> None:
    engine = ScriptedEngine(CATALOGUE)
    both = [statement("python", "boto3", line=n) for n in (1, 9)]
    assert len(match(both, CATALOGUE, engine).matched) == 2
    ((_, (target,)),) = engine.asked
    assert target.text.decode().splitlines()[2 + len(CATALOGUE.providers) :] == ["import boto3"]


@pytest.mark.parametrize("form", ["manifest", "command", "image", "action", "scheme"])
def test_what_has_no_language_needs_no_engine(form: Form) -> None:
    surfaces: dict[str, tuple[Surface, str]] = {
        "manifest": ("go", "github.com/aws/aws-sdk-go"),
        "command": ("command", "aws s3 ls"),
        "image": ("image", "amazon/aws-cli:2"),
        "action": ("action", "aws-actions/configure-aws-credentials"),
        "scheme": ("scheme", "s3"),
    }
    surface, name = surfaces[form]
    one = statement(surface, name, form, text=name)
    engine = ScriptedEngine(CATALOGUE)
    assert match([one], CATALOGUE, engine).matched[one].only is None
    assert engine.asked == []


def test_nothing_needs_no_engine() -> None:
    engine = ScriptedEngine(CATALOGUE)
    match([], CATALOGUE, engine)
    assert engine.asked == []


@pytest.mark.parametrize(
    "text", ["import boto3\nimport os", "import boto3; x", "import boto3 # y", "exec('import boto3')", "import boto3\r"]
)
def test_a_text_that_could_reach_over_its_line_stays_out_of_the_slice(text: str) -> None:
    one, plain = statement("python", "boto3", text=text), statement("python", "oci")
    engine = ScriptedEngine(CATALOGUE)
    found = match([one, plain], CATALOGUE, engine).matched
    assert found[one].only == "the catalogue"
    ((_, (target,)),) = engine.asked
    assert target.text.decode().splitlines()[2 + len(CATALOGUE.providers) :] == ["import oci"]


@given(st.lists(st.tuples(st.sampled_from(["python", "npm", "go", "java"]), st.text()), min_size=1, max_size=5))
def test_no_text_speaks_for_another(texts: list[tuple[Surface, str]]) -> None:
    engine = ScriptedEngine(CATALOGUE)
    match([statement(surface, "boto3", text=text or "x") for surface, text in texts], CATALOGUE, engine)
    for _, targets in engine.asked:
        for target in targets:
            asked = {text for surface, text in texts if f"slice:{surface}" == target.name}
            lines = target.text.decode().split("\n")
            head = 2 + sum(1 for line in lines if line and line not in asked) - 1
            assert all(line in asked for line in lines[head:-1])


def _drop_provider(provider: str) -> ScriptedEngine:
    return ScriptedEngine(CATALOGUE, spoil=lambda hit: None if f"--{provider}--" in hit.rule else hit)


@pytest.mark.parametrize("provider", CATALOGUE.providers)
def test_an_engine_that_does_not_know_a_provider_is_no_engine(provider: str) -> None:
    with pytest.raises(CouldNotDecide, match="control statement") as caught:
        match([statement("python", "boto3")], CATALOGUE, _drop_provider(provider))
    assert caught.value.code == "scan.engine_failed"


@pytest.mark.parametrize(
    "engine",
    [
        ScriptedEngine(CATALOGUE, spoil=lambda _: None),
        ScriptedEngine(CATALOGUE, spoil=lambda hit: replace(hit, line=hit.line + 1)),
        ScriptedEngine(CATALOGUE, also=(Match("slice--aws--python", "slice:python", 2, 1),)),
        ScriptedEngine(CATALOGUE, problems={"slice:python": "out of memory"}),
    ],
    ids=["silent", "shifted", "everything", "unread"],
)
def test_a_wrong_engine_is_no_engine(engine: ScriptedEngine) -> None:
    with pytest.raises(CouldNotDecide, match=r"semgrep: ") as caught:
        match([statement("python", "boto3")], CATALOGUE, engine)
    assert caught.value.code == "scan.engine_failed"


def test_an_error_of_the_engine_is_passed_on() -> None:
    error = CouldNotDecide("scan.engine_missing", "x", expected="y", remedy="z")
    with pytest.raises(CouldNotDecide) as caught:
        match([statement("python", "boto3")], CATALOGUE, ScriptedEngine(CATALOGUE, error=error))
    assert caught.value is error


def test_whole_files_are_asked_about_in_the_same_run() -> None:
    hit = Match("dynamic--aws--python", "now:svc.py", 4, 1, "boto3")
    engine = ScriptedEngine(CATALOGUE, also=(hit,), problems={"now:b.py": "cannot parse"})
    files = [WholeFile("now:svc.py", "python", "x"), WholeFile("now:b.py", "python", "y")]
    answer = match([statement("python", "boto3")], CATALOGUE, engine, files)
    assert len(engine.asked) == 1
    assert [(s.key, s.kind, s.provider, s.line, s.name) for s in answer.seen] == [
        ("now:svc.py", "dynamic", "aws", 4, "boto3")
    ]
    assert answer.unread == {"now:b.py": "cannot parse"}
