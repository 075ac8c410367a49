"""The backup-check action as a workflow calls it, with a real PostgreSQL, and a cloud that judges every request."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles import github
from tests.doubles.cloud import ARN, BUCKET, REGION, Cloud, cloud
from tests.doubles.github_issues import TOKEN
from tests.e2e.actions.conftest import told
from tests.e2e.actions.watched import KEEP, WARM, Watched, installed_lock
from tests.support.actions import events
from tests.support.actions.act import Act, Run
from tests.support.backup import shop_backups
from tests.support.backup.shop_backups import DATABASE, ROW, Keys
from tests.support.databases.postgres import Server, running

BACKUP_CHECK, ROOT_ACTION = "org/aegis/actions/backup-check@v1", "org/aegis@v1"
PREFIX = "backups/"
INPUTS = {"aws-role-to-assume": ARN, "aws-region": REGION, "upload": "never"}
URL, IDENTITY = "AEGIS_DATABASE_URL", "AEGIS_AGE_IDENTITY"


@dataclass(frozen=True)
class Shelf:
    """A database, and what its backups are made of; all of it was made before the tests."""

    server: Server
    database: str
    keys: Keys
    taken: Mapping[str, bytes]
    """The objects of one backup."""
    proven: Mapping[str, bytes]
    """The same, and the record of a restore."""

    @property
    def url(self) -> str:
        """The database's address, with its password."""
        return self.server.url(self.database)


@dataclass
class Shop(Watched):
    """A consumer whose database is backed up into a cloud."""

    shelf: Shelf = field(kw_only=True)
    hub: github.GitHub = field(kw_only=True)
    short: Path = field(kw_only=True)
    """For temporary files: the path of an engine's socket has at most 107 bytes, and pytest's folders are deep."""
    section: dict[str, Any] = field(default_factory=dict)
    """Of the policy, but for the places of the cloud."""
    given: dict[str, str] = field(default_factory=dict)
    """The secrets of the job: they are in its environment, and nowhere else."""

    def policy(self, **changes: Any) -> str:
        """The policy file."""
        store = {"store": f"s3://{BUCKET}/{PREFIX}", "aws": self.cloud.places}
        section = {**store, "databases": [DATABASE], "recipients": list(self.shelf.keys.recipients), **self.section}
        return yaml.safe_dump({"version": 1, "backup-check": {**section, **changes}})

    def adopt(self, files: Mapping[str, str | bytes] | None = None) -> None:
        """The first commit, with the policy."""
        self.env |= {name: f"${{{{ secrets.{name} }}}}" for name in self.given}
        super().adopt({"aegis.yml": self.policy(), **(files or {})})

    def stock(self, files: Mapping[str, bytes]) -> None:
        """Put what a backup is made of into the store."""
        self.cloud.put(files, PREFIX)

    def stored(self) -> dict[str, bytes]:
        """What the store has below the prefix, deleted objects left out."""
        bucket = self.cloud.s3.buckets[BUCKET]
        newest = {key.removeprefix(PREFIX): versions[0].data for key, versions in bucket.items() if versions}
        return {key: data for key, data in newest.items() if data is not None}

    def records(self) -> list[dict[str, Any]]:
        """What restores have shown, oldest first."""
        return [json.loads(data) for key, data in sorted(self.stored().items()) if key.startswith("_records/")]

    def evidence(self) -> dict[str, Any]:
        """What the verdict says of the shop's database."""
        (databases,) = self.verdict()["evidence"]
        (found,) = databases["value"]
        assert found["name"] == "shop"
        return dict(found)

    def surrounded(self) -> Act:
        """With the job's secrets, and the API of GitHub that is this machine's."""
        act = super().surrounded()
        secrets = self.folder / "secrets"
        secrets.write_text("".join(f"{name}={value}\n" for name, value in self.given.items()), "utf-8")
        options = (*act.options, "--secret-file", str(secrets), "--secret", f"GITHUB_TOKEN={TOKEN}")
        return replace(act, env={**act.env, "GITHUB_API_URL": self.hub.api}, options=options)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Also what opens the database and its backups, and what is in it."""
        return (*super().secrets, *self.shelf.keys.identities, self.shelf.url, self.shelf.server.password, ROW)

    @property
    def temporary(self) -> Path:
        """Where programs put temporary files."""
        return self.short

    def engines(self) -> list[str]:
        """Every process of a PostgreSQL that belongs to this runner's jobs."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if str(self.temporary) in command:
                found.append(command)
        return found


