"""One run of the backup-check gate: repository, policy, keys, stores and restores joined."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from aegis.artifacts.trust import Materials, trust_of
from aegis.backup.drill import DrillResult
from aegis.backup.freshness import Shelf, look
from aegis.backup.listing import Listed
from aegis.cli.backup.audit import BackupAudit, audit_of
from aegis.cli.backup.remember import remember
from aegis.cli.backup.stores import Places, Purpose, opened
from aegis.cli.backup_check.options import TIERS, BackupCheckOptions, CheckMode
from aegis.cli.gate_run import Found, GateRun
from aegis.cli.policy_files import PolicyFiles, files_of, no_key
from aegis.core.errors import AegisError, CouldNotDecide, Refused, UsageError
from aegis.core.policy import BackedUp, BackupCheckPolicy, minutes
from aegis.core.policy_in_force import InForce
from aegis.core.verdict import Verdict
from aegis.gates.backup_check.check import check_policy
from aegis.gates.backup_check.gate import Request, Seen, judge
from aegis.signatures.types import Trust

if TYPE_CHECKING:
    from aegis.adapters.age import Identities
    from aegis.cli.backup.taking import Wishes

_PURPOSES: Mapping[CheckMode, Purpose] = {"check": "read", "verify": "prove", "run": "write"}
_AGE = re.compile(r"[1-9][0-9]{0,3}[mhd]")


def judged(run: GateRun, found: Found, options: BackupCheckOptions, environ: Mapping[str, str]) -> Verdict:
    """The verdict on the backups. Raises AegisError where there is none."""
    written = found.in_force.policy.backup_check
    if written is None:
        raise UsageError(
            "core.policy_missing",
            f"the policy ({found.in_force.origin}) has no section `backup-check`",
            expected=f"`backup-check:` with a store and databases in {run.policy_file}",
            remedy="add the section, e.g. by `aegis init --gates …`; on a pull request the base commit's policy "
            "counts, so it must be merged first",
        )
    # before any key is read or token minted
    check_policy(written, file=run.policy_file)
    policy = applied(written, found.in_force, options)
    files = PolicyFiles(found)
    named = tuple(files_of(written.signers, written.trusted_root))
    looker = _Looker(
        policy=policy,
        trust=_trust(policy, run, found, files, options),
        wishes=_wishes(policy, options, environ) if options.mode == "run" else None,
        audit=audit_of(environ) if options.mode != "check" else BackupAudit(None),
        places=opened(policy, options, _PURPOSES[options.mode], environ=environ, root=found.repository.root),
        run=run,
        options=options,
        environ=environ,
    )
    request = Request(
        policy=policy,
        in_force=found.in_force,
        policy_file=run.policy_file,
        now=run.started,
        seen=tuple(looker.seen(database) for database in policy.databases),
        whole=len(policy.databases) == len(written.databases),
        weaker=tuple(f"backup-check: {path} is another one" for path in files.replaced(named)),
        own_files=frozenset({run.policy_file, *named}),
        changes=tuple(found.repository.changed(found.base.commit)) if found.base.commit is not None else None,
        notices=(*found.base.notices, *(looker.audit.notices if options.mode != "check" else ())),
    )
    answer = judge(request)
    run.subject = (*run.subject, *answer.subjects)
    return run.conclude(answer.outcome, found.in_force, policy)


def applied(written: BackupCheckPolicy, in_force: InForce, options: BackupCheckOptions) -> BackupCheckPolicy:
    """The section with the options applied, which may only tighten it. Raises UsageError."""
    chosen = [each for each in written.databases if options.database in {None, each.name}]
    if not chosen:
        raise UsageError(
            "core.wrong_usage",
            f"the policy ({in_force.origin}) names no database {(options.database or '')[:100]!r}",
            expected=f"one of {', '.join(each.name for each in written.databases)}",
            remedy="correct the argument `--database` or the input `database`",
        )
    return structs.replace(written, databases=tuple(_tightened(each, in_force, options) for each in chosen))


def _tightened(database: BackedUp, in_force: InForce, options: BackupCheckOptions) -> BackedUp:
    if options.max_age is not None:
        if _AGE.fullmatch(options.max_age) is None:
            raise UsageError(
                "core.wrong_usage",
                f"the age is {options.max_age[:40]!r}",
                expected="minutes, hours or days such as 90m, 26h or 2d",
                remedy="correct the argument `--max-age` or the input `max-age`",
            )
        if minutes(options.max_age) > minutes(database.max_age):
            raise _loosened("max-age", options.max_age, database, database.max_age, in_force)
        database = structs.replace(database, max_age=options.max_age)
    if options.tier is not None:
        if TIERS.index(options.tier) < TIERS.index(database.tier):
            raise _loosened("tier", options.tier, database, database.tier, in_force)
        database = structs.replace(database, tier=options.tier)
    return database


def _loosened(name: str, given: str, database: BackedUp, written: str, in_force: InForce) -> UsageError:
    return UsageError(
        "core.policy_loosened",
        f"the input `{name}` is {given}, and the policy ({in_force.origin}) has {written} for {database.name}",
        expected="an input that only tightens the policy",
        remedy=f"leave the input out, or change `{name}` in the policy in a reviewed change",
    )


def _trust(
    policy: BackupCheckPolicy, run: GateRun, found: Found, files: PolicyFiles, options: BackupCheckOptions
) -> Trust | None:
    """Who must have signed manifests; None where the policy asks for no signature."""
    if not policy.signers:
        return None
    root = files.read(policy.trusted_root) if policy.trusted_root is not None else None
    return trust_of(
        policy.signers, 1, root, Materials(files.read, options.cosign_pub_key, no_key(run, found)), run.started
    )


def _wishes(policy: BackupCheckPolicy, options: BackupCheckOptions, environ: Mapping[str, str]) -> Wishes:
    """How the backup is taken. Raises UsageError where it is not clear of what, or nobody can sign it."""
    from aegis.cli.backup.run import signer_of
    from aegis.cli.backup.secrets import SOURCE, database_url
    from aegis.cli.backup.taking import Wishes

    if len(policy.databases) != 1:
        raise UsageError(
            "core.wrong_usage",
            f"a backup is to be taken, and the policy names {len(policy.databases)} databases",
            expected=f"one of {', '.join(each.name for each in policy.databases)}",
            remedy="name the one whose address is given by `--database` or the input `database`",
        )
    # a workflow has no key of its own, but is somebody
    keyless = options.github and any(each.identity or each.identity_pattern for each in policy.signers)
    return Wishes(
        url=database_url(options.database_url_file, environ, SOURCE),
        sign=signer_of(policy, None, keyless=keyless, trust_config=None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looker:
    """Everything that looking at one database needs."""

    policy: BackupCheckPolicy
    trust: Trust | None
    wishes: Wishes | None
    """Of the backup that is to be taken; None where none is."""
    audit: BackupAudit
    places: Places
    run: GateRun
    options: BackupCheckOptions
    environ: Mapping[str, str]

    def seen(self, database: BackedUp) -> Seen:
        """Look at a database's backups; before, restore or take one where the mode asks for it."""
        errors: list[AegisError] = []
        drill: DrillResult | None = None
        shelf: Shelf | None = None
        if self.wishes is not None:
            errors += self._taken(database, self.wishes)
        try:
            shelf = self._look(database)
            # what is of another database must not become the one that later ones are held against
            other = any(problem.code == "backup_check.cluster_other" for problem in shelf.problems)
            if self.options.mode == "verify" and shelf.newest is not None and not other:
                started = _now()
                drill = self._drilled(database, shelf.newest)
                remember(
                    drill,
                    database=database.name,
                    backup=shelf.newest.id,
                    started=started,
                    audit=self.audit,
                    records=self.places.records,
                    actor=self.run.source.actor or "",
                    run_url=self.run.source.run_url or "",
                )
                shelf = self._look(database)
        except (Refused, CouldNotDecide) as error:
            errors.append(error)
        return Seen(database=database, shelf=shelf, drill=drill, errors=tuple(errors))

    def _taken(self, database: BackedUp, wishes: Wishes) -> list[AegisError]:
        """Take a backup; what kept it from being taken."""
        from aegis.cli.backup.taking import back_up
        from aegis.cli.progress import bytes_bar

        try:
            with bytes_bar(f"backup of {database.name}") as progress:
                told = replace(wishes, progress=progress)
                taken = back_up(self.policy, database, self.places, told, self.environ)
        except (Refused, CouldNotDecide) as error:
            self.audit.record("backup.created", database.name, error=error)
            return [error]
        self.audit.record("backup.created", database.name, version=taken.manifest.id, sha256=taken.sha256)
        return []

    def _look(self, database: BackedUp) -> Shelf:
        backups, records = self.places.backups, self.places.records
        return look(
            backups.store,
            records.store,
            database,
            prefix=backups.prefix,
            records_prefix=records.prefix,
            recipients=self.policy.recipients,
            now=_now(),
            trust=self.trust,
        )

    def _drilled(self, database: BackedUp, newest: Listed) -> DrillResult:
        """Restore a backup."""
        from aegis.cli.backup.drill import drill
        from aegis.cli.backup.secrets import read_identities

        identities: Identities | None = read_identities(self.options.identity_file, self.environ)
        return drill(
            self.places.backups.store,
            newest.folder,
            tier=database.tier,
            smoke=database.smoke,
            identities=identities,
            trust=self.trust,
        )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
