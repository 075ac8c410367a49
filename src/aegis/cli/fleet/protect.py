"""`aegis fleet protect`: the gates' checks become required, by one ruleset of the organisation where that can be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from aegis.adapters.github.fleet import GitHubCode, Listed
from aegis.adapters.github.settings import GitHubSettings
from aegis.cli.doctor.folder import look
from aegis.cli.fleet.fleet import Fleet, Meant
from aegis.cli.fleet.snapshot import snapshot
from aegis.cli.github import demand_in_force, demand_taken, difference, ruleset_form
from aegis.core.errors import AegisError, Refused, UsageError
from aegis.scaffold import fleet_protect, protection
from aegis.scaffold.fleet import Report, Row, State
from aegis.scaffold.fleet_protect import Checks
from aegis.scaffold.protection import Wanted


def run(fleet: Fleet) -> Report:
    """Run the command: first every repository's checks are read, then anything is written."""
    if not 0 <= fleet.arguments.approvals <= 6:
        raise UsageError(
            "core.wrong_usage",
            f"--approvals {fleet.arguments.approvals}",
            expected="0 to 6",
            remedy="Correct the argument.",
        )
    meant = fleet.meant()
    protecting = _Protecting(fleet)
    read = fleet.each(meant, protecting.read, remember=False)
    if any(row.state is State.NOT_REACHED for row in read.rows):
        return replace(read, rows=tuple(map(_nothing_written, read.rows)))
    known = tuple(each for each in meant.repositories if each.full_name in protecting.checks)
    if not known:
        return read
    wants = Wanted(
        (),
        GitHubSettings(known[0].full_name, fleet.rest).actions_app(),
        approvals=fleet.arguments.approvals,
        owners=not fleet.arguments.no_owners,
        up_to_date=fleet.arguments.up_to_date,
    )
    one = _OfOrganisation.prepared(protecting, wants, known)
    report = fleet.each(Meant(known, meant.excluded, meant.unseen), lambda listed: one.row(listed))
    rows = (*(row for row in read.rows if row.repository not in protecting.checks), *report.rows)
    return replace(report, rows=rows, difference=one.difference, notices=(*report.notices, *one.notices))


def _nothing_written(row: Row) -> Row:
    if row.state is not State.WELL:
        return row
    return replace(row, state=State.NOT_REACHED, detail="the run ended before anything was written")


@dataclass(frozen=True, slots=True)
class _Protecting:
    """What the repositories' workflows report."""

    fleet: Fleet
    checks: dict[str, Checks] = field(default_factory=dict)
    """By full name; those that have none are not here."""

    def read(self, listed: Listed) -> Row:
        """The checks of the default branch's workflows."""
        code = GitHubCode(listed.full_name, self.fleet.rest)
        head = code.tip(listed.default_branch)
        if head is None:
            return Row(repository=listed.full_name, state=State.EXCLUDED, detail="it is empty")
        with snapshot(code, head.tree) as there:
            checks = tuple(sorted(look(there.root, self.fleet.arguments.aegis).required_checks()))
        if not checks:
            raise Refused(
                "fleet.no_gates",
                f"no workflow of {listed.full_name} runs a gate on pull requests",
                expected="a check that can be required",
                remedy="Merge the pull request of `aegis fleet init` first.",
            )
        self.checks[listed.full_name] = checks
        return Row(repository=listed.full_name, state=State.WELL, detail=", ".join(checks), commit=head.sha)


