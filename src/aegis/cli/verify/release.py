"""`aegis verify release sign|accept`: which version an artifact is, and which versions were accepted."""

from __future__ import annotations

import argparse
import datetime
import os
import re
import sys
from pathlib import Path
from typing import Any

from aegis.cli.files import check_folder, digests_of, read_file, write
from aegis.core.errors import Refused, UsageError
from aegis.report.escape import terminal

DEFAULT = "release.sigstore.json"
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def add_commands(commands: Any) -> None:
    """Add `release` with the two commands below it."""
    from aegis.cli import sign
    from aegis.cli.verify import options as verify_options

    parser = commands.add_parser("release", help="name and version of an artifact", allow_abbrev=False)
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    make = below.add_parser("sign", help="sign a release statement", allow_abbrev=False)
    make.add_argument("name", help="the artifact's name in the policy")
    make.add_argument("--version", metavar="VERSION", required=True, help="numbers with dots, e.g. 1.4.0")
    what = make.add_mutually_exclusive_group(required=True)
    what.add_argument("--file", metavar="FILE", type=Path, help="the artifact, if it is a file")
    what.add_argument("--folder", metavar="DIR", type=Path, help="the artifact, if it is a model")
    what.add_argument("--digest", metavar="HEX", help="its `content` as a verdict of the gate tells it")
    make.add_argument(
        "--signature", metavar="FILE", type=Path, help="the model's, with --folder (default: model.sig in the folder)"
    )
    make.add_argument("--days", metavar="N", type=int, default=90, help="how long it holds (default: 90)")
    sign.add_signer(make)
    make.add_argument(
        "--bundle", metavar="FILE", type=Path, default=Path(DEFAULT), help=f"to write (default: {DEFAULT})"
    )
    make.set_defaults(run=run_sign)
    take = below.add_parser("accept", help="write a release into the lock file", allow_abbrev=False)
    take.add_argument("name", help="the artifact's name in the policy")
    verify_options.add_repository_arguments(take)
    take.set_defaults(run=run_accept)


def run_sign(arguments: argparse.Namespace) -> int:
    """Sign a statement that binds name, version and digest."""
    from aegis.cli import sign
    from aegis.signatures.release import Release, release_statement

    if not 1 <= arguments.days <= 3660:
        raise UsageError(
            "core.wrong_usage",
            f"--days is {arguments.days}",
            expected="1 to 3660 days",
            remedy="a release that holds for ever cannot be withdrawn: choose a number of days",
        )
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    release = Release(
        name=arguments.name,
        version=arguments.version,
        root=_digest(arguments),
        not_after=now + datetime.timedelta(days=arguments.days),
    )
    write(arguments.bundle, sign.signed_statement(arguments, release_statement(release)))
    sys.stdout.write(f"{terminal(str(arguments.bundle))}: {terminal(release.name)} {release.version}\n")
    return 0


def _digest(arguments: argparse.Namespace) -> str:
    from aegis.cli import sign

    if arguments.digest is not None:
        found = _SHA256.fullmatch(arguments.digest)
        if found is None:
            raise UsageError(
                "core.wrong_usage",
                f"--digest is {arguments.digest[:80]!r}",
                expected="64 hexadecimal digits in lower case",
                remedy="copy `content` of the artifact's evidence in verdict.json",
            )
        return found[1]
    if arguments.file is not None:
        return digests_of(arguments.file, {"sha256"})[0]["sha256"].hex()
    check_folder(arguments.folder)
    return sign.model_content(arguments.folder, arguments.signature)


def run_accept(arguments: argparse.Namespace) -> int:
    """Write what the store holds into the lock, if its statement is signed as the policy asks and moves forward."""
    from aegis.artifacts import releases
    from aegis.artifacts.preparing import case_of
    from aegis.cli.gate_run import GateRun
    from aegis.cli.verify.options import VerifyOptions
    from aegis.cli.verify.run import request_of
    from aegis.signatures import lock as locks

    arguments.output = None
    options = VerifyOptions.from_arguments(arguments, os.environ)
    run = GateRun.begin("verify", options, {})
    found = run.look()
    request, stores = request_of(run, found, options)
    artifact = next((each for each in request.policy.artifacts if each.name == arguments.name), None)
    if artifact is None or artifact.release is None:
        known = ", ".join(each.name for each in request.policy.artifacts if each.release is not None)
        raise UsageError(
            "core.wrong_usage",
            f"the policy has no artifact {arguments.name!r} with a release",
            expected=known or "an artifact with `release:` in the policy",
            remedy="correct the name, or add `release:` to the artifact",
        )
    released = releases.prepare(case_of(artifact, request, stores))
    if released.statement is None:
        raise Refused(
            "verify.release_missing",
            f"{artifact.source} has no release statement",
            expected="one beside the artifact",
            remedy="sign one with `aegis verify release sign`",
        )
    target = found.repository.root / request.policy.lock
    if target.is_symlink() or not target.resolve().is_relative_to(found.repository.root.resolve()):
        raise UsageError(
            "verify.lock_invalid",
            f"verify.lock is {request.policy.lock!r}, which leads elsewhere",
            expected="a file inside the repository, not behind a symbolic link",
            remedy="correct `verify.lock` in the policy file",
        )
    # as it stands there, also with what was accepted and is not committed yet
    before = locks.parse_lock(read_file(target), file=request.policy.lock) if target.exists() else request.lock
    write(target, locks.render_lock(locks.accept(before, released.statement, request.now.date())))
    sys.stdout.write(f"{terminal(str(target))}: {artifact.name} {released.statement.version}\n")
    return 0
