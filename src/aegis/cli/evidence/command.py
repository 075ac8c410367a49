"""`aegis evidence put|verify|find`: its arguments. What each of them does is imported when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from aegis.core.policy import GateName


def add_command(commands: Any) -> None:
    """Add the command and the three below it."""
    parser = commands.add_parser(
        "evidence", help="signed verdicts that outlive their runs: keep, verify and find them", allow_abbrev=False
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_put(below)
    _add_verify(below)
    _add_find(below)


def _add_put(below: Any) -> None:
    put = below.add_parser("put", help="sign verdicts and store them", allow_abbrev=False)
    put.add_argument("folder", type=Path, help="what `--output` of a gate, or of `aegis all`, has written")
    put.add_argument("--to", metavar="PREFIX", help="the store (default: evidence.store of the policy)")
    who = put.add_mutually_exclusive_group(required=True)
    who.add_argument("--key", metavar="FILE", type=Path, help="private key, PEM; its password in COSIGN_PASSWORD")
    who.add_argument("--keyless", action="store_true", help="this workflow's own identity, by its OIDC token")
    who.add_argument("--bundle", metavar="FILE", type=Path, help="what actions/attest has signed, for one verdict")
    put.add_argument(
        "--trust-config", metavar="FILE", type=Path, help="of another Sigstore than the public one, with --keyless"
    )
    put.add_argument(
        "--subject",
        metavar="NAME@sha256:HEX",
        action="append",
        default=[],
        help="what the verdict is about beside its own subjects, e.g. the image that was built; may be repeated",
    )
    _add_policy(put)
    put.set_defaults(run=_put)


def _add_verify(below: Any) -> None:
    verify = below.add_parser("verify", help="one signed verdict", allow_abbrev=False)
    verify.add_argument("bundle", metavar="FILE|URI", help="a bundle; one in a store has to fit its place there")
    verify.add_argument("--verdict", metavar="FILE", type=Path, help="the verdict.json of a bundle that lies alone")
    about = verify.add_mutually_exclusive_group()
    _add_about(about)
    verify.add_argument("--gate", choices=get_args(GateName), help="the gate whose verdict it must be")
    _add_demands(verify)
    verify.set_defaults(run=_verify)


def _add_find(below: Any) -> None:
    find = below.add_parser("find", help="the verdicts about a commit or an artifact", allow_abbrev=False)
    about = find.add_mutually_exclusive_group(required=True)
    _add_about(about)
    find.add_argument("--from", metavar="PREFIX", dest="source", help="the store (default: evidence.store)")
    find.add_argument(
        "--gate",
        choices=get_args(GateName),
        action="append",
        default=[],
        help="a gate that must have judged it; may be repeated (default: whichever has, at least one)",
    )
    find.add_argument("--all", action="store_true", help="read every verdict, not only the newest of each gate")
    find.add_argument(
        "--remember", metavar="FILE", type=Path, help="note what is there, and refuse a store that has lost it"
    )
    _add_demands(find)
    find.set_defaults(run=_find)


def _add_about(group: Any) -> None:
    group.add_argument("--commit", metavar="SHA", help="a commit, by its full id")
    group.add_argument("--digest", metavar="sha256:HEX", help="an artifact: a model, a file or an image")


def _add_demands(parser: argparse.ArgumentParser) -> None:
    from aegis.cli.verify.one import add_signer

    parser.add_argument("--max-age", metavar="DURATION", help="how long ago its gate may have ended, e.g. 26h or 7d")
    parser.add_argument("--any-result", action="store_true", help="whatever it says, as long as it holds")
    add_signer(parser)
    _add_policy(parser)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--path", default=".", help="a folder of the repository with the policy (default: this one)")
    parser.add_argument("--policy", metavar="FILE", help="policy file in the repository (default: aegis.yml)")


def _put(arguments: argparse.Namespace) -> int:
    from aegis.cli.evidence import put

    return put.run(arguments)


def _verify(arguments: argparse.Namespace) -> int:
    from aegis.cli.evidence import verify

    return verify.run(arguments)


def _find(arguments: argparse.Namespace) -> int:
    from aegis.cli.evidence import find

    return find.run(arguments)
