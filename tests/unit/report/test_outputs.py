from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide
from aegis.report import outputs
from tests.support.verdicts.verdicts import failing


def read(text: str) -> dict[str, str]:
    """As the runner reads GITHUB_OUTPUT (actions/runner, FileCommandManager.cs)."""
    lines = text.split("\n")
    values: dict[str, str] = {}
    while len(lines) > 1:
        name, delimiter = lines.pop(0).split("<<")
        end = lines.index(delimiter)
        values[name] = "\n".join(lines[:end])
        del lines[: end + 1]
    return values


@given(st.dictionaries(st.from_regex("[a-z][a-z-]{0,9}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_values_come_back_and_set_nothing_else(values: dict[str, str]) -> None:
    assert read(outputs.render(values)) == values


def test_each_output_has_a_delimiter_of_its_own() -> None:
    text = outputs.render({"a": "", "b": ""})
    first, second = (line.split("<<")[1] for line in text.split("\n") if "<<" in line)
    assert first != second
    assert len(first) >= 32


def test_a_value_that_holds_the_delimiter_is_refused() -> None:
    with pytest.raises(CouldNotDecide, match="output 'a'"):
        outputs.render({"a": "x\naegis_known\ny"}, token=lambda: "known")


@pytest.mark.parametrize("name", ["", "A", "a b", "a<<b", "a\nb", "a=b"])
def test_a_name_that_could_be_read_otherwise_is_refused(name: str) -> None:
    with pytest.raises(CouldNotDecide, match="cannot be written"):
        outputs.render({name: ""})


def test_a_verdict_gives_the_documented_outputs() -> None:
    files = {"verdict.json": Path("out/verdict.json"), "summary.md": Path("out/summary.md")}
    assert outputs.of_verdict(failing(), files) == {
        "result": "fail",
        "decision": "fail",
        "reason": "core.findings",
        "findings": "1",
        "verdict": "out/verdict.json",
        "sarif": "",
        "summary": "out/summary.md",
    }


def test_appending_keeps_what_stands_there(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_text("a=b\n", encoding="utf-8")
    outputs.append(file, "c=é\n")
    assert file.read_text(encoding="utf-8") == "a=b\nc=é\n"


def test_a_file_that_the_runner_did_not_make_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide, match="cannot write"):
        outputs.append(tmp_path / "missing", "x")
    assert not (tmp_path / "missing").exists()
