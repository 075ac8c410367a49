"""Reasons of `aegis fleet`: many repositories of an organisation."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "fleet.none_meant",
        "No repository is meant",
        "A run over nothing finds nothing, which must not look like an answer.",
        "Correct --topic, --name and --without, or give the token access to the repositories.",
    ),
    Code(
        "fleet.branch_taken",
        "Somebody else committed to the branch",
        "A branch with a person's commits is that person's; it is never written over.",
        "Merge or close its pull request and delete the branch; then run it again.",
    ),
    Code(
        "fleet.declined",
        "The pull request was closed",
        "Who closes a pull request says no; it is not opened again by itself.",
        "Speak with the repository's owners; then run it with --again.",
    ),
    Code(
        "fleet.no_gates",
        "No workflow runs a gate",
        "There is no check that could be required, so every change may pass.",
        "Merge the pull request of `aegis fleet init` first.",
    ),
    Code(
        "fleet.check_without_job",
        "A required check that nothing reports",
        "Every change of the repository waits for it for ever.",
        "Take the repository out of the organisation's ruleset `aegis`, or give it the workflow.",
    ),
    Code(
        "fleet.not_fetched",
        "Repository not fetched",
        "What could not be read was not scanned.",
        "Run it again; the token must be allowed to read the repository's contents.",
    ),
    Code(
        "fleet.too_large",
        "More workflows and policies than are read",
        "A part of them would be no answer about all.",
        "Use `aegis init` and `aegis doctor` in a checkout of that repository.",
    ),
    Code(
        "fleet.state_invalid",
        "State file not understood",
        "Going on from half a file would leave repositories out.",
        "Delete the file, and run the command from the beginning.",
    ),
    Code(
        "fleet.state_other",
        "State file of another run",
        "What another run found is no answer to this one.",
        "Repeat the run that it is of, or name another file with --state.",
    ),
)
