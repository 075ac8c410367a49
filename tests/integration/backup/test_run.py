"""`aegis backup run`: whole in its store, or not there at all; whoever asks, and whatever is in the way."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aegis.adapters.age import decrypt_file, parse_identities
from aegis.adapters.objects.local_writing import WritableFolder
from aegis.adapters.postgres.archive import recognised
from aegis.adapters.postgres.catalog import Catalog
from aegis.adapters.postgres.session import Session, unavailable
from aegis.adapters.postgres.snapshot import Held
from aegis.backup.inventory import Inventory
from aegis.backup.layout import RECORDS
from aegis.backup.manifest import Manifest
from aegis.cli.backup.policy import database_of, read_policy
from aegis.cli.backup.stores import Place, Places
from aegis.cli.backup.taking import Taken, Wishes, back_up
from aegis.core.errors import CouldNotDecide
from tests.doubles import github_oidc
from tests.doubles.sigstore import server
from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore
from tests.support.backup.backing_up import PATIENCE, ROOT, Backups, backups, dumping, programs
from tests.support.databases.postgres import Server

IDENTITIES = tuple(pyrage.x25519.Identity.generate() for _ in range(2))
RECIPIENTS = tuple(str(each.to_public()) for each in IDENTITIES)
POLICY = "store: ./store/\ndatabases:\n  - name: orders\n"
FORMS = pytest.mark.parametrize("form", [pytest.param((), id="directory"), pytest.param(("--stream",), id="stream")])


@pytest.fixture
def shop(postgres: Server, tmp_path: Path) -> Iterator[Backups]:
    with backups(postgres, tmp_path) as found:
        yield found


def check_stored(folder: Path, manifest: Manifest) -> None:
    """What lies there is what the manifest lists, byte for byte, and nothing else."""
    found = {
        str(path.relative_to(folder)): (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("manifest.")
    }
    assert found == {each.name: (each.size, each.sha256) for each in manifest.objects}


class TestWhole:
    @FORMS
    def test_its_objects_are_what_the_manifest_lists(self, shop: Backups, form: tuple[str, ...]) -> None:
        folder, manifest = shop.taken(*form)
        check_stored(folder, manifest)
        assert recognised(folder / "dump").format == ("custom" if form else "directory")
        tables = {table.name: table.rows for table in manifest.tables}
        assert (tables, manifest.large_objects.count) == ({"items": 1000, "others": 10}, 1)
        assert manifest.schema_sha256 is not None
        assert manifest.snapshot.dump_began <= manifest.snapshot.dump_ended
        assert manifest.snapshot.time <= manifest.snapshot.dump_ended
        assert not list((shop.folder / "tmp").iterdir())

    @FORMS
    def test_rows_that_come_meanwhile_are_in_neither_the_dump_nor_the_sums(
        self, shop: Backups, form: tuple[str, ...]
    ) -> None:
        """Of several sessions at any moment: sums and dump are of one snapshot, or the sums of a restore differ."""
        over = threading.Event()

        def insert() -> None:
            with psycopg.connect(shop.url, autocommit=True) as connection:
                while not over.is_set():
                    connection.execute("INSERT INTO items (name) VALUES ('late')")

        writer = threading.Thread(target=insert)
        writer.start()
        try:
            folder, manifest = shop.taken(*form)
        finally:
            over.set()
            writer.join()
        (items,) = (table for table in manifest.tables if table.name == "items")
        listed = subprocess.run(
            [shop.server.bin / "pg_restore", "--data-only", "--table=items", "--file=-", folder / "dump"],
            capture_output=True,
            check=True,
        ).stdout
        lines = [line for line in listed.splitlines() if b"\t" in line]
        assert len(lines) == items.rows

    def test_sums_can_be_left_out_and_that_is_said(self, shop: Backups) -> None:
        done = shop.run("run", "--checksums=off")
        assert (done.code, "NO CHECKSUMS" in done.out) == (0, True)

    def test_two_backups_lie_side_by_side(self, shop: Backups) -> None:
        first, _ = shop.taken()
        with psycopg.connect(shop.url) as connection:
            connection.execute("INSERT INTO items (name) VALUES ('another')")
        second, _ = shop.taken("--stream")
        assert first < second

    def test_only_the_owner_may_look_into_a_folder_of_backups(self, shop: Backups) -> None:
        folder, manifest = shop.taken()
        for each in manifest.objects:
            assert stat.S_IMODE((folder / each.name).stat().st_mode) == 0o600


class TestEncryption:
    @FORMS
    def test_either_identity_opens_every_object(self, shop: Backups, tmp_path: Path, form: tuple[str, ...]) -> None:
        shop.policy(f"{POLICY}recipients: [{', '.join(RECIPIENTS)}]")
        folder, manifest = shop.taken(*form)
        check_stored(folder, manifest)
        assert manifest.encryption is not None
        assert manifest.encryption.recipients == tuple(sorted(RECIPIENTS))
        for each in manifest.objects:
            assert (folder / each.name).read_bytes().startswith(b"age-encryption.org/v1\n")
        for number, identity in enumerate(IDENTITIES):
            opened = tmp_path / str(number)
            for each in manifest.objects:
                target = opened / each.name.removesuffix(".age")
                target.parent.mkdir(parents=True, exist_ok=True)
                decrypt_file(folder / each.name, target, parse_identities(str(identity), what="x"), what=each.name)
            assert recognised(opened / "dump").format == ("custom" if form else "directory")

    def test_nothing_of_the_rows_is_readable(self, shop: Backups) -> None:
        with psycopg.connect(shop.url) as connection:
            connection.execute("CREATE TABLE secrets AS SELECT repeat('plain as day ', 10) AS text")
        shop.policy(f"{POLICY}recipients: [{', '.join(RECIPIENTS)}]")
        folder, manifest = shop.taken()
        for each in manifest.objects:
            assert b"PGDMP" not in (folder / each.name).read_bytes()
            assert b"CREATE ROLE" not in (folder / each.name).read_bytes()

    def test_a_recipient_that_is_none_is_refused_before_anything_is_dumped(self, shop: Backups) -> None:
        shop.policy(f"{POLICY}recipients: [{RECIPIENTS[0]}, {IDENTITIES[0]!s}]")
        done = shop.run("run")
        assert (done.code, "backup_check.policy_incomplete" in done.err) == (2, True)
        assert str(IDENTITIES[0]) not in done.out + done.err
        assert shop.left() == []


class TestSignature:
    def test_it_is_of_the_manifest_s_bytes(self, shop: Backups) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (shop.folder / "key.pem").write_bytes(pem)
        folder, _ = shop.taken("--key", "key.pem")
        bundle = json.loads((folder / "manifest.sigstore.json").read_bytes())
        signature = base64.b64decode(bundle["messageSignature"]["signature"])
        private.public_key().verify(signature, (folder / "manifest.json").read_bytes(), ec.ECDSA(hashes.SHA256()))

    def test_keyless_it_is_the_workflow_s_own(self, shop: Backups, tmp_path: Path) -> None:
        claims = github_oidc.claims(sub=IDENTITY, iss=ISSUER)
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        with github_oidc.serve(github_oidc.Issuer(claims)) as issuer, server.serve(PrivateSigstore(at=now)) as sigstore:
            (tmp_path / "trust.json").write_text(json.dumps(sigstore.trust_config()), "utf-8")
            folder, _ = shop.taken("--keyless", "--trust-config", "trust.json", **issuer.environ)
            (token,) = issuer.minted
        bundle = (folder / "manifest.sigstore.json").read_bytes()
        assert token.encode() not in bundle
        digest = hashlib.sha256((folder / "manifest.json").read_bytes()).digest()
        said = json.loads(bundle)["messageSignature"]["messageDigest"]["digest"]
        assert base64.b64decode(said) == digest

    def test_a_policy_that_asks_for_one_gets_no_backup_without(self, shop: Backups) -> None:
        shop.policy(f"{POLICY}signers:\n  - key: key.pub")
        done = shop.run("run")
        assert (done.code, "signed" in done.err) == (2, True)
        assert shop.left() == []

    def test_keyless_outside_of_a_workflow_is_refused_before_anything_is_dumped(self, shop: Backups) -> None:
        done = shop.run("run", "--keyless")
        assert (done.code, "verify.no_workflow" in done.err) == (3, True)
        assert shop.left() == []


class TestAddress:
    def test_the_one_of_aegis_comes_before_the_service_s(self, shop: Backups) -> None:
        assert shop.run("run", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none").code == 0

    def test_a_file_of_its_own_comes_before_both(self, shop: Backups) -> None:
        file = shop.folder / "url"
        file.write_text(f"{shop.url}\n", "utf-8")
        file.chmod(0o600)
        done = shop.run("run", "--database-url-file", file, AEGIS_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
        assert done.code == 0

    def test_none_is_wrong_usage(self, shop: Backups) -> None:
        done = shop.run("run", AEGIS_DATABASE_URL=None)
        assert (done.code, "AEGIS_DATABASE_URL" in done.err) == (2, True)

    def test_it_is_hidden_in_a_workflow_s_log(self, shop: Backups) -> None:
        assert f"::add-mask::{shop.url}" in shop.run("run", GITHUB_ACTIONS="true").err

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            pytest.param(lambda url: url.replace("://postgres:", "://stranger:"), 3, id="unknown role"),
            pytest.param(lambda url: url.rsplit("@")[0] + "@127.0.0.1:1/none", 3, id="nobody there"),
            pytest.param(lambda url: "mysql://root@localhost/x", 2, id="another kind"),
            pytest.param(lambda url: url.rpartition("/")[0] + "/nowhere", 3, id="no such database"),
        ],
    )
    def test_one_that_leads_nowhere(self, shop: Backups, change: Callable[[str], str], code: int) -> None:
        done = shop.run("run", AEGIS_DATABASE_URL=change(shop.url))
        assert done.code == code
        assert shop.server.password not in done.out + done.err
        assert shop.left() == []

    def test_the_password_is_in_no_argument_and_in_no_file(self, shop: Backups) -> None:
        with dumping(shop, "--stream") as process:
            seen = command_lines()
            (shop.folder / "go").touch()
            while process.poll() is None:
                seen |= command_lines()
        assert process.returncode == 0
        assert any("pg_dump" in line and "--format=custom" in line for line in seen)
        assert not any(shop.server.password in line for line in seen)
        for path in (*shop.store.rglob("*"), *(shop.folder / "home").rglob("*")):
            assert not path.is_file() or shop.server.password.encode() not in path.read_bytes()


def command_lines() -> set[str]:
    """Of all processes of this machine."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                found.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


