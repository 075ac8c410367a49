"""Every way to hide a use ends in a finding, or in "not analysed": none passes silently."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from aegis.adapters.git import repository as git
from aegis.cli import gate_run
from aegis.core import policy_in_force
from aegis.gates.scan import candidates, gate, read, survey, whole
from tests.integration.scan.evasions import attributes, commands, encodings, forms, links, places, policies
from tests.integration.scan.evasions.case import Case
from tests.integration.scan.evasions.limits import LIMITS, Limit
from tests.support.scan.gitrepo import GitRepo
from tests.support.scan.scanning import Scan, scan

THEMES = (attributes, places, links, encodings, forms, commands, policies)
CASES = {case.id: case for theme in THEMES for case in theme.CASES}


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(CASES) == sum(len(theme.CASES) for theme in THEMES), "an id stands twice"
    assert len(CASES) >= 60


def run(case: Case, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """Build the case's repository and scan it."""
    arguments = ["--strict", *case.arguments]
    if case.before is not None:
        base = repo.commit({"README.md": "a service\n", **case.before})
        arguments += ["--base", base]
    repo.commit(case.files)
    if case.prepare:
        case.prepare(repo, monkeypatch)
    return scan(repo.root, *arguments)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_hidden_use_is_found(case: Case, repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(case, repo, monkeypatch)
    assert (case.rule, case.path, case.line) in result.findings, result.verdict["findings"] or result.verdict
    causes = {finding["cause"] for finding in result.verdict["findings"]}
    assert result.code == (1 if "your-change" in causes else 3)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.id)
def test_a_limit_is_still_one(limit: Limit, repo: GitRepo) -> None:
    repo.commit(limit.files)
    assert scan(repo.root, "--strict").findings == [], f"no limit any more: make it a case ({limit.reason})"


Disable = Callable[[pytest.MonkeyPatch], None]


def _pattern(name: str, index: int) -> Disable:
    """One of the patterns for lines that do not show what they say never matches."""

    def disable(monkeypatch: pytest.MonkeyPatch) -> None:
        patterns = list(getattr(candidates, name))
        patterns[index] = "(?!)"
        monkeypatch.setattr(candidates, name, tuple(patterns))

    return disable


def _git(remove: str | None = None, add: tuple[str, ...] = ()) -> Disable:
    """git is asked without an option, or with one more."""

    def disable(monkeypatch: pytest.MonkeyPatch) -> None:
        start = git._started

        def changed(command: list[str], *rest: Any) -> Any:
            where = next(i for i, word in enumerate(command) if word in ("grep", "diff", "ls-files", "cat-file"))
            words = [word for word in command[where + 1 :] if word != remove]
            extra = add if command[where] == "grep" else ()
            return start([*command[: where + 1], *extra, *words], *rest)

        monkeypatch.setattr(git, "_started", lambda command, *rest: _or_as_it_is(changed, start, command, rest))

    return disable


def _or_as_it_is(changed: Any, start: Any, command: list[str], rest: tuple[Any, ...]) -> Any:
    touched = {"grep", "diff", "ls-files", "cat-file"} & set(command)
    return changed(command, *rest) if touched else start(command, *rest)


def _nothing(target: object, name: str, result: object) -> Disable:
    """A function that says "nothing to tell"."""
    return lambda monkeypatch: monkeypatch.setattr(target, name, lambda *_: result)


def _one_line_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long line counts only as far as it was kept."""
    every = candidates.candidates
    monkeypatch.setattr(
        survey, "candidates", lambda lines, catalogue: every([line for line in lines if not line.truncated], catalogue)
    )


def _triage(pattern: bytes) -> Disable:
    harmless = re.compile(pattern)
    return lambda monkeypatch: monkeypatch.setattr(candidates, "python_triage", lambda _: harmless.match)


def _head_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The change's own policy judges it."""
    chosen = policy_in_force.policy_in_force
    monkeypatch.setattr(gate_run, "policy_in_force", lambda repository, _, *rest: chosen(repository, None, *rest))


TEETH: list[tuple[str, str, Disable]] = [
    ("text-files-only", "gitattributes-binary", _git(remove="-a", add=("-I",))),
    ("text-files-only", "nul-byte", _git(remove="-a", add=("-I",))),
    ("folded-letters", "full-width-letter", _pattern("_FOLDED", 0)),
    ("escapes", "python-escape-by-name", _pattern("_FOLDED", 1)),
    ("joined-strings", "in-a-split-name", _pattern("_FOLDED", 2)),
    ("unmarked-utf-16", "utf-16-without-mark", _pattern("_FOLDED", 3)),
    ("declared-encodings", "cookie-utf-7", _pattern("_OPAQUE", 0)),
    ("lfs", "lfs-pointer", _pattern("_OPAQUE", 2)),
    ("long-lines", "one-minified-line", _one_line_a_file),
    ("comments-as-noise", "comment-that-ends-a-string", _triage(rb"\s*#")),
    ("comments-as-noise", "bare-cr-ends-a-comment", _triage(rb"\s*#")),
    ("submodules", "submodule", _nothing(survey.Surveyor, "_unreachable", ())),
    ("sparse", "sparse-checkout", _nothing(survey.Surveyor, "_unreachable", ())),
    ("links-out", "link-out-of-the-checkout", _nothing(survey.Surveyor, "_link_problem", None)),
    ("pipes", "pipe-in-place-of-a-file", _nothing(survey.Surveyor, "_is_something_else", False)),
    ("links-of-another-kind", "link-to-another-kind", _nothing(survey.Surveyor, "_of_another_kind", {})),
    ("whole-files", "by-a-constant", _nothing(whole.WholeReader, "_imports_by_name", False)),
    ("base-policy", "class-allowed-and-a-use", _head_policy),
    ("loosening", "tests-widened-is-told", _nothing(gate, "_loosenings", ([], []))),
    ("declared-encoding-decoded", "cookie-punycode", _nothing(read, "decode", "")),
]


@pytest.mark.parametrize(("guard", "case", "disable"), TEETH, ids=[f"{guard}-{case}" for guard, case, _ in TEETH])
def test_without_its_guard_a_case_passes_silently(
    guard: str, case: str, disable: Disable, repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The corpus can fail: each of these guards, taken away, lets its case through."""
    disable(monkeypatch)
    result = run(CASES[case], repo, monkeypatch)
    assert (result.code, result.findings) == (0, []), f"without {guard}"
