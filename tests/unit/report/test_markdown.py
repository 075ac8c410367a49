from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from aegis.core.verdict import Verdict
from aegis.report import markdown
from tests.support.verdicts.verdicts import HOSTILE, every_kind, failing, finding, undecided, verdict, waiver

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


@pytest.mark.parametrize("given", every_kind())
def test_the_first_line_tells_the_cause_and_the_last_the_command(given: Verdict) -> None:
    lines = markdown.render(given).splitlines()
    assert lines[0].startswith("## scan: ")
    assert any(word in lines[0] for word in ("Your change", "Someone else", "Could not decide", "Nothing", "no")), (
        lines[0]
    )
    assert lines[-1] == "Reproduce: <code>aegis scan . --base 2e2e2e2e</code>"


def test_observe_never_looks_like_a_pass() -> None:
    shown = markdown.render(verdict(observe=True))
    assert "PASS" not in shown
    assert "**Observed only.**" in shown


def test_bootstrap_names_codeowners() -> None:
    assert "CODEOWNERS" in markdown.render(verdict(bootstrap=True))
    assert "CODEOWNERS" not in markdown.render(verdict())


def test_findings_and_waivers_are_tables() -> None:
    tokens = MARKDOWN.parse(markdown.render(failing(finding(), finding(line=9), waivers=(waiver(),))))
    assert sum(token.type == "table_open" for token in tokens) == 2
    assert sum(token.type == "tr_open" for token in tokens) == 3 + 2


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_changes_the_page(value: str) -> None:
    def page(word: str) -> list[str]:
        given = failing(
            finding(path=word, message=word, remedy=word, rule=word), notices=(word,), reproduce=word, gate=word
        )
        tokens = MARKDOWN.parse(markdown.render(given))
        every = [child for token in tokens for child in (token, *(token.children or []))]
        return [f"{token.type} {token.content if token.type == 'html_inline' else ''}" for token in every]

    free = {"text ", "html_inline <br>", "html_inline <code>", "html_inline </code>"}
    assert [kind for kind in page(value) if kind not in free] == [kind for kind in page("word") if kind not in free]
    assert page(value).count("html_inline <code>") == page(value).count("html_inline </code>")


def test_a_page_that_is_too_long_is_cut_and_says_so() -> None:
    given = failing(*(finding(path=f"src/é{n:06}.py") for n in range(20_000)), waivers=(waiver(),) * 9_000)
    shown = markdown.render(given)
    assert 900_000 < len(shown.encode()) <= markdown.LIMIT
    assert " of 20000 rows are left out" in shown
    assert " of 9000 rows are left out" in shown
    assert shown.splitlines()[-1].startswith("Reproduce: ")


@pytest.mark.parametrize("character", ["x", "|", "\U000e0041", "\n"])
def test_long_values_are_cut(character: str) -> None:
    long = character * 100_000
    findings = (finding(message=long, rule=f"{n}{long}", remedy=long, path=long) for n in range(99))
    shown = markdown.render(failing(*findings, notices=(long,) * 90))
    assert len(shown.encode()) <= markdown.LIMIT
    assert "- and 70 more in `verdict.json`" in shown
    assert "- and 79 more in `verdict.json`" in shown


def test_could_not_decide_asks_for_a_rerun() -> None:
    assert "re-run" in markdown.render(undecided()).splitlines()[0]
