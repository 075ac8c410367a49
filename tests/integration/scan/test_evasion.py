"""Every way to hide a use ends in a finding, or in "not analysed": none passes silently."""

from __future__ import annotations

import pytest

from tests.integration.scan.evasions import attributes, commands, encodings, forms, links, places, policies
from tests.integration.scan.evasions.case import UNREAD, Case
from tests.support.gitrepo import GitRepo
from tests.support.scanning import Scan, scan

CASES = {
    case.id: case for theme in (attributes, places, links, encodings, forms, commands, policies) for case in theme.CASES
}


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
    others = {rule for rule, _, _ in result.findings} - {UNREAD}
    assert result.code == (1 if others else 3)
