"""What the pages name is there: links, anchors, tests, codes, references, commands."""

from __future__ import annotations

import re

import pytest

import aegis
from aegis.core.codes import CODES
from aegis.core.verdict import EXIT_ERROR, EXIT_FAIL, EXIT_PASS, EXIT_USAGE
from aegis.gates.scan.model import CLASSES
from tests.support.pages import pages

TARGETS = frozenset(re.findall(r"^([a-z0-9-]+):", (pages.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", pages.pages())
def test_every_link_and_anchor_leads_somewhere(page: str) -> None:
    for link in pages.links(page):
        path, _, anchor = link.partition("#")
        target = ((pages.ROOT / page).parent / path).resolve() if path else pages.ROOT / page
        assert target.exists(), f"{page}: {link}"
        assert target.is_relative_to(pages.ROOT), f"{page}: {link}"
        if anchor:
            assert anchor in pages.anchors(target.relative_to(pages.ROOT).as_posix()), f"{page}: {link}"


def test_the_pages_are_read() -> None:
    assert {"README.md", "docs/scan.md", "docs/threat-model.md", "CONTRIBUTING.md"} <= set(pages.pages())
    assert len(pages.links("README.md")) >= 8
    assert len([block for block in pages.blocks() if block.page == "docs/scan.md"]) >= 20
    assert len(pages.typed()) >= 30


class TestWhatIsNamed:
    @pytest.mark.parametrize("page", pages.pages())
    def test_each_make_target_named_in_a_sentence_is_there(self, page: str) -> None:
        assert set(re.findall(r"`make ([a-z0-9-]+)`", pages.prose(page))) <= TARGETS

    def test_the_targets_of_the_makefile_are_explained(self) -> None:
        explained = set(re.findall(r"`make ([a-z0-9-]+)`", pages.prose("CONTRIBUTING.md")))
        assert TARGETS - explained == {"help"}

    @pytest.mark.parametrize("page", pages.pages())
    def test_each_module_script_and_folder_of_ours_that_is_named_is_there(self, page: str) -> None:
        named = re.findall(r"`((?:src|scripts|tests|locks|docs|benchmarks|examples)/[\w./-]+?)/?`", pages.prose(page))
        assert [path for path in named if not (pages.ROOT / path).exists()] == []

    def test_the_one_test_that_contributing_runs_is_there(self) -> None:
        path, word = re.findall(r"pytest (tests/\S+\.py) -k (\w+)", pages.text("CONTRIBUTING.md"))[0]
        assert word in (pages.ROOT / path).read_text(encoding="utf-8")


class TestTheOrderOfThePages:
    @pytest.mark.parametrize("page", ["docs/scan.md", "docs/verify.md", "docs/canary.md", "docs/backup.md"])
    def test_the_pages_of_the_gates_have_one(self, page: str) -> None:
        titles = re.findall(r"^## (.+)$", pages.prose(page), re.MULTILINE)
        first = ["Start", "The policy", "What is judged", "What comes of it", "On a pull request", "Credentials"]
        assert titles[: len(first)] == first
        assert titles[-1] == "Limits"

    def test_the_index_leads_to_every_page(self) -> None:
        told = {f"docs/{link.partition('#')[0]}" for link in pages.links("docs/README.md")}
        alone = {page for page in pages.pages() if re.fullmatch(r"docs/[\w-]+\.md", page)} - {"docs/README.md"}
        assert alone - told == set()

    def test_the_index_of_decisions_is_whole(self) -> None:
        told = [f"docs/adr/{link}" for link in pages.links("docs/adr/README.md")]
        assert told == sorted(page for page in pages.pages() if re.fullmatch(r"docs/adr/\d{4}-[\w-]+\.md", page))

    def test_the_readme_is_one_screen(self) -> None:
        assert len(pages.text("README.md").splitlines()) <= 62
        assert "![" in pages.text("README.md")


class TestTheScanPage:
    def test_every_class_has_a_section_in_the_order_of_the_types(self) -> None:
        chapter = pages.text("docs/scan.md").partition("\n## Classes of use\n")[2].partition("\n## ")[0]
        assert tuple(re.findall(r"^### (.+)$", chapter, re.MULTILINE)) == CLASSES

    @pytest.mark.parametrize("name", CLASSES)
    def test_each_section_says_why_and_what_to_do_with_a_bad_and_a_good_example(self, name: str) -> None:
        section = re.split(r"\n##+ ", pages.text("docs/scan.md").partition(f"\n### {name}\n")[2])[0]
        assert "**Why**: " in section
        assert "**Remedy**: " in section
        kinds = [
            b.text.split()[1].rstrip(":") for b in pages.blocks() if b.page == "docs/scan.md" and b.section == name
        ]
        assert kinds == ["bad", "good"]

    def test_every_other_finding_of_the_gate_is_named(self) -> None:
        rules = {f"scan.{name.replace('-', '_')}" for name in CLASSES}
        page = pages.text("docs/scan.md")
        findings = {code for code in CODES if code.startswith("scan.")} - rules
        told = {"not_analysed", "engine_mismatch", "baseline_stale"} | {
            code.removeprefix("scan.") for code in findings if code.startswith("scan.suppression_")
        }
        assert [name for name in sorted(told) if f"scan.{name}" not in page] == []

    def test_the_exit_codes_are_the_program_s(self) -> None:
        assert (EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_ERROR) == (0, 1, 2, 3)
        for page in ("docs/scan.md", "README.md"):
            assert re.search(r"0 pass, 1 [\w ]+, 2 wrong [\w ]+ policy file, 3 could not decide", pages.text(page))


class TestReferences:
    def test_every_code_has_its_section(self) -> None:
        sections = re.findall(r"^### (.+)$", pages.text("docs/reasons.md"), re.MULTILINE)
        assert sections == list(CODES)

    @pytest.mark.parametrize("page", pages.pages())
    def test_every_code_that_is_named_exists(self, page: str) -> None:
        # what a recorded example says may be cut anywhere
        said = re.sub(r"<code>.*?</code>", "", pages.prose(page))
        named = set(re.findall(r"(?<![\w.-])(?:core|scan)\.[a-z]+_?[a-z_]+(?![\w(./-])", said))
        keys = {"scan.baseline", "scan.suppressions", "scan.allow", "scan.md", "scan.txt", "scan.py"}
        keys |= {"core.md", "scan.yml", "scan.tests", "scan.providers", "scan.strict", "scan.allowed"}
        assert named - keys - set(CODES) == set()

    def test_the_tests_that_the_threat_model_names_are_there(self) -> None:
        page = pages.text("docs/threat-model.md")
        invariants = re.findall(r"^\d+\. \*\*.*?(?=^\d+\. |^## )", page, re.MULTILINE | re.DOTALL)
        assert len(invariants) >= 8
        for invariant in invariants:
            named = re.findall(r"`(tests/[\w./-]+)`", invariant)
            assert named, f"no test attacks: {invariant[:60]}"
            assert [path for path in named if not (pages.ROOT / path).exists()] == []

    def test_every_reference_to_the_actions_is_to_one_that_exists_in_this_major_version(self) -> None:
        major = f"v{aegis.__version__.partition('.')[0]}"
        places = [*pages.pages(), *(f"examples/consumer/.github/workflows/{n}.yml" for n in ("aegis", "sdk-scan"))]
        found = [
            (place, *pair)
            for place in places
            for pair in re.findall(r"org/aegis(/[\w/-]+)?@([\w<>]+)", pages.text(place))
        ]
        assert len(found) >= 8
        for place, action, ref in found:
            assert ref in {major, "<sha>"}, place
            assert (pages.ROOT / action.removeprefix("/") / "action.yml").is_file(), place
