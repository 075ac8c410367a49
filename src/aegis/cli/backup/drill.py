"""One restore of one backup into a PostgreSQL that lives for it, and what it has shown.

What the dump's SQL runs beside has no network and none of our environment; and our own memory, where secrets may be,
is closed to other processes of the same user. What was downloaded and restored goes when the engine does, whatever
ends it.
"""

from __future__ import annotations

import datetime
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from aegis.backup import fetching
from aegis.backup.compare import Difference, compare
from aegis.backup.drill import Answered, DrillOutcome, DrillResult, Equality, Phase
from aegis.backup.fetching import Decrypt, Found
from aegis.backup.manifest import DUMP, ENCRYPTED, OWN_SETTINGS, Manifest
from aegis.backup.own_settings import OwnSetting, parse_own_settings
from aegis.backup.sample import DAILY_DAYS, WEEKLY_WEEKS, Sample, restricted, sample_of, to_restore
from aegis.cli.progress import bytes_bar
from aegis.cli.surroundings import ROOT
from aegis.core.errors import AegisError, CouldNotDecide, Refused, UsageError, crashed
from aegis.core.policy import Smoke, Tier
from aegis.core.ports.objects import ObjectStore
from aegis.report.escape import terminal
from aegis.signatures.types import Trust
from aegis.startup.memory import close_memory

if TYPE_CHECKING:
    from aegis.adapters.age import Identities
    from aegis.adapters.postgres.engine import Engine

JOBS: Final = min(os.cpu_count() or 2, 8)
"""Sessions that restore and compare, beside a server of as many processes."""
_PROGRAMS: Final = ("postgres", "initdb", "pg_dump", "pg_restore")
_TOLD: Final = 5
"""Differences in one message."""
_NOT_ISOLATED: Final = "No namespaces can be made here: the dump's SQL ran with its user's files and network."


def drill(
    store: ObjectStore,
    folder: str,
    *,
    tier: Tier = "proof",
    smoke: Sequence[Smoke] = (),
    jobs: int = JOBS,
    engine: Path | None = None,
    identities: Identities | None = None,
    trust: Trust | None = None,
    today: datetime.date | None = None,
) -> DrillResult:
    """Restore the backup in `folder` (a key that ends in `/`) and compare it with what was dumped.

    `engine`: a folder with PostgreSQL's programs, of the backup's major; None: what is at hand. `trust`: who must have
    signed the manifest. `today` chooses the part that the tier `sample` proves.

    Whatever happens is in the answer: a backup that is not what it should be is FAIL, and what says nothing about the
    backup (a store, a machine, a defect) is COULD NOT VERIFY. Raises UsageError only.
    """
    running = Running(tier)

    def restored() -> None:
        with running.phase("find"):
            running.found = found = fetching.find(store, folder, trust)
            decrypt = decrypter(found.manifest, identities)
        day = today or datetime.datetime.now(datetime.UTC).date()
        _restored(running, store, found, decrypt, smoke, jobs, engine, day)

    return running.guarded(restored)


@dataclass(slots=True)
class Running:
    """A restore on its way: what is known of it so far."""

    tier: Tier
    found: Found | None = None
    equality: Equality = "not run"
    differences: tuple[Difference, ...] = ()
    smoke: tuple[Answered, ...] = ()
    seconds: dict[Phase, float] = field(default_factory=dict)
    isolated: bool = False
    engine: str = ""
    not_run: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Count the block's time to a phase."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    @contextmanager
    def engine_of(self, major: int, programs: Path | None) -> Iterator[Engine]:
        """A PostgreSQL of a major until the block ends; its start is counted. Raises CouldNotDecide."""
        from aegis.adapters.postgres.engine import running_engine

        with ExitStack() as stack:
            with self.phase("engine"):
                engine = stack.enter_context(running_engine(_programs(major, programs)))
            self.engine, self.isolated = f"{engine.major}.{engine.minor}", engine.sandbox.isolated
            if not self.isolated:
                self.notices.append(_NOT_ISOLATED)
            yield engine

    def guarded(self, restored: Callable[[], None]) -> DrillResult:
        """The answer that `restored` leads to: it raises where it is no pass. Raises UsageError only."""
        close_memory()  # before anything reads the dump
        try:
            restored()
        except UsageError:
            raise
        except AegisError as error:
            return self._result("FAIL" if isinstance(error, Refused) else "COULD NOT VERIFY", error)
        except Exception as error:  # an answer of a hostile server, a defect of ours: no pass in any case
            return self._result("COULD NOT VERIFY", crashed(error))
        return self._result("PASS", None)

    def _result(self, outcome: DrillOutcome, error: AegisError | None) -> DrillResult:
        """The answer; without an error, it is a pass."""
        found = self.found
        about = DrillResult(
            outcome=outcome,
            reason=error.code if error is not None else "backup_check.proven",
            problem=error.problem if error is not None else "",
            remedy=error.remedy if error is not None else "",
            tier=self.tier,
            equality=self.equality,
            differences=self.differences,
            smoke=self.smoke,
            seconds=dict(self.seconds),
            isolated=self.isolated,
            engine=self.engine,
            not_run=tuple(self.not_run),
            notices=tuple(self.notices),
        )
        if found is None:
            return about
        manifest = found.manifest
        return replace(
            about,
            backup=manifest.id,
            manifest_sha256=found.sha256,
            snapshot_time=manifest.snapshot.time,
            size=found.size,
        )


