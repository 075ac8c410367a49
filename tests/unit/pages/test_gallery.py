"""Each reason has one real example in the gallery, which looks as people see it and names no machine."""

from __future__ import annotations

import json
import re

import pytest

from aegis.core.codes import CODES
from aegis.core.verdict import exit_code
from scripts.pages import gallery
from scripts.record_gallery import anywhere, best

EXAMPLES = gallery.recorded()
GREEN = frozenset({"core.passed", "core.not_applicable", "canary.not_worse", "backup_check.proven"})
"""Reasons of a pass, or of what is no failure; every other example is red."""


def test_every_reason_has_an_example_and_every_example_a_reason() -> None:
    assert set(EXAMPLES) == set(CODES)


@pytest.mark.parametrize("code", [code.id for code in CODES.values() if code.gate in gallery.GATES])
def test_what_a_gate_says_is_red(code: str) -> None:
    verdict = gallery.verdict_of(CODES[code], EXAMPLES[code])
    assert (verdict is None) is (code in gallery.TOOLS or "printed" in EXAMPLES[code])
    if verdict is not None and code not in GREEN | TOLD_BESIDE_A_PASS:
        assert exit_code(verdict) != 0
        assert code in {verdict.reason, *(finding.rule for finding in verdict.findings)}


TOLD_BESIDE_A_PASS: frozenset[str] = frozenset()


def test_no_example_names_the_machine_that_recorded_it() -> None:
    machine = r"/tmp/[\w./-]*|/root\b[\w./-]*|/home/(?!runner)[\w./-]+|pytest-\d+|/\.venv|127\.0\.0\.1:(?!8080)\d+"
    assert re.findall(machine, json.dumps(EXAMPLES)) == []


def test_each_is_on_its_page_below_its_code() -> None:
    pages = {path.stem: text for path, text in gallery.pages()}
    for code in (CODES[name] for name in EXAMPLES):
        section = pages[code.gate].partition(f"\n## {code.id}\n")[2].partition("\n## ")[0]
        assert f"recorded from `{EXAMPLES[code.id]['test']}`" in section, code.id
        assert "\n> " in section or "\n```text\n" in section, code.id


def test_a_code_without_an_example_says_so() -> None:
    page = gallery._page("scan", [CODES["scan.runtime"]], {})
    assert "## scan.runtime\n\nNo example is recorded.\n" in page


class TestNormalising:
    def test_paths_ports_times_and_digests_are_the_same_everywhere(self) -> None:
        one = {
            "at": "2026-11-23T10:11:12.123456Z",
            "path": ["/tmp/pytest-of-me/pytest-7/test_that0/shop/aegis.yml", "/tmp/tmpabc1/x"],
            "port": "http://127.0.0.1:43210/v1",
            "digest": "0123456789abcdef" * 4,
        }
        found = anywhere(one)
        assert found["at"] == "2026-01-02T03:04:05Z"
        assert found["path"] == ["/work/shop/aegis.yml", "/work/scratch/x"]
        assert found["port"] == "http://127.0.0.1:8080/v1"
        assert len(found["digest"]) == 64
        assert found["digest"] != one["digest"]

    def test_two_digests_stay_two(self) -> None:
        found = anywhere(["0123456789abcdef" * 4, "123456789abcdef0" * 4, "0123456789abcdef" * 4])
        assert found[0] == found[2] != found[1]

    def test_a_digest_that_a_test_made_up_is_left(self) -> None:
        assert anywhere("a" * 64) == "a" * 64

    def test_a_number_stays(self) -> None:
        assert anywhere({"line": 7, "none": None}) == {"line": 7, "none": None}

    def test_of_several_examples_the_one_of_the_least_rank_is_kept(self) -> None:
        examples = [
            {"code": "scan.cli", "rank": [True, 0], "test": "a", "error": {"problem": "second"}},
            {"code": "scan.cli", "rank": [False, 9], "test": "b", "error": {"problem": "first"}},
        ]
        assert best(examples)["scan.cli"]["test"] == "b"
        assert best(reversed(examples)) == best(examples)
