"""A store in trouble, on the way there and back: no half of a backup is left, and no trouble is a verdict."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from aegis.adapters.objects.s3_writing import WritableS3
from aegis.backup.drill import DrillResult
from aegis.cli.backup.drill import drill
from aegis.cli.backup.stores import Place, Places
from aegis.cli.backup.taking import Taken, Wishes, back_up
from aegis.core.errors import AegisError
from aegis.core.policy import BackedUp, BackupCheckPolicy
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.support.backup.shop import shop
from tests.support.databases.postgres import Server, binaries, running
from tests.support.network.s3 import CREDENTIALS
from tests.support.network.stores import Time


@dataclass(frozen=True)
class Way:
    """A database and the store that its backups go to."""

    server: Server
    database: str
    service: S3

    def store(self) -> WritableS3:
        return WritableS3(
            "models", self.service.region, lambda: CREDENTIALS, endpoint=self.service.address, clock=Time().clock()
        )

    def take(self, *, stream: bool = False) -> Taken:
        wishes = Wishes(url=self.server.url(self.database), stream=stream, jobs=2)
        environ = {"PATH": f"{self.server.bin}:{os.environ['PATH']}", "HOME": "/nonexistent"}
        policy = BackupCheckPolicy(store="s3://models/b/")
        store = self.store()
        places = Places(Place(store, "b/"), Place(store, "b/_records/"))
        return back_up(policy, BackedUp(name="shop"), places, wishes, environ)

    def drill(self, folder: str) -> DrillResult:
        return drill(self.store(), folder, tier="data", jobs=2, engine=binaries())

    def there(self) -> list[str]:
        return [key for key, found in self.service.buckets["models"].items() if found[0].data is not None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def database(server: Server) -> str:
    return shop(server)


@pytest.fixture
def way(server: Server, database: str) -> Iterator[Way]:
    with double.serve(S3()) as service:
        yield Way(server, database, service)


FAULTS: dict[str, dict[str, Any]] = {
    "403": {"status": 403, "code": "AccessDenied"},
    "500": {"status": 500},
    "503": {"status": 503, "code": "SlowDown"},
    "dropped": {"drop": True},
}


@pytest.mark.parametrize("stream", [False, True], ids=["directory", "stream"])
@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_stored_leaves_nothing(way: Way, fault: str, after: int, stream: bool) -> None:
    way.service.faults = [Fault("PutObject", times=FOREVER, after=min(after, 1 if stream else 2), **FAULTS[fault])]
    with pytest.raises(AegisError) as caught:
        way.take(stream=stream)
    assert caught.value.exit_code == 3
    assert not any(key.endswith("manifest.json") for key in way.there())
    assert way.there() == []
    assert not way.service.uploads


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "403"])
def test_once_is_got_over_on_the_way_there(way: Way, fault: str) -> None:
    way.service.faults = [Fault("PutObject", times=1, after=1, **FAULTS[fault])]
    taken = way.take()
    assert way.drill(taken.folder).outcome == "PASS"


@pytest.mark.parametrize(
    ("fault", "operation"),
    [
        (fault, operation)
        for fault in FAULTS
        for operation in ("GetObject", "HeadObject", "ListObjectVersions")
        if (fault, operation) != ("403", "ListObjectVersions")  # the next test's
    ],
)
def test_what_cannot_be_read_says_nothing_of_the_backup(way: Way, fault: str, operation: str) -> None:
    taken = way.take()
    way.service.faults = [Fault(operation, times=FOREVER, **FAULTS[fault])]
    found = way.drill(taken.folder)
    assert (found.outcome, found.equality) == ("COULD NOT VERIFY", "not run"), found.problem
    way.service.faults = []
    assert way.drill(taken.folder).outcome == "PASS"


def test_a_role_that_may_not_list_versions_reads_what_is_there(way: Way) -> None:
    taken = way.take()
    way.service.faults = [Fault("ListObjectVersions", times=FOREVER, **FAULTS["403"])]
    assert way.drill(taken.folder).outcome == "PASS"


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"edit": lambda body: body[:-1] + bytes([body[-1] ^ 1])}, "FAIL"),
        ({"cut": 100}, "COULD NOT VERIFY"),
        ({"edit": lambda body: body[:100]}, "COULD NOT VERIFY"),
    ],
    ids=["flipped", "cut", "short"],
)
def test_what_changes_on_the_way_back(way: Way, change: dict[str, Any], outcome: str) -> None:
    taken = way.take(stream=True)
    way.service.faults = [Fault("GetObject", key=f"{taken.folder}dump", times=FOREVER, **change)]
    found = way.drill(taken.folder)
    assert found.outcome == outcome, found.problem
    assert found.equality == "not run"


def test_what_somebody_has_deleted(way: Way) -> None:
    taken = way.take(stream=True)
    store = way.store()
    info = store.head(f"{taken.folder}dump")
    assert info is not None
    store.delete(info)
    found = way.drill(taken.folder)
    assert (found.outcome, found.reason) == ("FAIL", "backup_check.object_damaged")
