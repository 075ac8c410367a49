from __future__ import annotations

from pathlib import Path

from aegis.core.codes import CODES
from aegis.report import reasons

PAGE = Path(__file__).parents[3] / "docs" / "reasons.md"


def test_the_committed_page_is_the_registry() -> None:
    assert PAGE.read_text(encoding="utf-8") == reasons.render(), "run: make docs"


def test_every_code_has_a_section_with_its_remedy() -> None:
    page = reasons.render()
    for code in CODES.values():
        section = page.partition(f"\n### {code.id}\n")[2].partition("\n###")[0]
        assert code.title in section
        assert code.remedy in section
