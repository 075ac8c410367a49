"""`aegis fleet`: init, scan, protect and doctor for many repositories of an organisation at GitHub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from aegis.cli.fleet.rights import RIGHTS

FORMATS = ("text", "json", "markdown")


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    parser = commands.add_parser("fleet", help="the gates for every repository of an organisation", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_init(below)
    _add_scan(below)
    _add_protect(below)
    _add_doctor(below)


def _add_init(below: Any) -> None:
    from aegis.cli.init.command import add_choices

    parser = _added(below, "init", "pull requests that add the gates, as `aegis init` writes them")
    parser.add_argument("--yes", action="store_true", help="write; without it, only what would be done is told")
    parser.add_argument("--again", action="store_true", help="ask again where somebody closed the pull request")
    add_choices(parser, one=False)
    parser.set_defaults(run=run, command="init")


def _add_scan(below: Any) -> None:
    parser = _added(below, "scan", "the scan gate on each default branch")
    parser.add_argument("--strict", action="store_true", help="fail on every class that is not allowed")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write each verdict to DIR/NAME")
    parser.set_defaults(run=run, command="scan")


def _add_protect(below: Any) -> None:
    parser = _added(below, "protect", "make the gates' checks required: one ruleset of the organisation, or each")
    parser.add_argument("--yes", action="store_true", help="write; without it, only the difference is told")
    parser.add_argument("--per-repository", action="store_true", help="a ruleset in each repository")
    parser.add_argument("--approvals", metavar="N", type=int, default=1, help="reviews of a change (default: 1)")
    parser.add_argument("--no-owners", action="store_true", help="do not demand the review of a code owner")
    parser.add_argument("--up-to-date", action="store_true", help="demand the newest base in a branch")
    parser.add_argument("--aegis", metavar="OWNER/NAME", default="org/aegis", help="repository of the actions")
    parser.set_defaults(run=run, command="protect")


def _add_doctor(below: Any) -> None:
    parser = _added(below, "doctor", "what is missing or weak, in files and settings")
    parser.add_argument("--no-settings", action="store_true", help="look at files alone, for which reading is enough")
    parser.add_argument("--aegis", metavar="OWNER/NAME", help="repository of the actions (default: as init wrote)")
    parser.set_defaults(run=run, command="doctor")


def _added(below: Any, name: str, what: str) -> argparse.ArgumentParser:
    """One command, with the arguments of all four."""
    parser: argparse.ArgumentParser = below.add_parser(
        name,
        help=what,
        epilog=f"The token (GITHUB_TOKEN) needs: {RIGHTS[name].said}.",
        allow_abbrev=False,
    )
    parser.add_argument("organisation", metavar="ORG", help="the organisation at GitHub")
    meant = parser.add_argument_group("which repositories", "archived and disabled ones never")
    meant.add_argument(
        "--topic",
        metavar="NAME",
        action="append",
        default=[],
        dest="topics",
        help="with at least one of these topics; may be repeated",
    )
    meant.add_argument(
        "--name", action="append", default=[], dest="names", metavar="PATTERN", help="e.g. 'team-*'; may be repeated"
    )
    meant.add_argument(
        "--without", action="append", default=[], metavar="PATTERN", help="but for these; may be repeated"
    )
    meant.add_argument("--forks", action="store_true", help="forks, too")
    meant.add_argument("--templates", action="store_true", help="templates, too")
    meant.add_argument("--seen-only", action="store_true", help="be content with the repositories that the token sees")
    running = parser.add_argument_group("how it runs")
    running.add_argument("--state", metavar="FILE", type=Path, help="remember what is done; go on after an end")
    running.add_argument(
        "--wait", metavar="SECONDS", type=int, default=900, help="for a rate limit, at most (default: 900)"
    )
    running.add_argument(
        "--pace", metavar="SECONDS", type=float, default=1.0, help="before each write (default: 1, as GitHub asks)"
    )
    running.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command. 0: all well or written; 1: something is against one; 2: wrong usage; 3: one is open."""
    from aegis.cli.fleet import tell
    from aegis.cli.fleet.fleet import Fleet

    fleet = Fleet.of(arguments)
    match arguments.command:
        case "init":
            from aegis.cli.fleet import init

            report = init.run(fleet)
        case "scan":
            from aegis.cli.fleet import scan

            report = scan.run(fleet)
        case "protect":
            from aegis.cli.fleet import protect

            report = protect.run(fleet)
        case _:
            from aegis.cli.fleet import doctor

            report = doctor.run(fleet)
    tell.tell(report, arguments.format)
    return report.exit_code
