"""`aegis canary serve`: the judge as a small service, which Argo Rollouts asks as a metric of the provider `web`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.core.errors import CouldNotDecide, UsageError

if TYPE_CHECKING:
    from aegis.core.policy import CanaryPolicy
    from aegis.core.ports.metrics import Metrics


def add_command(commands: Any) -> None:
    """Add `serve`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="answer over HTTP whether a rollout may go on, for Argo Rollouts' provider `web`",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--policy",
        metavar="FILE",
        type=Path,
        action="append",
        help="one for each rollout that is judged (default: aegis.yml)",
    )
    parser.add_argument(
        "--state", metavar="DIR", type=Path, required=True, help="a folder that outlives this process: what was seen"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=port, default=8080, help="0 takes a free one (default: 8080)")
    parser.add_argument(
        "--token-file", metavar="FILE", type=Path, help="questions must bring its content as their bearer token"
    )
    parser.add_argument("--tls-cert", metavar="FILE", type=Path, help="PEM file of the certificate and its chain")
    parser.add_argument("--tls-key", metavar="FILE", type=Path, help="PEM file of its key")
    parser.set_defaults(run=run)


def port(text: str) -> int:
    """A TCP port. Raises UsageError."""
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise UsageError(
        "core.wrong_usage",
        f"the port is {text[:40]!r}",
        expected="0 (any free one) to 65535",
        remedy="correct --port",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal; 0: ended as asked."""
    import aegis
    from aegis.adapters.http.server import Listening, serve
    from aegis.cli.canary.serving import Judge, read_token

    if (arguments.tls_cert is None) != (arguments.tls_key is None):
        raise UsageError(
            "core.wrong_usage",
            "of --tls-cert and --tls-key one is missing",
            expected="both, or none of them",
            remedy="name the certificate's file and its key's",
        )
    policies = _policies(arguments.policy or [Path("aegis.yml")], os.environ)
    for policy in policies.values():
        _server(policy)  # what its credentials lack is told now, and not by the first question
    if arguments.token_file is not None:
        read_token(arguments.token_file)
    _make_folder(arguments.state)
    judge = Judge(policies, _server, arguments.state, aegis.__version__, arguments.token_file)
    listening = Listening(
        host=arguments.host, port=arguments.port, certificate=arguments.tls_cert, key=arguments.tls_key
    )
    serve(judge.answer, judge.refuse, listening, ready=_say)
    return 0


def _policies(files: list[Path], environ: Mapping[str, str]) -> Mapping[tuple[str, str], CanaryPolicy]:
    """By their rollouts. Raises UsageError."""
    from aegis.cli.canary.policy import read_with_mode

    found: dict[tuple[str, str], CanaryPolicy] = {}
    for file in files:
        policy, mode = read_with_mode(file, environ)
        if mode != "enforce":
            raise _unserved(file, f"`mode: {mode}`", "Set `mode: enforce`; to try it, use `dryRun` of the analysis.")
        if policy.requires is not None:
            raise _unserved(file, "`canary.requires`", "Demand them by `aegis canary preflight` or `watch`.")
        if policy.promote != "full":
            raise _unserved(file, f"`promote: {policy.promote}`", "Leave it out: Argo takes the steps by itself.")
        rollout = (policy.rollout.namespace, policy.rollout.name)
        if rollout in found:
            raise UsageError(
                "core.wrong_usage",
                f"two policies are about the Rollout {'/'.join(rollout)}",
                expected="one --policy for each rollout",
                remedy=f"leave {str(file)!r} out, or correct its canary.rollout",
            )
        found[rollout] = policy
    return found


def _unserved(file: Path, what: str, remedy: str) -> UsageError:
    """What a verdict over HTTP cannot keep to must not be believed to be in force."""
    return UsageError(
        "canary.not_served",
        f"{str(file)!r} has {what}, to which a verdict that is asked for over HTTP cannot keep",
        expected="a policy that promotes and aborts by evidence alone",
        remedy=remedy,
    )


def _server(policy: CanaryPolicy) -> Metrics:
    """The policy's Prometheus, seen from here."""
    from aegis.adapters.kubernetes.api import cluster_of
    from aegis.cli.canary.run import server

    cluster = cluster_of(os.environ) if policy.prometheus.via == "api-server" else None
    return server(policy, os.environ, cluster)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"the folder {str(folder)!r} cannot be made: {error.strerror}",
            expected="a folder that can be written",
            remedy="correct --state",
        ) from error


def _say(address: str) -> None:
    sys.stdout.write(f"listening on {address}\n")
    sys.stdout.flush()