def _restored(
    running: Running,
    store: ObjectStore,
    found: Found,
    decrypt: Decrypt | None,
    smoke: Sequence[Smoke],
    jobs: int,
    programs: Path | None,
    today: datetime.date,
) -> None:
    """Raises where it is no pass."""
    from aegis.adapters.postgres.restore import prepare, refuse_uninvited

    manifest = found.manifest
    sample = sample_of(manifest, today) if running.tier == "sample" else None
    running.not_run += [*left_out(running.tier), *_left_out_of(sample, running.tier, manifest)]
    with running.engine_of(manifest.database.major, programs) as engine:
        with running.phase("engine"):
            prepare(engine, manifest)
        settings = _load(running, engine, store, found, decrypt, jobs, sample)
        refuse_uninvited(engine, manifest)
        _compare(running, engine, manifest, jobs, sample)
        _ask(running, engine, smoke, settings)
        if manifest.checksums == "off":
            raise unknown_content()


def _load(
    running: Running,
    engine: Engine,
    store: ObjectStore,
    found: Found,
    decrypt: Decrypt | None,
    jobs: int,
    sample: Sample | None,
) -> tuple[OwnSetting, ...]:
    """Into the engine's own folder, which goes with it; the settings that the database had of its own."""
    from aegis.adapters.postgres.archive import only_rows_of, recognised
    from aegis.adapters.postgres.restore import listing, restore

    target = Path(tempfile.mkdtemp(dir=engine.inbox))
    names = [each.name for each in found.manifest.objects]
    chosen = None
    first = {name for name in names if sample is None or not _holds_rows(name)}
    with bytes_bar("downloading") as told:
        fetch = partial(fetching.fetch, store, found, target, decrypt=decrypt, progress=told)
        with running.phase("download"):
            fetch(only=first)
        archive = recognised(target / DUMP)
        if sample is not None:
            tables = to_restore(found.manifest, sample)
            with running.phase("restore"):
                chosen = only_rows_of(listing(engine, archive), tables, large_objects=sample.large_objects)
            with running.phase("download"):
                fetch(only=_files_of((name for name in names if name not in first), chosen, sample))
    with running.phase("restore"), bytes_bar("restoring") as written:
        tier = "data" if running.tier == "sample" else running.tier
        restored = restore(engine, archive, tier=tier, jobs=jobs, chosen=chosen, progress=written)
    if restored.notices:
        running.notices.append(f"pg_restore gave {restored.notices} warnings")
    return fetched_settings(target)


def _holds_rows(name: str) -> bool:
    """Whether an object is a file of rows in a dumped folder."""
    return name.startswith(f"{DUMP}/") and name.removesuffix(ENCRYPTED) != f"{DUMP}/toc.dat"


def _files_of(names: Iterable[str], chosen: str, sample: Sample) -> set[str]:
    """The files of rows that these entries need: named after an entry's number, those of large objects `blob…`."""
    numbers = {line.partition(";")[0] for line in chosen.splitlines()}
    files = {name: name.removeprefix(f"{DUMP}/") for name in names}
    return {
        name
        for name, file in files.items()
        if (sample.large_objects if file.startswith("blob") else file.partition(".")[0] in numbers)
    }


def _compare(running: Running, engine: Engine, manifest: Manifest, jobs: int, sample: Sample | None) -> None:
    from aegis.adapters.postgres.restore import DATABASE, schema_sha256
    from aegis.adapters.postgres.snapshot import read_inventory

    with running.phase("compare"):
        found = read_inventory(engine.url(DATABASE), jobs=jobs, checksums=manifest.checksums)
        if _has_schema(running.tier, manifest):
            if manifest.dump.client_version == running.engine:
                found = structs.replace(found, schema_sha256=schema_sha256(engine))
            else:
                dumped_by = manifest.dump.client_version
                running.not_run.append(
                    f"the digest of all definitions: dumped by {dumped_by}, restored by {running.engine}"
                )
        expected = manifest if sample is None else restricted(manifest, sample)
        running.differences = compare(expected, found, refreshed=running.tier in {"proof", "full"})
    if running.differences:
        running.equality = "differs"
        raise differs(running.differences)
    if manifest.checksums != "off":
        running.equality = "equal"


def fetched_settings(folder: Path) -> tuple[OwnSetting, ...]:
    """Those of the database itself, of a backup that was fetched into a folder. Refused `….manifest_invalid`."""
    file = folder / OWN_SETTINGS
    return parse_own_settings(file.read_bytes()) if file.exists() else ()


