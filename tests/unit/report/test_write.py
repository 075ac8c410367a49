from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aegis.core.errors import CouldNotDecide
from aegis.report import write
from tests.support.verdicts.verdicts import failing, finding, verdict


def test_all_forms_are_written(tmp_path: Path) -> None:
    files = write.write_all(failing(), tmp_path / "out" / "scan")
    assert {path.name for path in (tmp_path / "out" / "scan").iterdir()} == set(write.NAMES) == set(files)
    assert json.loads(files["verdict.json"].read_bytes())["result"] == "fail"


def test_scan_always_has_sarif_and_others_where_findings_have_places(tmp_path: Path) -> None:
    assert "verdict.sarif" in write.write_all(verdict(), tmp_path / "a")
    assert "verdict.sarif" not in write.write_all(verdict(gate="verify"), tmp_path / "b")
    assert "verdict.sarif" not in write.write_all(failing(finding(path=None), gate="verify"), tmp_path / "c")
    assert "verdict.sarif" in write.write_all(failing(gate="verify"), tmp_path / "d")


def test_what_an_earlier_run_left_is_replaced_or_taken_away(tmp_path: Path) -> None:
    write.write_all(failing(), tmp_path)
    write.write_all(verdict(gate="verify"), tmp_path)
    assert not (tmp_path / "verdict.sarif").exists()
    assert json.loads((tmp_path / "verdict.json").read_bytes())["gate"] == "verify"


def test_a_linked_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CouldNotDecide, match="symbolic link"):
        write.write_all(verdict(), tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", write.NAMES)
def test_a_linked_report_is_refused(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("keep", encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(secret)
    with pytest.raises(CouldNotDecide, match="symbolic link"):
        write.write_all(verdict(), tmp_path / "out")
    assert secret.read_text(encoding="utf-8") == "keep"


def test_a_folder_of_the_checkout_must_not_lead_out_of_it(tmp_path: Path) -> None:
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    checkout.mkdir()
    home.mkdir()
    (checkout / "reports").symlink_to(home)
    with pytest.raises(CouldNotDecide, match="leads out of"):
        write.write_all(verdict(), checkout / "reports" / "scan", root=checkout)
    assert list(home.iterdir()) == []
    assert write.write_all(verdict(), home / "scan", root=checkout)


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(CouldNotDecide, match="cannot write"):
        write.write_all(verdict(), tmp_path / "out")


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CouldNotDecide, match="No space left"):
        write.write_all(verdict(), tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib is what was patched