def assert_failed(shop: Shop, run: Run, *rules: str) -> None:
    """Red for exactly these reasons, which stand in annotations and summary."""
    assert not run.green
    assert told(run) == "fail core.findings", run.log[-4000:]
    assert sorted(shop.rules()) == sorted(rules)
    assert shop.verdict()["decision"] == "FAIL"
    for rule in rules:
        assert any(note.title.startswith(f"{rule}:") for note in run.errors()), run.annotations


def assert_passed(shop: Shop, run: Run) -> None:
    """Green, and the verdict says why."""
    assert run.green, run.log[-6000:]
    assert told(run) == "pass core.passed"
    assert shop.verdict()["decision"] == "PASS"


def assert_not_verified(shop: Shop, run: Run, reason: str, *says: str) -> None:
    """Red for want of an answer, with exit code 3."""
    assert not run.green
    assert told(run) == f"error {reason}", run.log[-4000:]
    for text in says:
        assert any(text in note.message for note in run.errors()), run.annotations


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A running database with a backup that was proven."""
    folder, keys = tmp_path_factory.mktemp("shelf"), Keys.made()
    with running() as server:
        database = server.new_database()
        shop_backups.fill(server.url(database))
        environ = {URL: server.url(database), IDENTITY: keys.identities[1]}
        store = shop_backups.written(folder / "work", environ, recipients=keys.recipients, prove=True)
        proven = shop_backups.objects(store)
        taken = {key: data for key, data in proven.items() if not key.startswith("_records/")}
        assert len(proven) == len(taken) + 1
        yield Shelf(server, database, keys, taken, proven)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, shelf: Shelf) -> Path:
    """A folder with the environment of the action's lock and PostgreSQL's programs, as a gate before left them."""
    folder = tmp_path_factory.mktemp("installed")
    programs = shelf.server.bin.parent
    version = subprocess.run([programs / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)
    kept = f"postgresql-{version.stdout.split()[-1]}-{platform.machine()}"
    (folder / kept).symlink_to(programs)
    return installed_lock("backup-check", tmp_path_factory.mktemp("cache"), folder)


@pytest.fixture
def served() -> Iterator[tuple[Cloud, github.GitHub]]:
    """A cloud that trusts the job, with an empty bucket, and GitHub's API."""
    with ExitStack() as stack:
        hub = stack.enter_context(github.serve(github.GitHub(repositories=frozenset({"octo/shop"}))))
        yield stack.enter_context(cloud()), hub


@pytest.fixture
def shop(
    tmp_path: Path,
    exported: Path,
    uv_folder: Path,
    installed: Path,
    served: tuple[Cloud, github.GitHub],
    shelf: Shelf,
) -> Iterator[Shop]:
    """A consumer of the backup-check action whose bucket is empty."""
    work = tmp_path / "runner"
    work.mkdir()
    act = Act(exported, work, (uv_folder,), {"INSTALLED": str(installed)})
    with tempfile.TemporaryDirectory(prefix="aegis-") as short:
        stage = Shop(
            folder=tmp_path,
            act=act,
            uses=BACKUP_CHECK,
            inputs=dict(INPUTS),
            before=WARM,
            after=KEEP,
            cloud=served[0],
            hub=served[1],
            shelf=shelf,
            short=Path(short),
        )
        yield stage
        # what was killed wipes a moment later
        assert eventually(lambda: not stage.engines() and not list(stage.temporary.iterdir())), [
            *Path(short).rglob("*")
        ]
    # pytest keeps the folders of three runs, and a runner's are large
    for folder in (work, stage.kept):
        shutil.rmtree(folder, ignore_errors=True)


def nightly(cron: str = "41 3 * * 1-6") -> events.Event:
    """The run of a schedule."""
    return events.Event("schedule", {"repository": events.REPOSITORY, "schedule": cron})


def eventually(true: Callable[[], bool], seconds: float = 300) -> bool:
    """Whether it becomes true; the time is for machines that are busy."""
    last = time.monotonic() + seconds
    while not (answer := true()) and time.monotonic() < last:
        time.sleep(0.05)
    return answer
