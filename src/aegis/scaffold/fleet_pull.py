"""The pull request that sets a repository up: its branch, its words, and whether the branch is still ours.

A branch is ours while its tip is a commit that we wrote: the commit's message holds the id of the tree that we wrote,
and the commit holds that tree. A person who commits to the branch, amends or rebases it, has it from then on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

BRANCH = "aegis/init"
TITLE = "Gates that cannot be green by accident"
_TREE = "Aegis-Fleet-Tree"
_TRAILER = re.compile(rf"^{_TREE}: (?P<tree>[0-9a-f]{{40}})$", re.MULTILINE)


def message(tree: str, *, update: bool) -> str:
    """A commit's, for the tree that it will hold."""
    subject = "Bring the gates of Aegis up to date" if update else "Add the gates of Aegis"
    return f"{subject}\n\nWritten by `aegis fleet init`; edits of these files are kept.\n\n{_TREE}: {tree}\n"


def is_ours(commit_message: str, tree: str) -> bool:
    """Whether a branch whose tip has this message and this tree is as we left it."""
    found = _TRAILER.findall(commit_message)
    return found == [tree]


def body(changed: Iterable[tuple[str, str]], next_steps: str) -> str:
    """The pull request's text. `changed`: each file with what becomes of it; `next_steps`: what is left to do."""
    lines = [f"| `{path}` | {state} |" for path, state in changed]
    return "\n".join(
        [
            "This adds checks that must pass before a change, a model or a rollout goes on (Aegis' gates), in the form",
            "that `aegis init` writes. The organisation opens the same pull request in each of its repositories.",
            "",
            "| file | |",
            "|---|---|",
            *lines,
            "",
            "What is there already stays: an edited file is merged, and one of somebody else is never replaced.",
            f"The branch `{BRANCH}` is brought up to date as long as nobody else commits to it; from your first commit",
            "on it is yours. Close the pull request to say no: it is not opened again by itself.",
            "",
            next_steps.strip(),
            "",
        ]
    )