class TestRefusals:
    def test_another_cluster_than_the_policy_names_is_not_dumped(self, shop: Backups) -> None:
        shop.policy(f"{POLICY}    system-identifier: '1'")
        done = shop.run("run")
        assert (done.code, "backup_check.cluster_other" in done.err) == (1, True)
        assert shop.left() == []

    def test_the_cluster_that_the_policy_names_is(self, shop: Backups) -> None:
        _, manifest = shop.taken()
        shop.policy(f"{POLICY}    system-identifier: '{manifest.database.system_identifier}'")
        shop.taken()

    def test_another_database_than_before_is_not_dumped_unless_the_policy_names_it(self, shop: Backups) -> None:
        shop.taken()
        before, other = shop.left(), shop.server.new_database()
        url = shop.server.url(other)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE scratch (id int)")
        done = shop.run("run", AEGIS_DATABASE_URL=url)
        assert (done.code, "backup_check.cluster_other" in done.err) == (1, True)
        assert shop.left() == before
        shop.policy(f"{POLICY}    database: {other}")
        assert shop.run("run").code == 1
        shop.taken(AEGIS_DATABASE_URL=url)

    @FORMS
    def test_rows_that_the_role_may_not_see_make_no_backup(self, shop: Backups, form: tuple[str, ...]) -> None:
        with psycopg.connect(shop.url) as connection:
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 'x' IN ROLE pg_read_all_data")
            connection.execute("ALTER TABLE items ENABLE ROW LEVEL SECURITY")
        try:
            done = shop.run(
                "run", *form, AEGIS_DATABASE_URL=shop.server.url(shop.database, user="reader", password="x")
            )
            assert (done.code, "backup_check.rows_hidden" in done.err) == (3, True)
            assert shop.left() == []
        finally:
            with psycopg.connect(shop.url) as connection:
                connection.execute("DROP ROLE reader")

    def test_a_store_that_is_not_mounted_gets_none(self, shop: Backups) -> None:
        shop.store.rmdir()
        done = shop.run("run")
        assert done.code == 3
        assert not shop.store.exists()

    def test_a_temporary_folder_that_is_not_there(self, shop: Backups) -> None:
        done = shop.run("run", "--temporary", "nowhere")
        assert (done.code, "verify.disk_failed" in done.err) == (3, True)
        assert shop.left() == []
        assert shop.run("run", "--temporary", "home").code == 0
        assert not list((shop.folder / "home").glob("aegis-backup-*"))

    def test_a_policy_without_the_section(self, shop: Backups) -> None:
        (shop.folder / "aegis.yml").write_text("version: 1\n", "utf-8")
        done = shop.run("run")
        assert (done.code, "core.policy_missing" in done.err) == (2, True)

    def test_a_policy_that_is_not_there(self, shop: Backups) -> None:
        assert shop.run("run", "--policy", "other.yml").code == 2

    def test_the_policy_that_the_environment_names(self, shop: Backups) -> None:
        (shop.folder / "aegis.yml").rename(shop.folder / "other.yml")
        assert shop.run("run", AEGIS_POLICY="other.yml").code == 0

    def test_a_database_that_the_policy_does_not_name(self, shop: Backups) -> None:
        assert shop.run("run", "--database", "customers").code == 2
        assert shop.run("run", "--database", "orders").code == 0


