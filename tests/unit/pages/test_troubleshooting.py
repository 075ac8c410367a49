"""Every reason has a hint by hand beside the registry's cause and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis.core.codes import CODES
from scripts.pages import troubleshooting


def test_every_reason_has_a_hint_and_every_hint_a_reason() -> None:
    assert set(troubleshooting.hints()) == set(CODES)


def test_a_hint_says_more_than_the_registry() -> None:
    for code, hint in troubleshooting.hints().items():
        assert hint not in {CODES[code].why, CODES[code].remedy, CODES[code].title}, code


def test_every_reason_has_its_section_with_symptom_cause_and_remedy() -> None:
    page = troubleshooting.render()
    assert re.findall(r"(?m)^### (.+)$", page) == list(CODES)
    for code in CODES.values():
        section = page.partition(f"\n### {code.id}\n")[2].partition("\n### ")[0]
        assert [line[:8] for line in section.splitlines() if line.startswith("- **")] == [
            "- **Symp",
            "- **Caus",
            "- **Reme",
        ]
        assert code.why in section
        assert code.remedy in section


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scan.yml", "scan.cli: no sentence\n"),
        ("scan.yml", "scan.cli: [a, list]\n"),
        ("verify.yml", "scan.cli: In another code's file.\n"),
    ],
    ids=["no-sentence", "no-text", "another-file"],
)
def test_a_hint_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.setattr(troubleshooting, "HINTS", tmp_path)
    with pytest.raises(ValueError, match=r"scan\.cli"):
        troubleshooting.hints()
