"""The canary action: a watch, one look or a preflight, as a workflow asks for it by inputs."""

from __future__ import annotations

import time
from collections.abc import Mapping

from aegis.cli import deliver
from aegis.cli.canary.options import CanaryOptions
from aegis.core.verdict import Verdict


def run(environ: Mapping[str, str]) -> int:
    """Judge, and report as a workflow is reported to."""
    options = CanaryOptions.from_inputs(environ)
    return deliver.to_github(answer(options, environ), options, environ)


def answer(options: CanaryOptions, environ: Mapping[str, str]) -> Verdict:
    """The verdict, whatever happens."""
    match options.mode:
        case "watch":
            from aegis.cli.canary.watching import Means, watched

            return watched(options, environ, Means())
        case "judge":
            from aegis.cli.canary.run import judged

            return judged(options, environ, time.time)
        case "preflight":
            from aegis.cli.canary.preflight import preflighted

            return preflighted(options, environ)