class TestEnds:
    """Whatever ends it while pg_dump is at work, there is no manifest, no object and no temporary file."""

    @FORMS
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal(self, shop: Backups, form: tuple[str, ...], number: signal.Signals) -> None:
        with dumping(shop, *form) as process:
            process.send_signal(number)
            _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, "core.interrupted" in err) == (3, True)
        assert "Traceback" not in err
        assert shop.left() == []
        assert not list((shop.folder / "tmp").iterdir())

    @FORMS
    def test_the_end_of_pg_dump(self, shop: Backups, form: tuple[str, ...]) -> None:
        with dumping(shop, *form) as process:
            os.kill(int((shop.folder / "pid").read_text()), signal.SIGKILL)
            _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, "backup_check.dump_failed" in err) == (3, True)
        assert shop.left() == []

    @FORMS
    def test_the_end_of_its_sessions(self, shop: Backups, form: tuple[str, ...]) -> None:
        """As a failover ends them."""
        with dumping(shop, *form) as process:
            with psycopg.connect(shop.server.url(), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [shop.database]
                )
            (shop.folder / "go").touch()
            _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, "Traceback" in err) == (3, False)
        assert shop.left() == []

    @FORMS
    def test_checksums_that_fail_end_the_dump(
        self, shop: Backups, form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(held: Held) -> Inventory:
            raise unavailable("no sums", expected="sums")

        monkeypatch.setattr(Held, "read", fail)
        with pytest.raises(CouldNotDecide, match="no sums"):
            taken_here(shop, stream=bool(form))
        assert shop.left() == []

    @FORMS
    def test_a_dump_that_fails_ends_the_checksums(
        self, shop: Backups, form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cancelled = threading.Event()

        def read(held: Held) -> Inventory:
            cancelled.wait(PATIENCE)
            raise unavailable("it was cancelled", expected="time")

        monkeypatch.setattr(Held, "read", read)
        monkeypatch.setattr(Held, "cancel", lambda held: cancelled.set())
        with pytest.raises(CouldNotDecide, match="pg_dump failed"):
            taken_here(shop, stream=bool(form), script="exit 1")
        assert cancelled.is_set()
        assert shop.left() == []


@FORMS
def test_a_second_backup_of_one_second_gets_a_name_of_its_own(
    shop: Backups, form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database in which nothing is written stands at the same place of its log."""
    folder, manifest = shop.taken()
    before = shop.left()
    moments = [(datetime.datetime.fromisoformat(manifest.snapshot.time), manifest.snapshot.lsn)]
    real = Held.__init__

    def held(self: Held, url: str, first: Session, catalog: Catalog, moment: tuple[str, Any, str], *rest: Any) -> None:
        time, lsn = moments.pop() if moments else moment[1:]
        real(self, url, first, catalog, (moment[0], time, lsn), *rest)

    monkeypatch.setattr(Held, "__init__", held)
    taken = taken_here(shop, stream=bool(form), script='real "$@"')
    assert (moments, taken.manifest.id != manifest.id) == ([], True)
    check_stored(shop.store / taken.folder, taken.manifest)
    check_stored(folder, manifest)
    assert [each for each in shop.left() if taken.manifest.id not in each] == before


def taken_here(shop: Backups, *, stream: bool, script: str = "sleep 60; exit 1") -> Taken:
    """A backup in this process, by a pg_dump of ours."""
    programs(shop, script)
    policed = read_policy(shop.folder / "aegis.yml", {})
    environ = {**shop.environ, "PATH": f"{shop.folder / 'bin'}:{os.environ['PATH']}"}
    store = WritableFolder(shop.store)
    places = Places(Place(store, ""), Place(store, RECORDS))
    wishes = Wishes(url=shop.url, stream=stream, temporary=shop.folder / "tmp")
    return back_up(policed.policy, database_of(policed, None), places, wishes, environ)


class TestAudit:
    def test_without_a_log_that_is_said(self, shop: Backups) -> None:
        assert "Nothing was recorded" in shop.run("run").err

    def test_the_backup_is_recorded_with_its_manifest(self, shop: Backups) -> None:
        data = str(shop.folder / "data")
        document = shop.run("run", "--format=json", AEGIS_DATA=data, AEGIS_AUDIT="disk").document
        (entry,) = entries(shop, data)
        assert (entry["action"], entry["outcome"]) == ("backup.created", "success")
        resource = entry["resource"]
        assert (resource["kind"], resource["name"], resource["version"]) == ("backup", "orders", document["backup"])
        assert resource["sha256"] == document["manifest_sha256"]

    def test_one_that_failed_is_recorded_with_the_reason(self, shop: Backups) -> None:
        data = str(shop.folder / "data")
        shop.policy(f"{POLICY}    system-identifier: '1'")
        assert shop.run("run", AEGIS_DATA=data, AEGIS_AUDIT="disk").code == 1
        (entry,) = entries(shop, data)
        assert (entry["outcome"], entry["reason"]) == ("refused", "backup_check.cluster_other")

    def test_so_is_one_that_was_stopped(self, shop: Backups) -> None:
        data = str(shop.folder / "data")
        with dumping(shop, AEGIS_DATA=data, AEGIS_AUDIT="disk") as process:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
        (entry,) = entries(shop, data)
        assert (entry["outcome"], entry["reason"]) == ("failure", "core.interrupted")

    def test_where_it_cannot_be_written_there_is_no_backup(self, shop: Backups) -> None:
        (shop.folder / "data").write_text("no folder", "utf-8")
        done = shop.run("run", AEGIS_DATA=str(shop.folder / "data"), AEGIS_AUDIT="disk")
        assert (done.code, "audit.unavailable" in done.err) == (3, True)
        assert shop.left() == []


def entries(shop: Backups, data: str) -> list[Any]:
    """What the log holds, but for its own start."""
    done = subprocess.run(
        [sys.executable, "-m", "aegis", "audit", "export"],
        env=shop.surroundings({"AEGIS_DATA": data, "AEGIS_AUDIT": "disk"}),
        capture_output=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [entry for entry in found if entry["action"].startswith("backup.")]


def test_the_script_of_the_runbook_is_the_command(shop: Backups) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "backup" / "backup_db.py", "--format=json"],
        cwd=shop.folder,
        env=shop.surroundings({}),
        capture_output=True,
        check=True,
    )
    assert (shop.store / "orders" / json.loads(done.stdout)["backup"] / "manifest.json").exists()