@dataclass(slots=True)
class _OfOrganisation:
    """The organisation's ruleset, as far as there is one, and the repositories' own for the others."""

    protecting: _Protecting
    wants: Wanted
    checks: Checks | None = None
    """What the organisation's ruleset demands; None: there is none."""
    changed: bool = False
    """It was written, or in a dry run would be."""
    error: AegisError | None = None
    """Why it could not be written."""
    demanded: frozenset[str] = frozenset()
    meant: frozenset[int] = frozenset()
    difference: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @classmethod
    def prepared(cls, protecting: _Protecting, wants: Wanted, known: tuple[Listed, ...]) -> _OfOrganisation:
        """Look at it, and write it where that is asked for."""
        made = cls(protecting, wants)
        fleet = protecting.fleet
        if fleet.arguments.per_repository:
            return made
        try:
            made._prepare(known)
        except AegisError as error:
            if error.code != "github.no_permission":
                made.error = error
                return made
            made.checks, made.difference = None, ()
            made.notices = (f"No ruleset of the organisation: {error.problem}. Each repository has its own instead.",)
        return made

    def _prepare(self, known: tuple[Listed, ...]) -> None:
        fleet, reported = self.protecting.fleet, self.protecting.checks
        short = fleet.organisation.rulesets()
        if short is None:
            raise fleet.rest.forbidden("GitHub shows this token no rulesets of the organisation (404)")
        own = [each for each in short if each.get("name") == protection.NAME]
        present = fleet.organisation.whole_ruleset(int(own[0]["id"])) if own else None
        checks = fleet_protect.served({each.id: reported[each.full_name] for each in known}, present)
        self.demanded, self.meant = fleet_protect.demanded(present), fleet_protect.meant_ids(present)
        if checks is None:
            self.notices = ("The organisation's ruleset demands other checks; each repository has its own beside it.",)
            return
        ids = [each.id for each in known if reported[each.full_name] == checks]
        wanted = replace(self.wants, checks=checks)
        document = fleet_protect.organisation_ruleset(wanted, present, ids)
        before, after = protection.lines(present), protection.lines(document)
        self.checks, self.changed = checks, before != after
        if not self.changed:
            return
        title = f"The ruleset {protection.NAME!r} of the organisation {fleet.organisation.login}:"
        self.difference = (title, *difference(before, after))
        if fleet.dry_run:
            return
        taken = fleet.organisation.put_ruleset(int(own[0]["id"]) if own else None, document)
        demand_taken(after, protection.lines(taken))

    def row(self, listed: Listed) -> Row:
        """What becomes of one repository."""
        checks = self.protecting.checks[listed.full_name]
        if self.error is not None:
            raise self.error
        settings = GitHubSettings(listed.full_name, self.protecting.fleet.rest)
        wanted = replace(self.wants, checks=checks)
        if listed.id in self.meant and (lost := sorted(self.demanded - {*checks})):
            raise Refused(
                "fleet.check_without_job",
                f"the organisation's ruleset demands of {listed.full_name} what no workflow reports: {', '.join(lost)}",
                expected="checks that a job reports, since a change waits for others for ever",
                remedy=f"Take it out of the organisation's ruleset {protection.NAME!r}, or give it the workflow.",
            )
        if checks != self.checks:
            return self._own(listed, settings, wanted)
        words = f"by the organisation's ruleset: {', '.join(checks)}"
        if self.changed and self.protecting.fleet.dry_run:
            return self._told(listed, State.WOULD_WRITE, words)
        demand_in_force(settings, wanted, listed.default_branch)
        return self._told(listed, State.WRITTEN if self.changed else State.WELL, words)

    def _own(self, listed: Listed, settings: GitHubSettings, wanted: Wanted) -> Row:
        """By a ruleset of the repository's own."""
        before, after, write = ruleset_form(settings, wanted, listed.default_branch)
        words = f"by its own ruleset: {', '.join(wanted.checks)}"
        if before == after:
            demand_in_force(settings, wanted, listed.default_branch)
            return self._told(listed, State.WELL, words)
        changed = "; ".join(line for line in difference(before, after) if line[:1] in "+-")
        if self.protecting.fleet.dry_run:
            return self._told(listed, State.WOULD_WRITE, f"{words} ({changed})")
        demand_taken(after, write())
        demand_in_force(settings, wanted, listed.default_branch)
        return self._told(listed, State.WRITTEN, f"{words} ({changed})")

    def _told(self, listed: Listed, state: State, detail: str) -> Row:
        return Row(repository=listed.full_name, state=state, detail=detail)