def give(running: Running, url: str, settings: Sequence[OwnSetting]) -> None:
    """Set the settings of the database itself: after its content was compared, which they could change the reading of.

    Those that the server refuses are notices. Raises Refused `backup_check.database_differs`.
    """
    from aegis.adapters.postgres.settings import give_settings

    given = give_settings(url, settings)
    running.notices += given.refused
    if given.differences:
        running.differences, running.equality = given.differences, "differs"
        raise differs(given.differences)


def _ask(running: Running, engine: Engine, smoke: Sequence[Smoke], settings: Sequence[OwnSetting]) -> None:
    from aegis.adapters.postgres.restore import DATABASE
    from aegis.adapters.postgres.smoke import ask

    if running.tier == "sample":
        return
    with running.phase("smoke"):
        if settings:
            give(running, engine.url(DATABASE), settings)
        running.smoke = ask(engine.url(DATABASE), smoke)
    check_answers(running.smoke)


def check_answers(answers: Sequence[Answered]) -> None:
    """Refused `backup_check.smoke_failed` where one is not `true`."""
    failed = [each for each in answers if not each.ok]
    if failed:
        raise Refused(
            "backup_check.smoke_failed",
            "; ".join(f"{each.name!a}: {each.said}" for each in failed[:_TOLD]),
            expected="`true` to each question of the policy",
            remedy="Look into the source for what is missing, and at the question itself.",
        )


def unknown_content() -> CouldNotDecide:
    """The error for a backup that restores, and of whose rows nothing is known."""
    return CouldNotDecide(
        "backup_check.equality_not_run",
        "the backup restores, and was taken without checksums: nothing says what its rows were",
        expected="a backup with checksums",
        remedy="Take backups without `--checksums off`.",
    )


def left_out(tier: Tier) -> list[str]:
    """What a tier does not restore, for people."""
    told = []
    if tier in {"sample", "data"}:
        told.append("constraints, triggers and indexes; materialized views")
    if tier == "proof":
        told.append("plain indexes, which check nothing")
    return told


def _left_out_of(sample: Sample | None, tier: Tier, manifest: Manifest) -> list[str]:
    told = []
    if sample is not None:
        shown = ", ".join(f"{schema}.{name}" for schema, name in sample.tables[:_TOLD])
        more = f" and {len(sample.tables) - _TOLD} more" if len(sample.tables) > _TOLD else ""
        turns = f"within {DAILY_DAYS} days of daily restores, or {WEEKLY_WEEKS} weeks of weekly ones"
        told.append(f"all rows but {sample.told} ({terminal(shown)}{more}); each table has its turn {turns}")
        told.append("smoke questions, since most tables are empty")
    if manifest.checksums == "off":
        told.append("the rows' content: the backup was taken without checksums")
    if not _has_schema(tier, manifest):
        told.append("the digest of all definitions")
    return told


def _has_schema(tier: Tier, manifest: Manifest) -> bool:
    """Whether the digest of definitions can be compared: where all of them are restored."""
    return tier == "full" and manifest.schema_sha256 is not None


def differs(differences: Sequence[Difference]) -> Refused:
    """The error for a restore that is not what was dumped."""
    told = [f"{each.what}: {each.expected} expected, {each.found} found" for each in differences[:_TOLD]]
    more = f"; and {len(differences) - _TOLD} more" if len(differences) > _TOLD else ""
    return Refused(
        differences[0].rule,
        f"what is restored is not what was dumped: {'; '.join(told)}{more}",
        expected="the same content in both",
        remedy="Take another backup at once; restore from an earlier one that was verified.",
    )


def _programs(major: int, named: Path | None) -> Path:
    """The folder of the server's and its tools' programs."""
    from aegis.adapters.postgres.tools import find_tools, is_old, too_old, tools_at
    from aegis.startup.surroundings import cache_folder

    if named is not None:
        tools = tools_at(named)
        if is_old(tools):
            raise too_old(tools)
        return named
    return find_tools(major, root=ROOT, cache=cache_folder(os.environ), programs=_PROGRAMS).folder


def decrypter(manifest: Manifest, identities: Identities | None) -> Decrypt | None:
    """What opens the backup's objects; None where they are not encrypted. CouldNotDecide `….identity_missing`."""
    if manifest.encryption is None:
        return None
    from aegis.adapters.age import decrypt_file

    if identities is None:
        raise CouldNotDecide(
            "backup_check.identity_missing",
            f"the backup is encrypted to {', '.join(manifest.encryption.recipients)}, and no identity is given",
            expected="an identity of one of them",
            remedy="Name its file by --identity-file, or set AEGIS_AGE_IDENTITY.",
        )

    def decrypt(source: Path, target: Path) -> None:
        decrypt_file(source, target, identities, what=source.name)

    return decrypt
