"""What checkov says of the rendered chart and of k8s/: what is accepted for a reason, and nothing else."""

from __future__ import annotations

import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from tests.support.infra.chart_values import AWS, BACKUP, EVERYTHING, OPERATORS, filled, laid
from tests.support.programs import checkov
from tests.support.programs.helm import template

ROOT = Path(__file__).resolve().parents[3]
ACCEPTED = yaml.safe_load(Path(__file__).with_name("accepted.yml").read_text("utf-8"))
RENDERED = {
    "least": AWS, "aws": filled("aws"), "oci": filled("oci"), "everything": laid(AWS, BACKUP, OPERATORS, EVERYTHING),
}  # fmt: skip
pytestmark = pytest.mark.xdist_group("checkov")
FAULTS = (
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "CKV_K8S_22"),
    ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "CKV_K8S_20"),
    ("runAsUser: 65532", "runAsUser: 0", "CKV_K8S_40"),
    ("type: RuntimeDefault", "type: Unconfined", "CKV_K8S_31"),
    ("@sha256:" + "1" * 64, ":latest", "CKV_K8S_14"),
)


def _rendered(name: str) -> str:
    done = template(RENDERED[name])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("manifests")
    for name in RENDERED:
        (folder / f"{name}.yaml").write_text(_rendered(name), "utf-8")
    shutil.copytree(ROOT / "k8s", folder / "k8s")
    return checkov.failed_in_manifests(folder)


def _accepts(entry: dict[str, str], finding: tuple[str, str]) -> bool:
    return entry["check"] == finding[0] and fnmatchcase(finding[1], entry["resource"])


def test_checkov_finds_what_is_accepted_and_nothing_else(found: set[tuple[str, str]]) -> None:
    assert [one for one in sorted(found) if not any(_accepts(entry, one) for entry in ACCEPTED)] == []


def test_each_entry_is_needed(found: set[tuple[str, str]]) -> None:
    for entry in ACCEPTED:
        assert set(entry) == {"check", "resource", "reason"}
        assert len(entry["reason"]) > 40
        rest = [one for one in ACCEPTED if one is not entry]
        own = [one for one in found if _accepts(entry, one) and not any(_accepts(other, one) for other in rest)]
        assert own, entry


def test_checkov_sees_planted_faults(found: set[tuple[str, str]], tmp_path: Path) -> None:
    text = _rendered("everything")
    for written, wrong, _ in FAULTS:
        assert written in text
        text = text.replace(written, wrong)
    (tmp_path / "everything.yaml").write_text(text, "utf-8")
    new = {check for check, _ in checkov.failed_in_manifests(tmp_path) - found}
    assert {check for *_, check in FAULTS} <= new
