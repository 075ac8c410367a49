"""`aegis backup check`: whether backups are fresh, whole and lately proven; nothing is restored.

The gate `aegis backup-check` asks the same with the policy of a change's base. This one is for a CronJob beside the
database: its metrics raise the alarm where no workflow runs any more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.cli.backup.options import BackupOptions, add_policy_arguments
from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis.report.escape import terminal, terminal_block

if TYPE_CHECKING:
    from aegis.backup.freshness import Shelf
    from aegis.backup.metrics import Checked
    from aegis.cli.backup.policy import Policed
    from aegis.core.policy import BackedUp

_WORDS: Mapping[int, str] = {0: "PASS", 1: "FAIL", 3: "COULD NOT VERIFY"}


def add_command(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check", help="whether backups are fresh, whole and lately proven; restores nothing", allow_abbrev=False
    )
    add_policy_arguments(parser)
    parser.add_argument("--database", metavar="NAME", help="of the policy (default: all of them)")
    parser.add_argument(
        "--max-age", metavar="DURATION", help="of the newest snapshot, e.g. 26h; only less than the policy's"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    parser.add_argument("--metrics", metavar="FILE", type=Path, help="to write, for node_exporter's textfile collector")
    parser.add_argument("--pushgateway", metavar="URL", help="to send the metrics to")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check each database, then say and write what was seen."""
    from aegis.backup.metrics import exposition
    from aegis.cli.backup.policy import database_of, read_policy

    if arguments.pushgateway is not None:
        from aegis.adapters.prometheus.pushgateway import check_address, push

        check_address(arguments.pushgateway)
    options = BackupOptions.from_arguments(arguments, os.environ)
    policed = read_policy(options.policy, os.environ)
    asked = [database_of(policed, arguments.database)] if arguments.database else list(policed.policy.databases)
    asked = [_tightened(database, arguments.max_age) for database in asked]
    now = datetime.now(UTC)
    checked = _checked(policed, options, asked, now)
    _say(arguments.format, checked)
    if arguments.metrics is not None:
        from aegis.cli.files import write

        write(arguments.metrics, exposition(checked, now).encode())
    if arguments.pushgateway is not None:
        for each in checked:
            push(arguments.pushgateway, each.database.name, exposition([each], now))
    return max((each.outcome for each in checked), default=0)


def _tightened(database: BackedUp, max_age: str | None) -> BackedUp:
    """With a shorter limit; a longer one would pass what the policy does not."""
    import msgspec

    from aegis.core.policy import minutes

    if max_age is None:
        return database
    known = re.fullmatch(r"[1-9][0-9]{0,3}[mhd]", max_age) is not None
    if not known or minutes(max_age) > minutes(database.max_age):
        raise UsageError(
            "core.wrong_usage",
            f"--max-age is {max_age[:40]!r}, and the policy has {database.max_age} for {database.name}",
            expected="a number of minutes, hours or days, e.g. 26h, that is no more than the policy's",
            remedy="correct the argument, or change `max-age` in the policy",
        )
    return msgspec.structs.replace(database, max_age=max_age)


def _checked(policed: Policed, options: BackupOptions, asked: Sequence[BackedUp], now: datetime) -> list[Checked]:
    """What is seen of each database; what keeps one from being seen is kept too, for the others and the metrics."""
    from aegis.backup.freshness import look
    from aegis.backup.metrics import Checked
    from aegis.cli.backup.stores import opened
    from aegis.cli.backup.trust import trust_in

    trust = trust_in(policed, os.environ)
    try:
        places = opened(policed.policy, options, "read", environ=os.environ, root=policed.root)
    except CouldNotDecide as error:
        return [Checked(database, None, error) for database in asked]
    backups, records = places.backups, places.records
    checked = []
    for database in asked:
        try:
            shelf = look(
                backups.store,
                records.store,
                database,
                prefix=backups.prefix,
                records_prefix=records.prefix,
                recipients=policed.policy.recipients,
                now=now,
                trust=trust,
            )
            checked.append(Checked(database, shelf))
        except (Refused, CouldNotDecide) as error:
            checked.append(Checked(database, None, error))
    return checked


def _say(form: str, checked: Sequence[Checked]) -> None:
    if form == "json":
        sys.stdout.write(json.dumps([_fields(each) for each in checked]) + "\n")
        return
    for each in checked:
        sys.stdout.write(terminal(f"{_WORDS[each.outcome]} {each.database.name}: {_seen(each.shelf)}") + "\n")
        for problem in each.problems:
            sys.stdout.write(terminal_block(f"{problem.code}: {problem}") + "\n")
        for notice in each.shelf.notices if each.shelf is not None else ():
            sys.stdout.write(terminal(notice) + "\n")


def _seen(shelf: Shelf | None) -> str:
    from aegis.backup.shelf_problems import span

    if shelf is None:
        return "nothing could be seen"
    newest = "no backup" if shelf.newest is None else f"the newest backup is {shelf.newest.id}"
    if shelf.age is not None:
        newest += f", {span(shelf.age)} old, of {shelf.size:,} bytes"
    if shelf.proof is None or shelf.proof_age is None:
        return f"{newest}; none is proven"
    return f"{newest}; {shelf.proof.backup} was proven {span(shelf.proof_age)} ago, tier {shelf.proof.tier.upper()}"


def _fields(each: Checked) -> dict[str, object]:
    shelf = each.shelf
    fields: dict[str, object] = {
        "database": each.database.name,
        "outcome": _WORDS[each.outcome],
        "problems": [
            {"code": problem.code, "problem": problem.problem, "next": problem.remedy} for problem in each.problems
        ],
    }
    if shelf is not None:
        proof = shelf.proof
        fields |= {
            "backups": len(shelf.backups),
            "newest": shelf.newest.id if shelf.newest is not None else None,
            "snapshot": shelf.manifest.snapshot.time if shelf.manifest is not None else None,
            "size": shelf.size,
            "proven": proof.backup if proof is not None else None,
            "proven_at": proof.finished if proof is not None else None,
            "tier": proof.tier if proof is not None else None,
            "restore_seconds": round(proof.restore_seconds, 3) if proof is not None else None,
            "notices": list(shelf.notices),
        }
    return fields
