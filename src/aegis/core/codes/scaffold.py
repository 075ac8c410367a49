"""Reasons of `aegis init`, `aegis github` and `aegis doctor`."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE = (
    Code(
        "init.value_invalid",
        "A choice is not valid",
        "Workflows and policies hold plain names only, and every chosen gate needs something to judge.",
        "Correct the argument that the message names.",
    ),
    Code(
        "init.file_edited",
        "Files are there that were not written by init",
        "An edit is never overwritten without being asked for; nothing was written.",
        "Compare with `aegis init --diff`; then name each file with `--overwrite PATH` or `--keep PATH`.",
    ),
    Code(
        "init.conflict",
        "An edit and the new version change the same lines",
        "Which of the two counts is for a person to say; nothing was written.",
        "Make the change of `aegis init --update --diff` by hand, or name the file with `--overwrite` or `--keep`.",
    ),
    Code(
        "init.out_of_date",
        "Files are not what this version writes",
        "A workflow of an older version, or one that is not there, may lack a gate.",
        "Run `aegis init --update`, and review what it changed.",
    ),
    Code(
        "init.already",
        "The repository is set up already",
        "A second set-up would not know which edits are a person's.",
        "Use `aegis init --update`, with the arguments that change.",
    ),
    Code(
        "init.not_yet",
        "The repository is not set up yet",
        "There is no record of what was written, so nothing can be updated or checked.",
        "Run `aegis init` first.",
    ),
    Code(
        "init.record_invalid",
        "The record of what was written is broken",
        "Without it nobody can tell a person's edits from what was written.",
        "Restore `.github/aegis-init.json` from git, or delete it and run `aegis init` again.",
    ),
    Code(
        "init.outside",
        "A file would be written outside the repository",
        "A folder of the repository is a link that leads elsewhere.",
        "Replace the link by a folder.",
    ),
    Code(
        "init.templates_missing",
        "Templates not found",
        "The templates are packed with the code; without them nothing can be written.",
        "Install aegis-gates again.",
    ),
    Code(
        "init.template_broken",
        "A template cannot be filled in",
        "A place of a template without a value is never left empty.",
        "Report it; templates and code of one version belong together.",
    ),
)
