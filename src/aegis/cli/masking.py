"""Secrets out of GitHub's log, without a word on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from aegis.report.escape import command_data


def masker(environ: Mapping[str, str]) -> Callable[[str], None]:
    """Hides a value in the log of a workflow; does nothing elsewhere, where nobody reads such commands.

    On stderr, which the runner reads too: stdout belongs to whoever reads the command's answer.
    https://docs.github.com/actions/reference/workflow-commands-for-github-actions#masking-a-value-in-a-log
    """

    def mask(value: str) -> None:
        if environ.get("GITHUB_ACTIONS") == "true":
            sys.stderr.write(f"::add-mask::{command_data(value)}\n")
            sys.stderr.flush()

    return mask
