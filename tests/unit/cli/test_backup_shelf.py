"""`aegis backup list`, `check` and `prune` on a folder of backups, as a person or a CronJob runs them."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aegis.backup.manifest import Manifest
from aegis.cli.backup import into
from aegis.cli.interruption import Stopped
from aegis.cli.main import main
from tests.doubles import pushgateway
from tests.doubles.shelf import ShelfStore
from tests.support.backup.shelves import FAILED, back_up, hours, restore

POLICY = """
version: 1
backup-check:
  store: ./store/
  databases:
    - name: shop
      max-age: 26h
    - name: billing
  keep: {last: 2, daily: 0, weekly: 0, monthly: 0}
"""


@dataclass
class Site:
    """A policy and its store in a folder."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    now: datetime

    def made(self, age: float, *sizes: int, name: str = "shop", proven: bool = False, **more: Any) -> Manifest:
        """A backup of so many hours ago, and its restore half an hour later."""
        store = ShelfStore()
        made = back_up(store, self.now - hours(age), *sizes, name=name, complete=more.pop("complete", True))
        if proven or more:
            restore(store, made, self.now - hours(age - 0.5), name=name, **more)
        for key in store.names():
            file = self.folder / "store" / key.removeprefix("prod/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(store.versions[key][-1][1])
        return made

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["backup", *arguments])
        out, err = self.capsys.readouterr()
        assert "core.crashed" not in err, err
        return code, out, err

    def json(self, *arguments: str) -> Any:
        _, out, err = self.run(*arguments, "--format=json")
        assert err == ""
        return json.loads(out)

    def folders(self, name: str = "shop") -> list[str]:
        return sorted(each.parent.name for each in (self.folder / "store" / name).glob("*/manifest.json"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    (tmp_path / "store").mkdir()
    (tmp_path / "aegis.yml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "AEGIS_POLICY", "AEGIS_DATA", "AEGIS_AUDIT"):
        monkeypatch.delenv(name, raising=False)
    return Site(tmp_path, capsys, datetime.now(UTC).replace(microsecond=0))


def healthy(site: Site) -> tuple[Manifest, Manifest]:
    return site.made(3, proven=True), site.made(2, name="billing", proven=True)


class TestList:
    def test_newest_first_with_what_is_known_of_each(self, site: Site) -> None:
        proven, failed = site.made(30, proven=True), site.made(20, **FAILED)
        unproven, unfinished = site.made(10, 5, 7), site.made(1, complete=False)
        found = site.json("list", "--database=shop")
        assert found["database"] == "shop"
        assert [(each["id"], each["held"], each["complete"]) for each in found["backups"]] == [
            (unfinished.id, "unproven", False),
            (unproven.id, "unproven", True),
            (failed.id, "failed", True),
            (proven.id, "verified", True),
        ]
        assert found["backups"][1]["size"] == 12
        code, out, _ = site.run("list", "--database=shop")
        assert code == 0
        assert [line.split()[-1] for line in out.splitlines()] == ["incomplete", "unproven", "failed", "verified"]

    def test_only_the_verified_ones(self, site: Site) -> None:
        proven = site.made(30, proven=True)
        site.made(20, **FAILED)
        site.made(15, tier="data")
        site.made(10)
        assert [each["id"] for each in site.json("list", "--database=shop", "--verified")["backups"]] == [proven.id]

    def test_none(self, site: Site) -> None:
        assert site.run("list", "--database=shop") == (0, "", "no backup of shop\n")
        assert site.run("list", "--database=shop", "--verified") == (0, "", "no verified backup of shop\n")

    def test_a_store_that_is_not_there_is_no_empty_one(self, site: Site) -> None:
        (site.folder / "store").rmdir()
        code, out, err = site.run("list", "--database=shop")
        assert (code, out) == (3, "")
        assert "verify.store_missing" in err


class TestCheck:
    def test_a_healthy_shelf_passes(self, site: Site) -> None:
        proven, _ = healthy(site)
        code, out, err = site.run("check")
        assert (code, err) == (0, "")
        assert re.fullmatch(
            f"PASS shop: the newest backup is {proven.id}, 3 h [0-9]+ min old, of 100 bytes; {proven.id} was proven"
            " [23] h [0-9]+ min ago, tier PROOF",
            out.splitlines()[0],
        )
        assert [each["outcome"] for each in site.json("check")] == ["PASS", "PASS"]

    def test_one_that_fails_is_told_beside_those_that_pass(self, site: Site) -> None:
        healthy(site)
        made = site.made(1, **FAILED)
        code, out, _ = site.run("check")
        assert code == 1
        assert out.splitlines()[0].startswith("FAIL shop: ")
        assert "backup_check.proof_failed" in out
        assert "PASS billing" in out
        (shop, _) = site.json("check")
        assert shop["newest"] == made.id
        assert [problem["code"] for problem in shop["problems"]] == ["backup_check.proof_failed"]
        assert shop["proven"] != made.id

    def test_absence_is_an_alarm(self, site: Site) -> None:
        code, out, _ = site.run("check", "--database=shop")
        assert code == 1
        assert "backup_check.no_backup" in out

    def test_a_store_that_does_not_answer_is_no_verdict(self, site: Site) -> None:
        (site.folder / "store").rmdir()
        code, out, _ = site.run("check")
        assert code == 3
        assert "COULD NOT VERIFY shop" in out
        assert "verify.store_missing" in out

    def test_a_database_whose_folder_is_no_place_to_look_fails_and_the_others_are_told(self, site: Site) -> None:
        healthy(site)
        file = site.folder / "aegis.prom"
        (site.folder / "store/shop/link").symlink_to(site.folder)
        code, out, _ = site.run("check", f"--metrics={file}")
        assert code == 1
        assert "FAIL shop: nothing could be seen" in out
        assert "verify.symlink" in out
        assert "PASS billing" in out
        assert 'aegis_backup_check_outcome{database="shop"} 1' in file.read_text()
        (shop, billing) = site.json("check")
        assert [problem["code"] for problem in shop["problems"]] == ["verify.symlink"]
        assert billing["outcome"] == "PASS"

    def test_a_store_without_credentials_is_no_verdict_on_any(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = site.folder / "aegis.prom"
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        for name in ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GITHUB_EVENT_PATH"):
            monkeypatch.delenv(name, raising=False)
        (site.folder / "aegis.yml").write_text(
            POLICY.replace("./store/", "s3://bucket/prod/")
            + "  aws: {region: eu-central-1, role: 'arn:aws:iam::123456789012:role/r'}\n"
        )
        code, out, _ = site.run("check", f"--metrics={file}")
        assert code == 3
        assert out.count("COULD NOT VERIFY") == 2
        assert 'aegis_backup_check_outcome{database="billing"} 3' in file.read_text()

    def test_an_age_may_only_be_shortened(self, site: Site) -> None:
        healthy(site)
        assert site.run("check", "--max-age=2h")[0] == 1
        assert site.run("check", "--max-age=4h")[0] == 0
        for wrong in ("27h", "2d", "soon", "0h", "-1h", "1"):
            code, _, err = site.run("check", f"--max-age={wrong}")
            assert code == 2
            assert "--max-age" in err

    def test_a_signature_that_the_policy_asks_for(self, site: Site) -> None:
        healthy(site)
        identity = "https://github.com/o/r/.github/workflows/b.yml@refs/heads/main"
        issuer = "https://token.actions.githubusercontent.com"
        signers = f"  signers:\n    - {{identity: '{identity}', issuer: '{issuer}'}}\n"
        (site.folder / "aegis.yml").write_text(POLICY + signers)
        code, out, _ = site.run("check")
        assert code == 1
        assert "verify.unsigned" in out


class TestMetrics:
    def families(self, file: Path) -> dict[tuple[str, str], float]:
        return {
            (sample.name.removeprefix("aegis_backup_"), sample.labels["database"]): sample.value
            for family in text_string_to_metric_families(file.read_text())
            for sample in family.samples
        }

    def test_the_file_is_replaced_as_a_whole_and_others_may_read_it(self, site: Site) -> None:
        healthy(site)
        file = site.folder / "aegis.prom"
        file.write_text("old")
        before = file.stat().st_ino
        assert site.run("check", f"--metrics={file}")[0] == 0
        assert file.stat().st_ino != before
        assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444
        assert [each.name for each in site.folder.iterdir() if "prom" in each.name] == ["aegis.prom"]
        found = self.families(file)
        assert found["last_proven_timestamp_seconds", "shop"] == (site.now - hours(2.5)).timestamp()
        assert found["last_snapshot_timestamp_seconds", "billing"] == (site.now - hours(2)).timestamp()
        assert found["check_outcome", "shop"] == 0

    def test_they_are_written_when_it_fails_too(self, site: Site) -> None:
        file = site.folder / "aegis.prom"
        assert site.run("check", f"--metrics={file}")[0] == 1
        assert self.families(file)["check_outcome", "shop"] == 1
        (site.folder / "store").rmdir()
        assert site.run("check", f"--metrics={file}")[0] == 3
        assert self.families(file)["check_outcome", "shop"] == 3

    def test_a_place_that_cannot_be_written_is_no_pass(self, site: Site) -> None:
        healthy(site)
        code, _, err = site.run("check", f"--metrics={site.folder / 'missing' / 'aegis.prom'}")
        assert code == 3
        assert "core.output_unwritable" in err

    def test_a_pushgateway_gets_each_database_in_its_group(self, site: Site) -> None:
        healthy(site)
        with pushgateway.serve() as gateway:
            assert site.run("check", f"--pushgateway={gateway.address}")[0] == 0
            assert sorted(gateway.groups) == ["billing", "shop"]
            assert gateway.groups["shop"]["aegis_backup_check_outcome"] == 0
            gateway.statuses = [400]
            code, out, err = site.run("check", f"--pushgateway={gateway.address}")
        assert code == 3
        assert out.startswith("PASS shop")
        assert "backup_check.push_failed" in err

    def test_an_address_with_a_password_is_refused_before_anything_is_asked(self, site: Site) -> None:
        code, out, err = site.run("check", "--pushgateway=http://user:hunter2@gateway")
        assert (code, out) == (2, "")
        assert "hunter2" not in err


class TestPrune:
    def shelf(self, site: Site) -> list[str]:
        """Four verified, an unproven one between them, and what never got a manifest."""
        ages = (24, 48, 72, 96)
        made = [site.made(age, proven=True) for age in ages]
        made.insert(2, site.made(60))
        made.append(site.made(120, complete=False))
        return [each.id for each in made]

    def test_without_yes_it_only_says_what_would_go(self, site: Site) -> None:
        made = self.shelf(site)
        before = sorted(site.folder.rglob("*"))
        code, out, err = site.run("prune", "--database=shop")
        assert (code, err) == (0, "")
        assert [line.split()[0] for line in out.splitlines()[:2]] == ["keep", "keep"]
        assert out.splitlines()[-1] == "4 would go, 400 bytes; --yes removes them."
        assert sorted(site.folder.rglob("*")) == before
        assert [each["keep"] for each in site.json("prune", "--database=shop")] == [True, True, *[False] * 4]
        assert made[0] in out

    def test_with_yes_they_are_gone_and_their_records_stay(self, site: Site) -> None:
        made = self.shelf(site)
        records = sorted((site.folder / "store/_records").rglob("*.json"))
        code, out, err = site.run("prune", "--database=shop", "--yes")
        assert (code, err) == (0, "")
        assert out.count("removed") == 4
        assert site.folders() == sorted(made[:2])
        assert not list((site.folder / "store/shop").glob(f"{made[2]}/**/*.*"))
        assert sorted((site.folder / "store/_records").rglob("*.json")) == records
        assert site.run("prune", "--database=shop", "--yes")[0] == 0
        assert site.folders() == sorted(made[:2])

    def test_other_databases_are_left_alone(self, site: Site) -> None:
        self.shelf(site)
        other = site.made(900, name="billing")
        site.run("prune", "--database=shop", "--yes")
        assert site.folders("billing") == [other.id]

    def test_which_database_must_be_said_where_there_are_two(self, site: Site) -> None:
        code, _, err = site.run("prune", "--yes")
        assert code == 2
        assert "--database" in err

    def test_where_nothing_is_verified_nothing_goes(self, site: Site) -> None:
        made = [site.made(24 * day).id for day in range(30)]
        site.made(900, complete=False)
        code, out, _ = site.run("prune", "--database=shop", "--yes")
        assert code == 0
        assert "removed" not in out
        assert site.folders() == sorted(made)

    def test_by_a_clock_that_is_behind_nothing_goes(self, site: Site) -> None:
        made = self.shelf(site)
        site.made(-2)
        code, _, err = site.run("prune", "--database=shop", "--yes")
        assert code == 3
        assert "backup_check.clocks_differ" in err
        assert set(made[:5]) <= set(site.folders())

    def test_what_may_not_be_removed_is_told_and_the_rest_goes(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from aegis.adapters.objects.local_writing import WritableFolder
        from aegis.storage.write_faults import write_denied

        made = self.shelf(site)
        delete = WritableFolder.delete

        def locked(store: WritableFolder, info: Any) -> None:
            if made[3] in info.key:
                raise write_denied(info.key, "403 AccessDenied")
            delete(store, info)

        monkeypatch.setattr(WritableFolder, "delete", locked)
        code, out, err = site.run("prune", "--database=shop", "--yes")
        assert code == 3
        assert "backup_check.prune_refused" in err
        assert f"not removed  {made[3]}" in out
        assert site.folders() == sorted([*made[:2], made[3]])

    def test_it_is_recorded_where_a_log_is_configured_and_not_done_where_it_cannot_be(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = self.shelf(site)
        (site.folder / "no-folder").write_text("a file")
        monkeypatch.setenv("AEGIS_DATA", str(site.folder / "no-folder"))
        code, _, err = site.run("prune", "--database=shop", "--yes")
        assert code == 3, err
        assert len(site.folders()) == 5
        monkeypatch.setenv("AEGIS_DATA", str(site.folder / "data"))
        assert site.run("prune", "--database=shop", "--yes")[0] == 0
        pruned = recorded(site, "backup.pruned")
        assert [each[1] for each in pruned] == ["unknown", "success"] * 4
        assert [each[0] for each in pruned[:2]] == [made[5], made[5]]

    def test_what_a_run_that_is_ended_has_removed_is_recorded(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from aegis.adapters.objects.local_writing import WritableFolder

        made = self.shelf(site)
        monkeypatch.setenv("AEGIS_DATA", str(site.folder / "data"))
        delete = WritableFolder.delete

        def ended(store: WritableFolder, info: Any) -> None:
            delete(store, info)
            if made[4] in info.key:
                raise Stopped(15)

        monkeypatch.setattr(WritableFolder, "delete", ended)
        site.run("prune", "--database=shop", "--yes")
        assert made[4] not in site.folders()
        assert recorded(site, "backup.pruned")[-1] == (made[4], "unknown")


def test_a_restore_is_recorded_before_it_begins_and_where_it_is_ended(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = site.made(24, proven=True)
    monkeypatch.setenv("AEGIS_DATA", str(site.folder / "data"))
    monkeypatch.setenv("AEGIS_DATABASE_URL", "postgresql://user@db.example/shop")
    seen: list[tuple[str, str]] = []

    def ended(*_: object) -> None:
        seen.extend(recorded(site, "database.restored"))
        raise Stopped(15)

    monkeypatch.setattr(into, "restore_and_compare", ended)
    code, _, err = site.run("restore", made.id, "--database=shop")
    assert (code, "core.interrupted" in err) == (3, True)
    assert "PostgreSQL 'shop' at db.example:5432 may hold a part of the backup now" in err
    assert seen == [(made.id, "unknown")]
    assert recorded(site, "database.restored") == [(made.id, "unknown"), (made.id, "failure")]


def test_a_restore_goes_nowhere_that_was_not_named_for_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shell of the service, its own database's address stands in the environment."""
    made = site.made(24, proven=True)
    monkeypatch.delenv("AEGIS_DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@db.example/live")
    begun: list[object] = []

    def restores(*_: object) -> None:
        begun.append(1)
        raise Stopped(15)

    monkeypatch.setattr(into, "restore_and_compare", restores)
    code, out, err = site.run("restore", made.id, "--database=shop", "--force")
    assert (code, out, begun) == (2, "", [])
    assert "core.wrong_usage" in err
    assert "AEGIS_DATABASE_URL is not set; DATABASE_URL" in err
    assert "hunter2" not in err


def recorded(site: Site, action: str) -> list[tuple[str, str]]:
    """Of the backups that the log has entries about: the id and the outcome."""
    site.capsys.readouterr()
    assert main(["audit", "tail", "--lines=20", "--format=json"]) == 0
    events = [json.loads(line) for line in site.capsys.readouterr().out.splitlines()]
    return [(event["resource"]["version"], event["outcome"]) for event in events if event["action"] == action]
