"""`aegis report` over folders: one page, one document, and an exit code that says whether something is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.main import main
from aegis.report import json_report
from tests.support.verdicts.past_verdicts import NOW, ago, of_backups, past, put, weeks

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day of the verdicts."""
    import datetime as module

    class Clock(module.datetime):
        @classmethod
        def now(cls, tz: module.tzinfo | None = None) -> module.datetime:  # type: ignore[override]
            return NOW.astimezone(tz)

    monkeypatch.setattr("aegis.cli.report.command.datetime.datetime", Clock)


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return found


def test_folders_become_one_page_and_one_document(tmp_path: Path, capsys: Capture) -> None:
    put(tmp_path / "a", *weeks()[:10])
    put(tmp_path / "b", *weeks()[10:])
    assert main(["report", str(tmp_path / "a"), str(tmp_path / "b"), "--output", str(tmp_path / "out")]) == 0
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["index.html", "report.json"]
    assert (told(tmp_path / "out")["read"], told(tmp_path / "out")["complete"]) == (23, True)
    said = capsys.readouterr().out
    assert "scan: pass 1 h ago (octo/widgets)" in said
    assert "verify: pass 10 d ago, stale (octo/widgets)" in said
    assert "backup of users: restore proven never, which is too long (octo/widgets)" in said
    assert "waiver of scan.runtime: ends 2026-12-02 (octo/widgets)" in said
    assert said.endswith(f"23 verdicts: {tmp_path}/out/index.html\n")


def test_what_could_not_be_read_fails_the_command_and_is_on_the_page(tmp_path: Path, capsys: Capture) -> None:
    put(tmp_path / "in", past(ago(days=1)))
    (tmp_path / "in" / "verdict.json").write_text("{")
    assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 3
    assert "report.incomplete: 1 could not be read" in capsys.readouterr().err
    assert told(tmp_path / "out")["complete"] is False
    assert f"{tmp_path}/in/verdict.json" in (tmp_path / "out" / "index.html").read_text()


def test_so_does_evidence_that_is_not_understood(tmp_path: Path, capsys: Capture) -> None:
    put(tmp_path / "in", of_backups(ago(days=1), {"name": "orders"}))
    assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 3
    assert "report.incomplete" in capsys.readouterr().err


def test_nothing_at_all_is_no_page(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in").mkdir()
    assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 3
    assert "report.nothing_found" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_that_is_new_enough_is_none_either(tmp_path: Path, capsys: Capture) -> None:
    put(tmp_path / "in", past(ago(days=9)))
    assert main(["report", str(tmp_path / "in"), "--since", "2026-11-20", "--output", str(tmp_path / "out")]) == 3
    assert "(1 are older)" in capsys.readouterr().err


def test_since_leaves_older_ones_out_and_says_so(tmp_path: Path) -> None:
    put(tmp_path / "in", *weeks())
    assert main(["report", str(tmp_path / "in"), "--since", "7d", "--output", str(tmp_path / "out")]) == 0
    found = told(tmp_path / "out")
    assert (found["read"] + found["older"], found["since"]) == (23, "2026-11-19T12:00:00+00:00")
    assert "older than asked for" in (tmp_path / "out" / "index.html").read_text()


def test_a_gate_is_stale_by_the_day_that_was_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "in", past(ago(days=2)))
    for days, stale in (("1d", True), ("3d", False)):
        main(["report", str(tmp_path / "in"), "--stale-after", days, "--output", str(tmp_path / days)])
        assert told(tmp_path / days)["gates"][0]["stale"] is stale


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["gone"],
        [".", "--since", "yesterday"],
        [".", "--since", "2026-02-30"],
        [".", "--since", "0d"],
        [".", "--stale-after", "soon"],
        [".", "--stale-after", "99999d"],
    ],
    ids=" ".join,
)
def test_what_is_no_question_is_told(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    assert "core.wrong_usage" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class TestOutput:
    def test_the_next_one_takes_its_place(self, tmp_path: Path) -> None:
        put(tmp_path / "in", past(ago(days=1)))
        assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 0
        put(tmp_path / "more", past(ago(days=2), run=8))
        assert main(["report", str(tmp_path / "in"), str(tmp_path / "more"), "--output", str(tmp_path / "out")]) == 0
        assert told(tmp_path / "out")["read"] == 2

    def test_a_link_in_its_place_is_not_followed(self, tmp_path: Path, capsys: Capture) -> None:
        put(tmp_path / "in", past(ago(days=1)))
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "index.html").symlink_to(tmp_path / "elsewhere")
        assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 3
        assert "core.output_unwritable" in capsys.readouterr().err
        assert not (tmp_path / "elsewhere").exists()

    def test_a_file_in_the_place_of_the_folder_is_told(self, tmp_path: Path, capsys: Capture) -> None:
        put(tmp_path / "in", past(ago(days=1)))
        (tmp_path / "out").write_text("")
        assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 3
        assert "core.output_unwritable" in capsys.readouterr().err

    def test_a_page_of_before_is_not_read_as_a_verdict(self, tmp_path: Path) -> None:
        put(tmp_path, past(ago(days=1)))
        assert main(["report", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
        assert main(["report", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
        assert told(tmp_path / "out")["read"] == 1


def test_the_terminal_gets_no_command_from_a_verdict(tmp_path: Path, capsys: Capture) -> None:
    odd = of_backups(ago(days=1), {"name": "::error::x\x1b[31m", "outcome": "PASS", "rpo_limit": 1, "proof_limit": 1})
    put(tmp_path / "in", odd)
    main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert not any(line.startswith("::") for line in said.splitlines())


def test_as_a_program_of_its_own_with_what_every_gate_has(tmp_path: Path) -> None:
    """It needs no extra for folders: neither PyGithub nor anything that talks to a cloud."""
    put(tmp_path / "in", past(ago(days=1)))
    hidden = (
        "import sys; sys.modules.update(dict.fromkeys(['github', 'requests', 'boto3', 'botocore', 'cryptography']))\n"
    )
    program = f"{hidden}from aegis.cli.main import main; sys.exit(main(sys.argv[1:]))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program, "report", str(tmp_path / "in"), "--output", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "index.html").read_bytes().startswith(b"<!doctype html>")


def test_the_verdicts_of_every_gate_s_tests_are_read(tmp_path: Path) -> None:
    """Whatever a gate writes, this reads: one of each kind that a report must tell apart."""
    from tests.support.verdicts.verdicts import every_kind

    for number, each in enumerate(every_kind()):
        (tmp_path / "in" / str(number)).mkdir(parents=True)
        (tmp_path / "in" / str(number) / "verdict.json").write_bytes(json_report.render(each))
    assert main(["report", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 0
