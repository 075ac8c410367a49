"""`aegis verify fetch`: an artifact of the policy on this machine, verified, or nothing."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from aegis.core.errors import UsageError
from aegis.report.escape import terminal


def add_commands(commands: Any) -> None:
    """Add `fetch`."""
    from aegis.cli.verify import options as verify_options

    fetch = commands.add_parser(
        "fetch", help="an artifact of the policy, verified, on this machine", allow_abbrev=False
    )
    fetch.add_argument("name", help="the artifact's name in the policy")
    fetch.add_argument("--store", metavar="DIR", type=Path, required=True, help="private folder that keeps artifacts")
    verify_options.add_repository_arguments(fetch)
    fetch.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the folder that holds it."""
    from aegis.adapters.objects.local import LocalStore
    from aegis.artifacts.fetching import fetch
    from aegis.artifacts.preparing import case_of, prepare_one
    from aegis.cli.gate_run import GateRun
    from aegis.cli.progress import progress_bar
    from aegis.cli.verify.options import VerifyOptions
    from aegis.cli.verify.run import request_of
    from aegis.storage.content_store import ContentStore
    from aegis.storage.verified_cache import VerifiedCache

    arguments.output = None
    options = VerifyOptions.from_arguments(arguments, os.environ)
    run = GateRun.begin("verify", options, {})
    request, stores = request_of(run, run.look(), options)
    artifact = next((each for each in request.policy.artifacts if each.name == arguments.name), None)
    if artifact is None:
        raise UsageError(
            "core.wrong_usage",
            f"the policy has no artifact {arguments.name!r}",
            expected=", ".join(each.name for each in request.policy.artifacts),
            remedy="correct the name",
        )
    prepared = prepare_one(case_of(artifact, request, stores))
    keep: Path = arguments.store
    with progress_bar("verify") as progress:
        place = fetch(prepared, ContentStore(keep), VerifiedCache(keep / ".verified"), LocalStore, progress)
    sys.stdout.write(f"{terminal(str(place))}\n")
    return 0
